// Why an alert is in its incident, in the reader's language. The node says it in English, in few forms; another form is
// shown as it came.
import { t, word, words, type Key } from './i18n/index.svelte'
import forms from './why.json'

const FORMS = (forms as [string, string][]).map(([pattern, key]) => [new RegExp(pattern, 's'), key as Key] as const)

export function whyHere(sentence: string): string {
  if (words.lang === 'en') return sentence
  for (const [form, key] of FORMS) {
    const found = form.exec(sentence)
    if (found) return t(key, { one: key === 'why.opened.severity' ? word('severity.name', found[1] ?? '') : (found[1] ?? ''), other: found[2] ?? '' })
  }
  return sentence
}
