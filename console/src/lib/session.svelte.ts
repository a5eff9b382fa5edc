// Who is signed in, in which language, on what ground, and how the node stands.
import { get, post, remove, whenSignedOut } from './api'
import { words } from './i18n/index.svelte'
import { live, paced } from './live.svelte'
import type { Act, Greeting, Lang, Me, Status } from './types'

const STATUS_EVERY_MS = 5000
const STATUS_PACE_MS = 1000

type Theme = 'auto' | 'light' | 'dark'

class Session {
  me: Me | null = $state(null)
  isReady = $state(false)
  isOver = $state(false)
  status: Status | null = $state.raw(null)
  /** The node's clock minus this machine's, so that ages are right on a machine whose clock is not. */
  offsetMs = $state(0)
  theme: Theme = $state('auto')

  async start(): Promise<void> {
    this.setTheme(kept('theme', ['auto', 'light', 'dark'], 'auto'))
    whenSignedOut(() => this.drop(true))
    let greeting: Greeting | null = null
    try {
      greeting = await get<Greeting>('/api/session')
    } catch {
      // The node is away: the sign-in page says so when it is tried.
    }
    const chosen = kept<Lang | ''>('lang', ['en', 'ja', ''], '')
    await words.use(chosen || greeting?.me?.lang || greeting?.lang || 'en')
    if (greeting?.me) this.enter(greeting.me)
    this.isReady = true
  }

  enter(me: Me): void {
    this.me = me
    this.isOver = false
    if (me.is_first) return
    if (!kept('lang', ['en', 'ja', ''], '')) void words.use(me.lang)
    live.open()
    void this.refresh()
  }

  async leave(): Promise<void> {
    await remove('/api/session')
    this.drop(false)
  }

  may(act: Act): boolean {
    return this.me?.may.includes(act) ?? false
  }

  async refresh(): Promise<void> {
    if (!this.me || this.me.is_first) return
    const status = await get<Status>('/api/status')
    this.offsetMs = Date.parse(status.now_at) - Date.now()
    this.status = status
  }

  /** Look again every few seconds while somebody looks, and after what matters; returns what ends it. */
  watch(): () => void {
    const look = () => {
      if (document.visibilityState === 'visible') this.refresh().catch(() => {})
    }
    const timer = setInterval(look, STATUS_EVERY_MS)
    const soon = paced(() => this.refresh(), STATUS_PACE_MS)
    const end = live.on(['crossing', 'incident', 'content', 'agreement', 'source'], () => {
      if (document.visibilityState === 'visible') soon()
    })
    return () => {
      clearInterval(timer)
      end()
    }
  }

  async speak(lang: Lang): Promise<void> {
    keep('lang', lang)
    await words.use(lang)
    if (this.me && !this.me.is_first && this.me.lang !== lang) {
      this.me.lang = lang
      await post('/api/me/language', { lang })
    }
  }

  setTheme(theme: Theme): void {
    this.theme = theme
    keep('theme', theme)
    if (theme === 'auto') delete document.documentElement.dataset.theme
    else document.documentElement.dataset.theme = theme
  }

  private drop(isOver: boolean): void {
    this.isOver = isOver && (this.isOver || this.me !== null) // several requests of a page are refused at once
    this.me = null
    this.status = null
    live.shut()
  }
}

function kept<T extends string>(name: string, allowed: T[], otherwise: T): T {
  try {
    const value = localStorage.getItem(`amagasa.${name}`)
    return allowed.find((one) => one === value) ?? otherwise
  } catch {
    return otherwise
  }
}

function keep(name: string, value: string): void {
  try {
    localStorage.setItem(`amagasa.${name}`, value)
  } catch {
    // Storage is switched off: the choice holds for this visit.
  }
}

export const session = new Session()
