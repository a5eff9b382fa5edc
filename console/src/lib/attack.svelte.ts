// What ATT&CK calls its techniques, Enterprise and ICS, and under which tactics it puts them (v18.1, © The MITRE Corporation, reproduced with
// permission). Loaded when first needed.

import { boardOf, type Board } from './matrix'

// v19 split the first of these in two: a rule may name any of them.
const EVASION = new Set(['defense-evasion', 'stealth', 'defense-impairment'])

class Names {
  private names: Record<string, string> = $state.raw({})
  private placed: Record<string, string> = $state.raw({})
  private isAsked = false

  load(): void {
    if (this.isAsked) return
    this.isAsked = true
    import('./attack.json').then(
      (loaded) => {
        this.names = loaded.default.names
        this.placed = loaded.default.tactics
      },
      () => (this.isAsked = false),
    )
  }

  /** Techniques of a board under a tactic, without their sub-techniques. */
  all(board: Board, tactic: string): string[] {
    return Object.keys(this.placed).filter((one) => boardOf(one) === board && (this.placed[one] ?? '').split(' ').includes(tactic))
  }

  /** How many techniques and sub-techniques a board has. */
  count(board: Board): number {
    return Object.keys(this.names).filter((one) => boardOf(one) === board).length
  }

  /** The tactics of a board, in the order of `known`. */
  tactics(board: Board, known: string[]): string[] {
    const own = new Set(Object.entries(this.placed).flatMap(([one, under]) => (boardOf(one) === board ? under.split(' ') : [])))
    return known.filter((tactic) => own.has(tactic))
  }

  /** The name, a sub-technique's own; "" where it is not in the table. */
  of(technique: string): string {
    return this.names[technique] ?? this.names[bare(technique)] ?? ''
  }

  /**
   * The tactics of the rules that saw it, less those under which ATT&CK never puts this technique: a rule with several
   * techniques and tactics does not say which goes with which. All of them where that would leave none.
   */
  under(technique: string, seen: string[]): string[] {
    const known = this.placed[bare(technique)]?.split(' ') ?? []
    const isEvasion = known.includes('defense-evasion')
    const fitting = seen.filter((tactic) => known.includes(tactic) || (isEvasion && EVASION.has(tactic)))
    return fitting.length ? fitting : known.length && !seen.length ? known : seen
  }
}

const bare = (technique: string): string => technique.split('.')[0] ?? technique

export const names = new Names()
