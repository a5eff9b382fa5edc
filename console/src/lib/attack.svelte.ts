// What ATT&CK calls its techniques and under which tactics it puts them (v18, © The MITRE Corporation, reproduced with
// permission). Loaded when first needed.

// v19 split the first of these in two: a rule may name any of them.
const EVASION = new Set(['defense-evasion', 'stealth', 'defense-impairment'])

class Names {
  private names: Record<string, string> = $state.raw({})
  private tactics: Record<string, string> = $state.raw({})
  private isAsked = false

  load(): void {
    if (this.isAsked) return
    this.isAsked = true
    import('./attack.json').then(
      (loaded) => {
        this.names = loaded.default.names
        this.tactics = loaded.default.tactics
      },
      () => (this.isAsked = false),
    )
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
    const known = this.tactics[bare(technique)]?.split(' ') ?? []
    const isEvasion = known.includes('defense-evasion')
    const fitting = seen.filter((tactic) => known.includes(tactic) || (isEvasion && EVASION.has(tactic)))
    return fitting.length ? fitting : known.length && !seen.length ? known : seen
  }
}

const bare = (technique: string): string => technique.split('.')[0] ?? technique

export const names = new Names()
