// Shortcuts: `g` and a letter goes to a page, `j` and `k` walk the rows, `/` searches, `?` shows them all.
import { router } from './router.svelte'

export const GO: Record<string, string> = {
  w: 'watch',
  i: 'incidents',
  f: 'search',
  p: 'campaigns',
  o: 'missions',
  h: 'hunt',
  m: 'attack',
  a: 'allies',
  t: 'agreements',
  c: 'crossings',
  l: 'ledger',
  r: 'release',
  n: 'content',
  s: 'sources',
  e: 'settings',
}
const PATIENCE_MS = 1500

/** Start listening; returns what ends it. Nothing happens while one types. */
export function listen(): () => void {
  let goesUntil = 0
  const onKey = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return
    if (event.timeStamp < goesUntil) {
      goesUntil = 0
      const page = GO[event.key]
      if (page) router.go(`/${page}`)
      return
    }
    if (event.key === 'g') goesUntil = event.timeStamp + PATIENCE_MS
    else if (event.key === '?') router.go('/keys')
    else if (event.key === '/') {
      event.preventDefault() // or the sign stands in the box
      router.go('/search')
    }
    else if (event.key === 'j') walk(1)
    else if (event.key === 'k') walk(-1)
  }
  addEventListener('keydown', onKey)
  return () => removeEventListener('keydown', onKey)
}

function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && target.closest('input, textarea, select, [contenteditable]') !== null
}

function walk(step: number): void {
  const rows = [...document.querySelectorAll<HTMLElement>('[data-row]')]
  const here = rows.indexOf(document.activeElement as HTMLElement)
  const next = here === -1 ? (step > 0 ? 0 : rows.length - 1) : here + step
  rows[next]?.focus()
}
