// The answers of the node's API, as /api/openapi.json describes them.

export type Instant = string
export type Lang = 'en' | 'ja'
export type Role = 'watch-officer' | 'analyst' | 'release-officer' | 'auditor' | 'administrator'
export type Act = 'read' | 'triage' | 'write-content' | 'release' | 'audit' | 'administer'

export interface Me {
  name: string
  roles: Role[]
  may: Act[]
  lang: Lang
  is_first: boolean
}

export interface Greeting {
  lang: Lang
  me: Me | null
}

export interface Named {
  id: string
  name: string
}

export interface Entity {
  kind: string
  value: string
}

export interface Alert {
  id: string
  title: string
  severity: number
  confidence: number
  subject: string
  content_id: string
  is_indicator: boolean
  origin: Named
  source: string
  first_seen_at: Instant
  last_seen_at: Instant
  updated_at: Instant
  n_detections: number
  techniques: string[]
  tactics: string[]
  incident_id: string | null
  why: string
}

export interface Alerts {
  alerts: Alert[]
  next: string | null
  n_all: number
}

export interface Field {
  name: string
  value: string
}

export interface Evidence {
  path: string
  record: number
  event_at: Instant | null
  level: string
  fields: Field[]
  raw: string
  together: Together | null
}

export interface Sign {
  title: string
  path: string
  record: number
  event_at: Instant
  raw: string
}

export interface Together {
  n_events: number
  first_at: Instant
  last_at: Instant
  timespan_s: number
  is_over: boolean
  signs: Sign[]
}

export interface AlertDetail {
  alert: Alert
  entities: Entity[]
  evidence: Evidence[]
}

export interface Incident {
  id: string
  title: string
  status: 'open' | 'closed'
  severity: number
  created_at: Instant
  updated_at: Instant
  first_seen_at: Instant
  last_seen_at: Instant
  n_alerts: number
  n_detections: number
  techniques: string[]
  tactics: string[]
  entities: Entity[]
  closed_why: string
  merged_into: string | null
  confidence: number
  owner: string
  stage: string
  n_sources: number
}

export interface Incidents {
  incidents: Incident[]
  next: string | null
}

export interface Step {
  tactic: string
  at: Instant
  alert_id: string
  title: string
  severity: number
}

export interface IncidentDetail {
  incident: Incident
  alerts: Alert[]
  timeline: Step[]
  is_cut: boolean
  story: StoryStep[]
  graph: IncidentGraph
  score: Score
  case: CaseFile
}

export interface Attack {
  tactics: string[]
  techniques: { technique: string; tactics: string[]; n_detections: number }[]
}

export interface Receipt {
  due_at: Instant
  is_overdue: boolean
  done_at: Instant | null
  n_onward: number
  n_onward_done: number
}

export interface Crossing {
  receipt?: Receipt | null
  id: number
  ally: Named
  agreement: string
  direction: 'in' | 'out'
  state: string
  object_id: string
  object_type: string
  version: string
  title: string
  n_seen: number
  clause: string
  marking: string
  changes: Field[]
  why: string
  created_at: Instant
  decided_by: string
  n_tries: number
  next_try_at: Instant | null
  delivered_at: Instant | null
  n_bytes: number
  wants: string[]
  n_wanted: number
  consents: string[]
  ours: string
}

export interface FieldPreview {
  path: string
  what: string
  value: string
}

export interface Told {
  en: string
  ja: string
  sign: string
}

export interface Article {
  number: number
  title: Told
  lines: Told[]
}

export interface AgreementText {
  id: string
  title: string
  version: number
  digest: string
  ally: Named
  valid_from_at: Instant
  valid_until_at: Instant
  is_in_force: boolean
  ended: '' | 'amended' | 'revoked'
  why: string
  renew_at: Instant | null
  articles: Article[]
  changes: Told[]
  clocks: { name: string; limit_s: number; worst_s: number | null; n: number; n_late: number }[]
  budget: { n_objects: number; n_bytes: number; max_objects: number | null; max_bytes: number | null } | null
}

