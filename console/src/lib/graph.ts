// Where the nodes of an incident's graph stand: three columns, each sorted so that lines cross little.
import type { GraphEdge, GraphNode, IncidentGraph } from './types'

export const WIDTH = 960
export const ROW = 34
export const TOP = 34
export const BOX = 250

const COLUMNS: Record<string, number> = {
  'source-address': 0,
  user: 0,
  host: 1,
  'destination-address': 1,
  process: 2,
  file: 2,
  domain: 2,
}

export interface Placed extends GraphNode {
  x: number
  y: number
  column: number
}

export interface Line extends GraphEdge {
  path: string
  from: Placed
  to: Placed
}

/** Sweeps of barycentres over the columns (Sugiyama's second step), six of them: enough for sixty nodes. */
export function place(graph: IncidentGraph): { nodes: Placed[]; lines: Line[]; height: number } {
  const columns: GraphNode[][] = [[], [], []]
  for (const node of graph.nodes) columns[COLUMNS[node.kind] ?? 2]?.push(node)
  const rank = new Map<string, number>()
  const note = () => columns.forEach((column) => column.forEach((node, row) => rank.set(node.id, row)))
  note()
  const near = new Map<string, string[]>()
  for (const edge of graph.edges) {
    near.set(edge.source, [...(near.get(edge.source) ?? []), edge.target])
    near.set(edge.target, [...(near.get(edge.target) ?? []), edge.source])
  }
  const centre = (id: string): number => {
    const others = near.get(id) ?? []
    return others.length ? others.reduce((sum, other) => sum + (rank.get(other) ?? 0), 0) / others.length : 1e6
  }
  for (let sweep = 0; sweep < 6; sweep++) {
    for (const column of sweep % 2 ? [...columns].reverse() : columns) {
      const weights = new Map(column.map((node) => [node.id, centre(node.id)]))
      column.sort((one, other) => (weights.get(one.id) ?? 0) - (weights.get(other.id) ?? 0) || one.id.localeCompare(other.id))
      note()
    }
  }
  const rows = Math.max(1, ...columns.map((column) => column.length))
  const placed = new Map<string, Placed>()
  columns.forEach((column, index) => {
    const gap = ((rows - column.length) * ROW) / 2
    column.forEach((node, row) => {
      placed.set(node.id, { ...node, column: index, x: (index * (WIDTH - BOX)) / 2, y: TOP + gap + row * ROW })
    })
  })
  const lines: Line[] = []
  for (const edge of graph.edges) {
    const from = placed.get(edge.source)
    const to = placed.get(edge.target)
    if (from && to) lines.push({ ...edge, from, to, path: curve(from, to) })
  }
  return { nodes: [...placed.values()], lines, height: TOP + rows * ROW + 6 }
}

function curve(from: Placed, to: Placed): string {
  const [left, right] = from.x <= to.x ? [from, to] : [to, from]
  const middle = ROW / 2 - 4
  if (left.column === right.column) {
    const x = left.x + BOX
    return `M${x},${left.y + middle} C${x + 60},${left.y + middle} ${x + 60},${right.y + middle} ${x},${right.y + middle}`
  }
  const start = left.x + BOX
  const bend = (right.x - start) / 2
  return `M${start},${left.y + middle} C${start + bend},${left.y + middle} ${right.x - bend},${right.y + middle} ${right.x},${right.y + middle}`
}
