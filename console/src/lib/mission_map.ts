// The mission graph laid out from left (what is attacked) to right (what is at stake), and drawn with plain attributes
// alone, so that the picture can be kept as a file.
import dagre from '@dagrejs/dagre'
import type { MapEdge, MapNode, MissionGraph, Span } from './types'

export const WIDE = 196
export const HIGH = 52

export interface Placed {
  node: MapNode
  x: number
  y: number
}

export interface Line {
  edge: MapEdge
  path: string
  x: number
  y: number
}

export interface Shape {
  width: number
  height: number
  nodes: Placed[]
  lines: Line[]
}

/** Four bands, each with a sign and a dash of its own: colour is never all there is. */
export type Band = 'full' | 'impaired' | 'degraded' | 'lost'
export const SIGNS: Record<Band, string> = { full: '●', impaired: '▲', degraded: '◆', lost: '■' }
export const DASHES: Record<Band, string> = { full: '', impaired: '7 3', degraded: '4 3', lost: '2 2' }

export const bandOf = (operability: number): Band =>
  operability >= 90 ? 'full' : operability >= 60 ? 'impaired' : operability >= 30 ? 'degraded' : 'lost'

export interface Palette {
  ground: string
  text: string
  soft: string
  line: string
  way: string
  fills: Record<Band, string>
  strokes: Record<Band, string>
}

export const LIGHT: Palette = {
  ground: '#ffffff',
  text: '#16202b',
  soft: '#4d5b69',
  line: '#b3bec9',
  way: '#b3123f',
  fills: { full: '#e4f1ea', impaired: '#fff4de', degraded: '#fde3d2', lost: '#f9d7de' },
  strokes: { full: '#1b6b3a', impaired: '#8a5300', degraded: '#b9430b', lost: '#b3123f' },
}
export const DARK: Palette = {
  ground: '#151d26',
  text: '#e3e9ef',
  soft: '#9fadbb',
  line: '#435364',
  way: '#ff7d9c',
  fills: { full: '#14302a', impaired: '#30260f', degraded: '#3a2415', lost: '#3b1722' },
  strokes: { full: '#6fcf97', impaired: '#f0b454', degraded: '#ff9a5c', lost: '#ff7d9c' },
}

export function lay(graph: MissionGraph): Shape {
  const map = new dagre.graphlib.Graph()
  map.setGraph({ rankdir: 'LR', nodesep: 14, ranksep: 70, marginx: 12, marginy: 12 })
  map.setDefaultEdgeLabel(() => ({}))
  for (const node of graph.nodes) map.setNode(node.name, { width: WIDE, height: HIGH })
  for (const edge of graph.edges) map.setEdge(edge.feeder, edge.receiver)
  dagre.layout(map)
  const size = map.graph()
  return {
    width: Math.max(size.width ?? 0, WIDE + 24),
    height: Math.max(size.height ?? 0, HIGH + 24),
    nodes: graph.nodes.map((node) => {
      const at = map.node(node.name)
      return { node, x: (at.x ?? 0) - WIDE / 2, y: (at.y ?? 0) - HIGH / 2 }
    }),
    lines: graph.edges.map((edge) => {
      const points: { x: number; y: number }[] = map.edge(edge.feeder, edge.receiver)?.points ?? []
      const middle = points[Math.floor(points.length / 2)] ?? { x: 0, y: 0 }
      return { edge, path: smooth(points), x: middle.x, y: middle.y }
    }),
  }
}

/** A curve through the middles of the stretches between these points. */
function smooth(points: { x: number; y: number }[]): string {
  const [first, ...rest] = points
  if (!first) return ''
  let path = `M${first.x} ${first.y}`
  for (let at = 0; at < rest.length - 1; at++) {
    const here = rest[at]!
    const next = rest[at + 1]!
    path += `Q${here.x} ${here.y} ${(here.x + next.x) / 2} ${(here.y + next.y) / 2}`
  }
  const last = rest.at(-1)
  return last ? `${path}L${last.x} ${last.y}` : path
}

export const figure = (value: number): string => String(Math.round(value * 10) / 10)

/** `44`, or `44 (35–71)` where it is not sure. */
export const spanText = (span: Span): string =>
  span.worst === span.best ? figure(span.likely) : `${figure(span.likely)} (${figure(span.worst)}–${figure(span.best)})`

export const cut = (text: string, most: number): string => (text.length > most ? `${text.slice(0, most - 1)}…` : text)