export interface Trial {
  since: Instant
  until: Instant
  n_alerts: number
  n_incidents: number
  n_objects: number
  is_cut: boolean
  rows: { outcome: string; object_type: string; clause: string; code: string; why: string; n: number; n_bytes: number; examples: string[] }[]
}

export interface DraftTried {
  problems: Told[]
  is_sound: boolean
  articles: Article[]
  changes: Told[]
  trial: Trial | null
}

export interface Crossings {
  crossings: Crossing[]
  next: string | null
}

export interface CrossingDetail {
  crossing: Crossing
  content: string
  is_cut: boolean
  fields: FieldPreview[]
}

/** What would become of an object towards one ally. */
export interface Preview {
  ally: Named
  agreement: string
  outcome: 'released' | 'wanting' | 'withheld'
  object_id: string
  object_type: string
  clause: string
  marking: string
  code: string
  why: string
  wants: string[]
  n_wanted: number
  fields: FieldPreview[]
  content: string
}

export interface Retracted {
  n_sent: number
  n_held: number
  crossings: number[]
}

export interface Content {
  id: string
  kind: 'sigma' | 'stix' | 'list'
  title: string
  origin: Named
  is_active: boolean
  added_at: Instant
  added_by: string
  fault: string
  activated_at: Instant | null
  text: string
  counts: Record<string, number>
}

export interface RuleFault {
  rule_id: string
  path: string
  why: string
  code: string
}

export interface Replaced {
  rule_id: string
  title: string
  path: string
  why: string
  instead: string
}

export interface Placeholder {
  name: string
  n_values: number
}

export interface Exclusion {
  exclusion: string
  reason: string
  expires: string | null
  is_expired: boolean
  n_rules: number
  n: number
}

export interface Rules {
  n_rules: number
  n_coming: number
  n_compiled: number
  since: { n_rules: number; since: Instant }[]
  n_faults: number
  faults: RuleFault[]
  n_off: number
  n_off_by: { level?: number; status?: number; replaced?: number }
  replaced: Replaced[]
  excluded: Exclusion[]
  placeholders: Placeholder[]
}

export interface Source {
  name: string
  address: string
  n_read: number
  n_accepted: number
  n_rejected: number
  last_record_at: Instant | null
  lag_s: number | null
  rate_per_s: number | null
  fault: string
  lag_bytes: number
  n_behind: number
  rhythm: 'learning' | 'usual' | 'silent'
  alarm_at: Instant | null
  clock: 'unknown' | 'right' | 'ahead' | 'behind'
  clock_ahead_s: number | null
  is_zone: boolean
  n_lost: number
  n_lost_bytes: number
  n_rejects_kept: number
  is_feeding: boolean
}

export interface Habit {
  device: string
  master: string
  function: string
  is_changing: boolean
  addresses: [number, number][]
  low: number | null
  high: number | null
  every_s: number
  n: number
}

export interface Plant {
  state: 'learning' | 'frozen'
  changed_by: string
  changed_at: Instant | null
  since: Instant | null
  until: Instant | null
  n_messages: number
  n_left_out: number
  n_devices: number
  habits: Habit[]
  next: string | null
}

export interface Rejected {
  path: string
  record: number
  why: string
  code: string
  at: Instant
  raw: string
  n_bytes: number
}

export interface Rejects {
  source: string
  n_kept: number
  n_mended: number
  is_feeding: boolean
  rejects: Rejected[]
  next: string | null
}

export interface Reject {
  source: string
  path: string
  record: number
  why: string
  at: Instant
}

export interface Clause {
  id: string
  is_ours: boolean
  objects: string[]
  pattern_types: string[]
  ceiling: string
  consent: 'automatic' | 'release-officer'
  strip: string[]
  pseudonymise: string[]
}

