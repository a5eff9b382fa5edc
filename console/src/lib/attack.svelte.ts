// What ATT&CK calls its techniques (v18, © The MITRE Corporation, reproduced with permission). Loaded when first needed.

class Names {
  private table: Record<string, string> = $state.raw({})
  private isAsked = false

  load(): void {
    if (this.isAsked) return
    this.isAsked = true
    import('./attack.json').then(
      (loaded) => (this.table = loaded.default),
      () => (this.isAsked = false),
    )
  }

  /** The name, a sub-technique's own; "" where it is not in the table. */
  of(technique: string): string {
    return this.table[technique] ?? this.table[technique.split('.')[0] ?? ''] ?? ''
  }
}

export const names = new Names()
