// Spans of time in lanes: an incident by tactic, a campaign by party. What would overlap goes on a line of its own.
import { clock } from './format'

export const WIDTH = 1000
export const HEAD = 26
export const LINE = 24
const LEFT = 170
const RIGHT = 16
const LEAST = 8
const LETTER = 6.6
const MOST_LINES = 12

export interface Bar {
  id: string
  lane: string
  from: string
  to: string
  severity: number
  label: string
  href?: string
}

export interface PlacedBar extends Bar {
  x: number
  y: number
  width: number
  isLabelLeft: boolean
}

export interface Lanes {
  height: number
  lanes: { key: string; y: number; height: number; nLeftOut: number }[]
  bars: PlacedBar[]
  ticks: { x: number; text: string }[]
}

const STEPS_S = [1, 5, 15, 30, 60, 300, 900, 1800, 3600, 10_800, 21_600, 43_200, 86_400, 172_800, 604_800, 2_592_000, 7_776_000, 31_536_000]

/** Lanes in the order of `keys`; bars of a lane that find no room in twelve lines are counted, not drawn. */
export function lay(keys: string[], bars: Bar[]): Lanes {
  const instants = bars.flatMap((bar) => [Date.parse(bar.from), Date.parse(bar.to)])
  const start = Math.min(...instants)
  const span = Math.max(Math.max(...instants) - start, 1000)
  const room = WIDTH - LEFT - RIGHT
  const at = (instant: number): number => LEFT + ((instant - start) / span) * room
  const lanes: Lanes['lanes'] = []
  const placed: PlacedBar[] = []
  let y = HEAD
  for (const key of keys) {
    const ends: number[] = []
    let nLeftOut = 0
    const own = bars.filter((bar) => bar.lane === key).sort((one, other) => one.from.localeCompare(other.from))
    for (const bar of own) {
      const x = at(Date.parse(bar.from))
      const width = Math.max(at(Date.parse(bar.to)) - x, LEAST)
      const letters = bar.label.length * LETTER + 8
      const isLabelLeft = x + width + letters > WIDTH - RIGHT
      const from = isLabelLeft ? x - letters : x
      const to = isLabelLeft ? x + width : x + width + letters
      const free = ends.findIndex((end) => end < from)
      const line = free < 0 ? ends.length : free
      if (line >= MOST_LINES) nLeftOut += 1
      else {
        ends[line] = to
        placed.push({ ...bar, x, y: y + line * LINE + 4, width, isLabelLeft })
      }
    }
    const height = Math.max(1, ends.length) * LINE + 8
    lanes.push({ key, y, height, nLeftOut })
    y += height
  }
  return { height: y + 4, lanes, bars: placed, ticks: ticks(start, span, at) }
}

function ticks(start: number, span: number, at: (instant: number) => number): Lanes['ticks'] {
  const step = (STEPS_S.find((seconds) => span / 1000 / seconds <= 6) ?? 31_536_000) * 1000
  const found: Lanes['ticks'] = []
  for (let instant = Math.ceil(start / step) * step; instant <= start + span; instant += step) {
    const when = new Date(instant)
    found.push({ x: at(instant), text: step >= 86_400_000 ? when.toISOString().slice(0, 10) : `${when.toISOString().slice(5, 10)} ${clock(when, 'utc').slice(0, step < 60_000 ? 8 : 5)}` })
  }
  return found
}
