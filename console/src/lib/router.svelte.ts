// Pages live behind the #: the one-time link's token and identifiers never reach the node's access log.

class Router {
  parts: string[] = $state([])

  constructor() {
    this.read()
    addEventListener('hashchange', () => this.read())
  }

  get page(): string {
    return this.parts[0] || 'watch'
  }

  get id(): string {
    return this.parts[1] ?? ''
  }

  go(path: string): void {
    location.hash = path
  }

  /** Change the address without a step in the history: for tokens that must not stay there. */
  swap(path: string): void {
    history.replaceState(null, '', path)
    this.read()
  }

  private read(): void {
    this.parts = location.hash
      .replace(/^#\/?/, '')
      .split('/')
      .map((part) => safely(part))
  }
}

function safely(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    return part
  }
}

export const router = new Router()
