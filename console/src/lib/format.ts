// Instants, spans and numbers, as the language in use writes them.
import { t, words } from './i18n/index.svelte'

const two = (n: number): string => String(n).padStart(2, '0')

export function clock(at: Date, zone: 'utc' | 'local'): string {
  return zone === 'utc'
    ? `${two(at.getUTCHours())}:${two(at.getUTCMinutes())}:${two(at.getUTCSeconds())}`
    : `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`
}

/** `2026-11-23 03:04:05` in UTC; the day is left out where it is today's. */
export function instant(text: string | null, now: number = Date.now()): string {
  if (!text) return '–'
  const at = new Date(text)
  const time = clock(at, 'utc')
  return at.toISOString().slice(0, 10) === new Date(now).toISOString().slice(0, 10) ? time : `${day(text)} ${time}`
}

export const whole = (text: string | null): string =>
  text ? `${day(text)} ${clock(new Date(text), 'utc')} UTC` : '–'

export const day = (text: string): string => new Date(text).toISOString().slice(0, 10)

export function local(text: string): string {
  return new Date(text).toLocaleString(words.lang, { dateStyle: 'medium', timeStyle: 'medium' })
}

export const number = (n: number): string => n.toLocaleString(words.lang)

/** A number that the node counts up to 10,000 and no further. */
export const counted = (n: number): string => (n < 10_000 ? number(n) : `${number(n)}+`)

export function rate(perSecond: number | null): string {
  if (perSecond === null) return '–'
  return perSecond.toLocaleString(words.lang, { maximumFractionDigits: perSecond < 10 ? 1 : 0 })
}

export function span(seconds: number | null): string {
  if (seconds === null) return '–'
  if (seconds < 90) return t('span.s', { n: Math.round(seconds) })
  if (seconds < 5400) return t('span.min', { n: Math.round(seconds / 60) })
  if (seconds < 172_800) return t('span.h', { n: Math.round(seconds / 3600) })
  return t('span.d', { n: Math.round(seconds / 86_400) })
}

export function bytes(n: number): string {
  return n < 1024 ? `${n} B` : `${(n / 1024).toLocaleString(words.lang, { maximumFractionDigits: 1 })} kB`
}

/** The first characters of an identifier: enough to tell rows apart; the whole stands in the title. */
export function short(id: string): string {
  const bare = id.includes('--') ? (id.split('--')[1] ?? id) : id
  return bare.length > 13 ? bare.slice(0, 8) : bare
}
