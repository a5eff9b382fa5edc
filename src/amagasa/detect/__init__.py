"""Sigma rules and STIX patterns -> Plan -> evaluate -> MatchReport."""
