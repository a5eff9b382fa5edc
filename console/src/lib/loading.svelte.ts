// A value asked of the node: what came, or why nothing came. "Nothing there" and "could not look" stay apart.
import { Refusal } from './api'

export class Asked<T> {
  value: T | null = $state.raw(null)
  refusal: Refusal | null = $state.raw(null)
  isBusy = $state(false)
  private turn = 0

  async ask(call: () => Promise<T>): Promise<void> {
    const turn = ++this.turn
    this.isBusy = true
    try {
      const value = await call()
      if (turn !== this.turn) return
      this.value = value
      this.refusal = null
    } catch (error) {
      if (turn !== this.turn) return
      this.refusal = refusalOf(error)
    } finally {
      if (turn === this.turn) this.isBusy = false
    }
  }
}

export function refusalOf(error: unknown): Refusal {
  return error instanceof Refusal ? error : new Refusal(0, { code: 'AMG-CONSOLE', what: String(error) })
}