export interface Agreement {
  id: string
  title: string
  version: number
  valid_from_at: Instant
  valid_until_at: Instant
  is_in_force: boolean
  our_role: string
  their_role: string
  clauses: Clause[]
}

export interface Link {
  state: 'up' | 'down' | 'sending' | 'quiet' | 'not-in-force'
  why: string
  n_waiting: number
  last_sent_at: Instant | null
  last_received_at: Instant | null
  next_try_at: Instant | null
}

export interface Ally {
  ally: Named
  country: string
  link: Link
  agreements: Agreement[]
  record: LedgerRecord
  heart: Heart
}

/** What the ally states of its own sources, and for how long it may say nothing. */
export interface Heart {
  n_sources: number | null
  n_watching: number | null
  freshest_s: number | null
  stalest_s: number | null
  heard_at: Instant | null
  told_at: Instant | null
  silence_s: number
  silent_at: Instant | null
  incident: string
  fault: string
}

export interface Reason {
  code: string
  why: string
  n: number
  last_at: Instant
}

export interface Aside {
  object_id: string
  title: string
  why: string
}

export interface AllyDetail {
  papers: { key: string; address: string; pin: string; valid_from_at: Instant | null; valid_until_at: Instant | null }
  line: {
    is_up: boolean | null
    since_at: Instant | null
    answered_at: Instant | null
    failed_at: Instant | null
    n_failures: number
    fetched_at: Instant | null
    oldest_at: Instant | null
  }
  counts: { direction: string; state: string; n: number }[]
  refused: Reason[]
  turned_down: Reason[]
  n_looked: number
  aside: Aside[]
  aside_there: Aside[]
  awaited: { object_id: string; asked_at: Instant; due_at: Instant; is_overdue: boolean }[]
  n_awaited: number
  couriers: { courier: string; n_parts: number; is_whole: boolean; missing: number[] }[]
}

export interface PartWritten {
  courier: string
  part: number
  after: number
  n_objects: number
  is_last: boolean
  content: string
}

export interface PartLooked {
  ally: string
  agreement: string
  courier: string
  part: number
  is_last: boolean
  made_at: Instant
  kinds: { type: string; n: number }[]
  n_admitted: number
  n_new: number
  n_fates: number
  refused: { object_id: string; why: string }[]
  is_known: boolean
}

export interface PartRead {
  ally: string
  courier: string
  part: number
  is_last: boolean
  n_objects: number
  n_new: number
  n_settled: number
  refused: { object_id: string; why: string }[]
  missing: number[]
  answer: string
}

export interface LedgerRecord {
  n_leaves: number
  n_countersigned: number
  n_theirs: number
  exchanged_at: Instant | null
  faults: { at: Instant; code: string; why: string }[]
  n_receipts_awaited: number
  n_receipts_overdue: number
  missed: { clock: string; is_ours: boolean; due_at: Instant; n: number; what: string }[]
  talks: Talk[]
}

/** A serious incident on which the parties consult; `word` is "" until whoever owes it has spoken. */
export interface Talk {
  object_id: string
  is_ours: boolean
  since: Instant
  word: string
  said_at: Instant | null
}

export interface TreeHead {
  n_leaves: number
  root: string
  at: Instant
  by: Named
  countersigned_by: Named | null
}

export interface LedgerFault {
  at: Instant
  code: string
  why: string
  heads: TreeHead[]
}

/** The record under one agreement; heads are the newest first. */
export interface Ledger {
  agreement: string
  title: string
  ally: Named | null
  is_in_force: boolean
  n_leaves: number
  root: string
  keys: { party: Named; is_ours: boolean; key: string }[]
  ours: TreeHead[]
  theirs: TreeHead[]
  exchanged_at: Instant | null
  faults: LedgerFault[]
}

export interface Leaf {
  n: number
  at: Instant
  act: string
  ally: Named | null
  object_id: string
  object_type: string
  version: string
  clause: string
  marking: string
  content: string
  by: string
  why: string
  terms: string
  fault: string
}

