// The tables of a model's TOML that a form can show: `[[asset]]` and its like, with the keys it understands. What it does
// not understand (comments, `depends_on`, values over several lines) stays as it was written.

export type Kind = 'mission' | 'service' | 'asset' | 'dependency'

export interface Field {
  key: string
  shape: 'text' | 'number' | 'list' | 'span'
}

export interface Block {
  kind: Kind
  /** Lines of the text, from the header to the one before the next. */
  from: number
  to: number
  values: Record<string, string>
}

const NODE: Field[] = [
  { key: 'name', shape: 'text' },
  { key: 'title', shape: 'text' },
  { key: 'title_ja', shape: 'text' },
]
export const FIELDS: Record<Kind, Field[]> = {
  mission: [...NODE, { key: 'weight', shape: 'number' }],
  service: [...NODE, { key: 'repair_h', shape: 'span' }],
  asset: [
    ...NODE,
    { key: 'hosts', shape: 'list' },
    { key: 'addresses', shape: 'list' },
    { key: 'accounts', shape: 'list' },
    { key: 'sources', shape: 'list' },
    { key: 'repair_h', shape: 'span' },
  ],
  dependency: [
    { key: 'from', shape: 'text' },
    { key: 'to', shape: 'text' },
    { key: 'strength', shape: 'number' },
    { key: 'criticality', shape: 'number' },
  ],
}

const HEADER = /^\s*\[\[\s*(mission|service|asset|dependency)s?\s*\]\]\s*(#.*)?$/
const LINE = /^\s*([A-Za-z_]+)\s*=\s*(.*?)\s*$/

export function blocksOf(text: string): Block[] {
  const lines = text.split('\n')
  const found: Block[] = []
  let open: Block | null = null
  lines.forEach((line, at) => {
    if (/^\s*\[/.test(line)) {
      if (open) open.to = at
      const kind = HEADER.exec(line)?.[1] as Kind | undefined
      open = kind ? { kind, from: at, to: lines.length, values: {} } : null
      if (open) found.push(open)
      return
    }
    const [, key, value] = LINE.exec(line) ?? []
    const field = open && FIELDS[open.kind].find((one) => one.key === key)
    if (open && field && value !== undefined) {
      const read = readValue(value, field.shape)
      if (read !== null) open.values[field.key] = read
    }
  })
  return found
}

/** What a form shows of a value; null where it does not understand it. */
function readValue(written: string, shape: Field['shape']): string | null {
  const bare = written.replace(/\s+#[^"'\]]*$/, '')
  try {
    const value: unknown = JSON.parse(bare)
    if (shape === 'list') return typeof value === 'string' ? value : Array.isArray(value) && value.every((one) => typeof one === 'string') ? value.join(', ') : null
    if (shape === 'span') return typeof value === 'number' ? String(value) : Array.isArray(value) && value.length === 2 ? value.join('-') : null
    if (shape === 'number') return typeof value === 'number' ? String(value) : null
    return typeof value === 'string' ? value : null
  } catch {
    return null
  }
}

/** TOML's basic string: as JSON writes it, with what JSON leaves bare and TOML does not. */
const quoted = (text: string): string => JSON.stringify(text).replace(/\u007f/g, '\\u007F')

function written(shape: Field['shape'], value: string): string {
  const parts = value.split(',').map((one) => one.trim()).filter(Boolean)
  if (shape === 'list') return `[${parts.map(quoted).join(', ')}]`
  if (shape === 'span') return value.includes('-') ? `[${value.split('-').map((one) => one.trim()).join(', ')}]` : value.trim()
  return shape === 'number' ? value.trim() : quoted(value.trim())
}

/** The text with a block's values so; without a block, with a new table at the end. An empty value takes the key away. */
export function put(text: string, kind: Kind, block: Block | null, values: Record<string, string>): string {
  const lines = text.split('\n')
  const own = block ? lines.slice(block.from, block.to) : [`[[${kind}]]`]
  for (const field of FIELDS[kind]) {
    const before = block?.values[field.key]
    const value = (values[field.key] ?? '').trim()
    if (value === (before ?? '')) continue
    const at = own.findIndex((line) => LINE.exec(line)?.[1] === field.key)
    const line = `${field.key} = ${written(field.shape, value)}`
    if (at < 0 && value) own.splice(lastLine(own), 0, line)
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

/** Behind the last line of the block that says something. */
function lastLine(own: string[]): number {
  let at = own.length
  while (at > 1 && !(own[at - 1] ?? '').trim()) at -= 1
  return at
}
