// Two flat dictionaries with the same keys; only the one in use is loaded.
import type { Lang } from '../types'
import type en from './en.json'

export type Key = keyof typeof en

class Words {
  lang: Lang = $state('en')
  private table: Record<string, string> = $state.raw({})

  async use(lang: Lang): Promise<void> {
    const loaded = lang === 'ja' ? await import('./ja.json') : await import('./en.json')
    this.table = loaded.default
    this.lang = lang
    document.documentElement.lang = lang
  }

  has(key: string): boolean {
    return key in this.table
  }

  say(key: string, values: Record<string, string | number> = {}): string {
    const sentence = this.table[key] ?? key
    return sentence.replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole))
  }
}

export const words = new Words()

/** The sentence of a key in the language in use. */
export const t = (key: Key, values?: Record<string, string | number>): string => words.say(key, values)

/** The word for a value which the node sent (`severity.4`), or the value itself where there is none. */
export const word = (group: string, value: string | number): string =>
  words.has(`${group}.${value}`) ? words.say(`${group}.${value}`) : String(value)