export interface Leaves {
  leaves: Leaf[]
  next: number | null
  looked_to: number
  n_leaves: number
}

export interface LeafProof {
  leaf: Leaf
  text: string
  hash: string
  n_leaves: number
  root: string
  path: string[]
  head: TreeHead | null
  why: string
}

export interface HeadChecked {
  head: TreeHead
  n_hashes: number
  why: string
}

export interface HeadsChecked {
  ours: HeadChecked[]
  theirs: HeadChecked[]
  n_leaves: number
  root: string
}

export interface Tree {
  n: number
  peaks: string[]
}

export interface PartChecked {
  tree: Tree
  n_leaves: number
  is_done: boolean
  misfit: { leaf: number | null; why: string } | null
  root: string
  n_heads: number
  countersigned: number
}

export interface Status {
  node: { id: string; name: string; country: string; lang: Lang }
  now_at: Instant
  sources: Source[]
  allies: Ally[]
  counts: { alerts: number; incidents_open: number; wanting: number; content: number; content_faulted: number }
  next: { code: string; text: string }[]
}

export interface Account {
  name: string
  roles: Role[]
  lang: Lang
  is_enabled: boolean
  created_at: Instant
}

export interface News {
  now_at: Instant
  changed: Record<string, { n: number; ids: string[] }>
}

export interface StoryStep {
  tactic: string
  title: string
  severity: number
  techniques: string[]
  first_at: Instant
  last_at: Instant
  n_alerts: number
  n_detections: number
  who: string[]
  n_who: number
  what: string[]
  n_what: number
  alerts: string[]
  evidence: { path: string; record: number; event_at: Instant | null }[]
}

export interface GraphNode {
  id: string
  kind: string
  value: string
  n_alerts: number
  severity: number
  n_more: number
}

export interface GraphEdge {
  source: string
  target: string
  titles: string[]
  n_alerts: number
  n_detections: number
  severity: number
}

export interface IncidentGraph {
  nodes: GraphNode[]
  edges: GraphEdge[]
  n_left_out: number
}

export interface ScorePart {
  category: string
  option: string
  value: number
  weight: number
  source: 'evidence' | 'person' | 'usual'
}

export interface Score {
  score: number
  low: number
  high: number
  level: string
  parts: ScorePart[]
}

export interface Deed {
  id: number
  incident_id: string
  kind: string
  at: Instant
  by: string
  text: string
  before: string
  other: string
  alerts: string[]
  of: number
  is_undone: boolean
  may_undo: boolean
}

export interface CaseTask {
  id: number
  text: string
  by: string
  at: Instant
  done_by: string
}

export interface CaseFile {
  owner: string
  stage: string
  notes: Deed[]
  evidence: Deed[]
  tasks: CaseTask[]
  history: Deed[]
}

export interface Queued {
  incident: Incident
  rank: number
  impact: number
  score: number
  level: string
  waits_s: number
  fate: 'read' | 'deferred' | 'offered'
  why: string
}

export interface QueueAnswer {
  now_at: Instant
  budget: { n_per_shift: number; source: string; n_shifts: number; shift_began_at: Instant; n_done: number; n_left: number; offer_from: number }
  incidents: Queued[]
  n_open: number
  n_read: number
  n_deferred: number
  n_offered: number
  n_alone_alerts: number
  is_cut: boolean
}

export interface AllyLine {
  incident_id: string
  ally: string
  state: string
  why: string
}

export interface Handover {
  number: number
  at: Instant
  by: string
  to: string
  note: string
  given: { incident_id: string; title: string; severity: number; stage: string; score: number; impact: number }[]
  n_open: number
  n_done: number
  n_held: number
  taken_at: Instant | null
  taken_by: string
  may_take: boolean
  lines: AllyLine[]
}

export interface Handovers {
  handovers: Handover[]
  officers: string[]
}

