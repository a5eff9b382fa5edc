// Asking the node. Every refusal arrives as a Refusal with a stable code.

export class Refusal extends Error {
  status: number
  code: string
  expected: string
  got: string
  then: string

  constructor(status: number, told: Record<string, unknown>) {
    super(text(told.what) || `HTTP ${status}`)
    this.status = status
    this.code = text(told.code) || 'AMG-HTTP'
    this.expected = text(told.expected)
    this.got = text(told.got)
    this.then = text(told.then)
  }
}

let onSignedOut = () => {}

/** Called when the node says that nobody is signed in. */
export function whenSignedOut(call: () => void): void {
  onSignedOut = call
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

async function ask<T>(method: string, path: string, body?: unknown): Promise<T> {
  const init: RequestInit = { method, credentials: 'same-origin', cache: 'no-store' }
  if (body !== undefined) {
    init.headers = { 'Content-Type': 'application/json' }
    init.body = JSON.stringify(body)
  }
  let answer: Response
  try {
    answer = await fetch(path, init)
  } catch {
    throw new Refusal(0, { code: 'AMG-NODE-SILENT', what: 'the node does not answer' })
  }
  if (answer.ok) return (answer.status === 204 ? undefined : await answer.json()) as T
  const told = (await answer.json().catch(() => ({}))) as Record<string, unknown>
  const refusal = new Refusal(answer.status, told)
  if (refusal.code === 'AMG-SIGNIN-NEEDED') onSignedOut()
  throw refusal
}

export const get = <T>(path: string): Promise<T> => ask<T>('GET', path)
export const post = <T>(path: string, body: unknown = {}): Promise<T> => ask<T>('POST', path, body)
export const put = <T>(path: string, body: unknown): Promise<T> => ask<T>('PUT', path, body)
export const remove = (path: string): Promise<void> => ask<void>('DELETE', path)

/** `?a=1&b=2` of what is set. */
export function query(values: Record<string, string | number | null | undefined>): string {
  const set = Object.entries(values).filter(([, value]) => value !== '' && value !== null && value !== undefined)
  return set.length ? `?${new URLSearchParams(set.map(([name, value]) => [name, String(value)]))}` : ''
}

export const at = (part: string): string => encodeURIComponent(part)
