// A list that grows at its head while one reads it, and is paged at its end.
import type { Refusal } from './api'
import { refusalOf } from './loading.svelte'

export interface Part<T> {
  rows: T[]
  next: string | null
}

export class Listing<T extends { id: string | number }> {
  rows: T[] = $state.raw([])
  next: string | null = $state(null)
  refusal: Refusal | null = $state.raw(null)
  isLoaded = $state(false)
  /** Rows that came while the list was frozen. */
  nNew = $state(0)
  /** Held by its button, by the pointer, by the focus: any of them freezes the list. */
  isHeld = $state(false)
  isOver = $state(false)
  isFocused = $state(false)
  private held: Part<T> | null = null
  private turn = 0
  private latest: Promise<void> = Promise.resolve()

  constructor(private readonly page: (before: string | null) => Promise<Part<T>>) {}

  get isFrozen(): boolean {
    return this.isHeld || this.isOver || this.isFocused
  }

  /** Look at the newest page; while frozen it is only counted. Overtaken by another look, it is done when that one is. */
  refresh(): Promise<void> {
    return (this.latest = this.look())
  }

  private async look(): Promise<void> {
    const turn = ++this.turn
    try {
      const head = await this.page(null)
      if (turn !== this.turn) return this.latest
      this.refusal = null
      if (this.isFrozen && this.isLoaded) this.hold(head)
      else this.show(head)
    } catch (error) {
      if (turn === this.turn) this.refusal = refusalOf(error)
    }
  }

  async more(): Promise<void> {
    if (!this.next) return
    try {
      const part = await this.page(this.next)
      const known = new Set(this.rows.map((row) => row.id))
      this.rows = [...this.rows, ...part.rows.filter((row) => !known.has(row.id))]
      this.next = part.next
    } catch (error) {
      this.refusal = refusalOf(error)
    }
  }

  /** Show what was held back. */
  thaw(): void {
    if (this.held) this.show(this.held)
  }

  /** Take a row away which is done with, frozen or not. */
  drop(id: T['id']): void {
    this.rows = this.rows.filter((row) => row.id !== id)
    if (this.held) this.held = { ...this.held, rows: this.held.rows.filter((row) => row.id !== id) }
  }

  /** Forget everything, for another filter. */
  async restart(): Promise<void> {
    this.rows = []
    this.isLoaded = false
    this.held = null
    this.nNew = 0
    await this.refresh()
  }

  private hold(head: Part<T>): void {
    this.held = head
    const known = new Set(this.rows.map((row) => row.id))
    this.nNew = head.rows.filter((row) => !known.has(row.id)).length
  }

  private show(head: Part<T>): void {
    const fresh = new Set(head.rows.map((row) => row.id))
    const older = this.rows.filter((row) => !fresh.has(row.id))
    const isJoined = older.length < this.rows.length || this.rows.length === 0
    const isPaged = isJoined && this.rows.length > head.rows.length
    this.rows = isPaged ? [...head.rows, ...older] : head.rows
    if (!isPaged) this.next = head.next
    this.held = null
    this.nNew = 0
    this.isLoaded = true
  }
}