export type DeedAsked = { kind: string; text?: string; other?: string; alerts?: string[]; of?: number }

export interface Campaign {
  id: string
  title: string
  severity: number
  score: number
  parties: Named[]
  n_incidents: number
  n_alerts: number
  n_detections: number
  n_sources: number
  techniques: string[]
  tactics: string[]
  first_seen_at: Instant
  last_seen_at: Instant
  members: {
    id: string
    party: Named
    is_ours: boolean
    title: string
    severity: number
    first_seen_at: Instant
    last_seen_at: Instant
    n_alerts: number
    n_detections: number
    n_sources: number
    techniques: string[]
  }[]
  ties: { first: string; second: string; weight: number; why: string; n_sources: number; n_networks: number; crowds: number[]; techniques: string[] }[]
}

export interface Campaigns {
  campaigns: Campaign[]
  n_own: number
  n_of_allies: number
}

export interface Span {
  worst: number
  likely: number
  best: number
}

export interface MissionStep {
  name: string
  operability: number
  bound_by: string
  strength: number | null
  criticality: number | null
}

export interface MissionNow {
  name: string
  title: string
  title_ja: string
  party: string
  weight: number
  operability: Span
  why: string
  way: MissionStep[]
}

export interface MissionImpact {
  has_model: boolean
  missions: MissionNow[]
  touched: { name: string; title: string; health: Span; incidents: string[] }[]
  incidents: { incident_id: string; title: string; assets: string[]; loss: Span; missions: [string, Span][] }[]
  restore: { name: string; gain: number; repair_h: [number, number]; is_estimated: boolean }[]
  forecast: { after_h: number; missions: Record<string, Span> }[]
  heard: { name: string; ally: string; service: string; operability: Span; heard_at: Instant | null; is_stale: boolean }[]
  n_unmatched: number
  is_settled: boolean
  is_cut: boolean
}

export interface MapNode {
  name: string
  kind: string
  title: string
  title_ja: string
  party: string
  operability: Span
  health: Span
  n_hidden: number
  is_boundary: boolean
  ally: string
  is_touched: boolean
}

export interface MapEdge {
  feeder: string
  receiver: string
  strength: number
  criticality: number
  is_way: boolean
}

export interface MissionGraph {
  has_model: boolean
  n_all: number
  nodes: MapNode[]
  edges: MapEdge[]
}

export interface ModelText {
  path: string
  content: string
}

export interface MissionModel {
  version: number
  saved_at: Instant | null
  saved_by: string
  n_undo: number
  n_missions: number
  n_services: number
  n_assets: number
  n_dependencies: number
  texts: ModelText[]
}

export interface ModelCheck {
  is_usable: boolean
  n_errors: number
  n_warnings: number
  problems: { grade: string; code: string; path: string; line: number; what: string; expected: string; got: string }[]
}

export interface HuntAsked {
  query: string
  rule: string
  indicator: string
  since: string
  until: string
  sources: string[]
}

export interface Hunt {
  id: string
  asked: HuntAsked
  by: string
  begun_at: Instant
  ended_at: Instant | null
  state: 'running' | 'done' | 'cancelled' | 'failed'
  n_found: number
  n_hosts: number
  first_at: Instant | null
  last_at: Instant | null
  done_ratio: number
  is_whole: boolean
  n_records: number
  n_passed: number
  not_looked_at: string[]
  fault: string
}

export interface HuntFound {
  source: string
  path: string
  record: number
  event_at: Instant | null
  read_at: Instant
  title?: string
  hosts: string[]
  raw: string
}

export interface HuntDetail {
  hunt: Hunt
  found: HuntFound[]
  next: number
  is_cut: boolean
}

export interface Past {
  n: number
  first_at: Instant | null
  last_at: Instant | null
  where: string
  is_whole: boolean
  looked_at: Instant
  not_looked_at: string[]
  fault: string
}
