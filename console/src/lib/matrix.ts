// The matrices of ATT&CK as columns, and as a drawing of their own for a file.
import { cut, type Palette } from './mission_map'

export type Board = 'enterprise' | 'ics'

export interface Cell {
  technique: string
  name: string
  n: number
  subs: { technique: string; name: string; n: number }[]
}

export interface Column {
  tactic: string
  cells: Cell[]
}

/** Techniques of industrial control are T0800 to T0999. */
export const boardOf = (technique: string): Board => (technique.startsWith('T0') ? 'ics' : 'enterprise')

/** One to four: how much of the most frequent one, on a scale of powers; 0: never seen. */
export function heat(n: number, most: number): number {
  return n ? Math.min(4, 1 + Math.floor((Math.log(n + 1) / Math.log(most + 1)) * 3.99)) : 0
}

const WIDE = 150
const HIGH = 34
const HEAD = 40
const SHADES = [0, 0.18, 0.38, 0.62, 0.85]

export function draw(columns: Column[], titles: string[], most: number, palette: Palette): SVGSVGElement {
  const rows = Math.max(1, ...columns.map((column) => column.cells.length))
  const [width, height] = [columns.length * WIDE + 8, HEAD + rows * HIGH + 8]
  const svg = make('svg', { viewBox: `0 0 ${width} ${height}`, 'font-family': "system-ui, 'Noto Sans CJK JP', sans-serif" })
  svg.append(make('rect', { width, height, fill: palette.ground }))
  columns.forEach((column, across) => {
    const x = 6 + across * WIDE
    svg.append(label(titles[across] ?? column.tactic, { x, y: 24, 'font-size': 12, 'font-weight': 700, fill: palette.text }, 20))
    column.cells.forEach((cell, down) => {
      const y = HEAD + down * HIGH
      const shade = SHADES[heat(cell.n, most)] ?? 0
      svg.append(make('rect', { x, y, width: WIDE - 6, height: HIGH - 4, rx: 3, fill: palette.fills.degraded, 'fill-opacity': shade, stroke: palette.line }))
      svg.append(label(cell.name || cell.technique, { x: x + 6, y: y + 13, 'font-size': 11, fill: palette.text }, 23))
      svg.append(label(cell.n ? `${cell.technique}  × ${cell.n}` : cell.technique, { x: x + 6, y: y + 26, 'font-size': 10, fill: palette.soft }, 30))
    })
  })
  return svg
}

function make<K extends keyof SVGElementTagNameMap>(tag: K, attributes: Record<string, string | number>): SVGElementTagNameMap[K] {
  const made = document.createElementNS('http://www.w3.org/2000/svg', tag)
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, String(value))
  return made
}

function label(text: string, attributes: Record<string, string | number>, most: number): SVGTextElement {
  const made = make('text', attributes)
  made.textContent = cut(text, most)
  return made
}
