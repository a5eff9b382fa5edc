// The tables of a model's TOML that a form can show: `[[asset]]` and its like, with the keys it understands. What it does
// not understand (comments, values over several lines, keys that are not its own) stays as it was written.

export type Kind = 'model' | 'mission' | 'service' | 'asset' | 'dependency'
export type Shape = 'text' | 'number' | 'list' | 'span' | 'yes' | 'needs' | 'node' | 'ally' | 'cycles'

export interface Field {
  key: string
  shape: Shape
}

/** What something depends on: name, strength, criticality, as far as they are written. */
export type Need = [string, string, string]

export interface Block {
  kind: Kind
  /** Lines of the text, from the header to the one before the next. */
  from: number
  to: number
  values: Record<string, string>
  /** Where each key stands, whether the form understands its value or not. */
  lines: Record<string, number>
}

const NODE: Field[] = [
  { key: 'name', shape: 'text' },
  { key: 'title', shape: 'text' },
  { key: 'title_ja', shape: 'text' },
]
const HEALTH: Field[] = [
  { key: 'party', shape: 'text' },
  { key: 'operability', shape: 'number' },
]
const SHOWN: Field[] = [
  { key: 'boundary', shape: 'yes' },
  { key: 'shown_step', shape: 'number' },
  { key: 'ally', shape: 'ally' },
  { key: 'ally_service', shape: 'text' },
]
const NEEDS: Field = { key: 'depends_on', shape: 'needs' }
export const FIELDS: Record<Kind, Field[]> = {
  model: [
    { key: 'title', shape: 'text' },
    { key: 'party', shape: 'text' },
    { key: 'cycles', shape: 'cycles' },
  ],
  mission: [...NODE, { key: 'weight', shape: 'number' }, ...HEALTH, NEEDS],
  service: [...NODE, { key: 'repair_h', shape: 'span' }, ...HEALTH, ...SHOWN, NEEDS],
  asset: [
    ...NODE,
    { key: 'hosts', shape: 'list' },
    { key: 'addresses', shape: 'list' },
    { key: 'accounts', shape: 'list' },
    { key: 'sources', shape: 'list' },
    { key: 'repair_h', shape: 'span' },
    ...HEALTH,
    ...SHOWN,
    NEEDS,
  ],
  dependency: [
    { key: 'from', shape: 'node' },
    { key: 'to', shape: 'node' },
    { key: 'strength', shape: 'number' },
    { key: 'criticality', shape: 'number' },
  ],
}

