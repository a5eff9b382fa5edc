// What the queue says of a row, and which rows somebody asks for.
import { number } from './format'
import { t } from './i18n/index.svelte'
import type { QueueAnswer, Queued } from './types'

/** Rows asked for at once; the node gives 500 at most. */
export const STRETCH = 200
/** Incidents that one hand-over holds, as the node knows it (workforce/handover.py). */
export const MOST_GIVEN = 200

export const WHOSE = ['all', 'mine', 'nobodys', 'held'] as const
export type Whose = (typeof WHOSE)[number]

export function ofWhom(row: Queued, whose: Whose, me: string): boolean {
  if (whose === 'mine') return row.incident.owner === me
  if (whose === 'nobodys') return !row.incident.owner
  return whose === 'all' || row.fate !== 'read'
}

/** Why it is read in this shift or held back: the node's reason in the language in use. */
export function whyHeld(row: Queued, budget: QueueAnswer['budget']): string {
  const figures = { left: number(budget.n_left), budget: number(budget.n_per_shift), score: number(row.score) }
  if (row.fate === 'read') return t('queue.why.read', figures)
  return t(row.fate === 'offered' ? 'queue.why.offered' : 'queue.why.deferred', figures)
}
