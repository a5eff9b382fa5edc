// Where the nodes of an incident's graph stand: three columns, who, where and what.
import dagre from '@dagrejs/dagre'
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

/**
 * Laid out by dagre: each column is a rank, held there by a root before and a sink behind all nodes, and dagre orders
 * the nodes of a rank so that lines cross little. Lines within a column do not take part.
 */
export function place(graph: IncidentGraph): { nodes: Placed[]; lines: Line[]; height: number } {
  const map = new dagre.graphlib.Graph()
  map.setGraph({ rankdir: 'LR', nodesep: 8, ranksep: 40, marginx: 0, marginy: 0 })
  map.setDefaultEdgeLabel(() => ({}))
  const columns = new Map(graph.nodes.map((node) => [node.id, COLUMNS[node.kind] ?? 2]))
  for (const end of ['<', '>']) map.setNode(end, { width: 1, height: 1 })
  for (const node of graph.nodes) {
    const column = columns.get(node.id) ?? 2
    map.setNode(`n${node.id}`, { width: BOX, height: ROW - 8 })
    map.setEdge('<', `n${node.id}`, { minlen: column + 1, weight: 0 })
    map.setEdge(`n${node.id}`, '>', { minlen: 3 - column, weight: 0 })
  }
  for (const edge of graph.edges) {
    const [source, target] = [columns.get(edge.source), columns.get(edge.target)]
    if (source === undefined || target === undefined || source === target) continue
    const [left, right] = source < target ? [edge.source, edge.target] : [edge.target, edge.source]
    map.setEdge(`n${left}`, `n${right}`, { minlen: Math.abs(target - source), weight: 2 })
  }
  if (graph.nodes.length) dagre.layout(map)
  const placed = new Map<string, Placed>()
  for (const column of [0, 1, 2]) {
    const own = graph.nodes
      .filter((node) => columns.get(node.id) === column)
      .map((node) => ({ node, y: map.node(`n${node.id}`).y ?? 0 }))
      .sort((one, other) => one.y - other.y)
    own.forEach(({ node }, row) => placed.set(node.id, { ...node, column, x: (column * (WIDTH - BOX)) / 2, y: row * ROW }))
  }
  const rows = Math.max(1, ...[0, 1, 2].map((column) => [...placed.values()].filter((node) => node.column === column).length))
  for (const node of placed.values()) {
    const own = [...placed.values()].filter((other) => other.column === node.column).length
    node.y += TOP + ((rows - own) * ROW) / 2
  }
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