/** More than a form can show at once. */
const MAX_NEEDS = 50
const HEADER = /^\s*\[\[\s*(mission|service|asset|dependency)s?\s*\]\]\s*(#.*)?$/
const MODEL = /^\s*\[\s*model\s*\]\s*(#.*)?$/
const TABLE = /^\s*\[/
const LINE = /^\s*([A-Za-z_]+)\s*=\s*(.*?)\s*$/

export function blocksOf(text: string): Block[] {
  const lines = text.split('\n')
  const found: Block[] = []
  // A line within a value of several lines may begin with a bracket as a header does.
  let depth = 0
  let open: Block | null = lines.some((line) => MODEL.test(line)) ? null : begin('model', 0, lines.length)
  if (open) found.push(open)
  lines.forEach((line, at) => {
    if (depth > 0) {
      depth += brackets(line)
      return
    }
    if (TABLE.test(line)) {
      if (open) open.to = at
      const kind = MODEL.test(line) ? 'model' : (HEADER.exec(line)?.[1] as Kind | undefined)
      open = kind ? begin(kind, at, lines.length) : null
      if (open) found.push(open)
      return
    }
    const [, key, value] = LINE.exec(line) ?? []
    if (key === undefined || value === undefined) return
    depth = Math.max(0, brackets(value))
    const field = open && FIELDS[open.kind].find((one) => one.key === key)
    if (!open || !field) return
    open.lines[field.key] = at
    const read = depth ? null : readValue(value, field.shape)
    if (read !== null) open.values[field.key] = read
  })
  return found
}

const begin = (kind: Kind, from: number, to: number): Block => ({ kind, from, to, values: {}, lines: {} })

/** How many brackets stay open, outside of strings and remarks. */
function brackets(text: string): number {
  const bare = text.replace(/"(?:[^"\\]|\\.)*"|'[^']*'/g, '').replace(/#.*$/, '')
  return [...bare].reduce((sum, sign) => sum + (sign === '[' || sign === '{' ? 1 : sign === ']' || sign === '}' ? -1 : 0), 0)
}

/** What a form shows of a value; null where it does not understand it. */
function readValue(written: string, shape: Shape): string | null {
  const bare = written.replace(/\s+#[^"'\]}]*$/, '')
  try {
    const value: unknown = JSON.parse(shape === 'needs' ? asJson(bare) : bare)
    if (shape === 'needs') return readNeeds(value)
    if (shape === 'list') return typeof value === 'string' ? value : Array.isArray(value) && value.every((one) => typeof one === 'string') ? value.join(', ') : null
    if (shape === 'span') return typeof value === 'number' ? String(value) : Array.isArray(value) && value.length === 2 ? value.join('-') : null
    if (shape === 'number') return typeof value === 'number' ? String(value) : null
    if (shape === 'yes') return typeof value === 'boolean' ? (value ? 'true' : '') : null
    return typeof value === 'string' ? value : null
  } catch {
    return null
  }
}

/** TOML's inline tables as JSON writes them: bare keys in quotes, `=` as `:`. Strings stay. */
const asJson = (text: string): string => text.replace(/"(?:[^"\\]|\\.)*"|([A-Za-z_]+)\s*=/g, (whole: string, key?: string) => (key ? `"${key}":` : whole))

function readNeeds(value: unknown): string | null {
  if (!Array.isArray(value) || value.length > MAX_NEEDS) return null
  const needs: (Need | null)[] = value.map((one: unknown): Need | null => {
    if (typeof one === 'string') return [one, '', '']
    if (Array.isArray(one) && typeof one[0] === 'string' && one.length <= 3 && one.slice(1).every((part) => typeof part === 'number')) return [one[0], String(one[1] ?? ''), String(one[2] ?? '')]
    if (typeof one !== 'object' || one === null || Array.isArray(one)) return null
    const { on, strength, criticality, ...rest } = one as Record<string, unknown>
    const isPlain = typeof on === 'string' && !Object.keys(rest).length && [strength, criticality].every((part) => part === undefined || typeof part === 'number')
    return isPlain ? [on, String(strength ?? ''), String(criticality ?? '')] : null
  })
  return needs.includes(null) ? null : writeNeeds(needs as Need[])
}

/** Needs as a field's value, and back. */
export const writeNeeds = (needs: Need[]): string => (needs.length ? JSON.stringify(needs) : '')
export const needsOf = (value: string | undefined): Need[] => (value ? (JSON.parse(value) as Need[]) : [])

/** TOML's basic string: as JSON writes it, with what JSON leaves bare and TOML does not. */
const quoted = (text: string): string => JSON.stringify(text).replace(/\u007f/g, '\\u007F')

function written(shape: Shape, value: string): string {
  const parts = value.split(',').map((one) => one.trim()).filter(Boolean)
  if (shape === 'list') return `[${parts.map(quoted).join(', ')}]`
  if (shape === 'span') return value.includes('-') ? `[${value.split('-').map((one) => one.trim()).join(', ')}]` : value.trim()
  if (shape === 'needs') return `[${needsOf(value).map(writtenNeed).join(', ')}]`
  return shape === 'number' || shape === 'yes' ? value.trim() : quoted(value.trim())
}

/** Strength is 1 and criticality 0 where nothing is said. */
function writtenNeed([on, strength, criticality]: Need): string {
  if (!strength && !criticality) return quoted(on)
  return `[${[quoted(on), strength || '1', ...(criticality ? [criticality] : [])].join(', ')}]`
}

/** The text with a block's values so; without a block, with a new table at the end. An empty value takes the key away. */
export function put(text: string, kind: Kind, block: Block | null, values: Record<string, string>): string {
  const lines = text.split('\n')
  const own = block ? lines.slice(block.from, block.to) : [`[[${kind}]]`]
  for (const field of FIELDS[kind]) {
    const before = block?.values[field.key]
    const value = (values[field.key] ?? '').trim()
    if (value === (before ?? '') || (block && isLocked(block, field.key))) continue
    const at = own.findIndex((line) => LINE.exec(line)?.[1] === field.key)
    const line = `${field.key} = ${written(field.shape, value)}`
    if (at < 0 && value) own.splice(lastLine(own, kind), 0, line)
    else if (at >= 0 && value) own[at] = line
    else if (at >= 0) own.splice(at, 1)
  }
  if (block) lines.splice(block.from, block.to - block.from, ...own)
  else lines.splice(lines.length, 0, ...(text.endsWith('\n') || !text ? [] : ['']), ...own, '')
  return lines.join('\n')
}

export function take(text: string, block: Block): string {
  const lines = text.split('\n')
  lines.splice(block.from, block.to - block.from)
  return lines.join('\n')
}

/** A value that stands there in a form which is not shown: the text alone can change it. */
export const isLocked = (block: Block, key: string): boolean => key in block.lines && !(key in block.values)

/** Behind the last line of the block that says something. */
function lastLine(own: string[], kind: Kind): number {
  let at = own.length
  while (at > (kind === 'model' ? 0 : 1) && !(own[at - 1] ?? '').trim()) at -= 1
  return at
}
