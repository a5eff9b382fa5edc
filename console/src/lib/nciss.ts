// The options of each category of NCISS, as the node knows them (incident/score.py).
export const OPTIONS: Record<string, string[]> = {
  'functional-impact': ['none', 'none-to-services', 'minimal-to-non-critical', 'minimal-to-critical', 'significant-to-non-critical', 'denial-of-non-critical', 'significant-to-critical', 'denial-of-critical'],
  'observed-activity': ['none', 'prepare', 'engage', 'presence', 'effect'],
  'location': ['business-dmz', 'business-network', 'unknown', 'business-management', 'critical-dmz', 'critical-management', 'critical-systems', 'safety-systems'],
  'actor': ['hacktivists', 'unwitting-insider', 'criminal', 'unknown', 'witting-insider', 'apt', 'apt-targeted'],
  'information-impact': ['none', 'suspected', 'privacy', 'proprietary', 'destruction-of-non-critical', 'critical-systems-data', 'core-credentials', 'destruction-of-critical'],
  'recoverability': ['regular', 'supplemented', 'extended', 'not-recoverable'],
  'cross-sector': ['nuclear', 'agriculture', 'chemical', 'dams', 'emergency-services', 'commercial', 'health', 'banking', 'defense-industry', 'government', 'manufacturing', 'water', 'communications', 'transportation', 'information-technology', 'energy'],
  'potential-impact': ['minimal', 'low', 'moderate', 'high', 'severe'],
}
