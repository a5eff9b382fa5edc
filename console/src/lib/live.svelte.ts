// The line on which the node says what changed. It reopens by itself; whoever listens then looks again at everything.
import type { News } from './types'

const WAITS_MS = [500, 1000, 2000, 5000, 10_000]
const SILENCE_MS = 25_000

type Listener = (changed: News['changed']) => void

class LiveLine {
  isUp = $state(false)
  private socket: WebSocket | null = null
  private listeners = new Map<Listener, Set<string>>()
  private nTries = 0
  private timer = 0
  private isWanted = false

  open(): void {
    if (this.isWanted) return
    this.isWanted = true
    this.connect()
  }

  shut(): void {
    this.isWanted = false
    clearTimeout(this.timer)
    this.socket?.close()
    this.socket = null
    this.isUp = false
  }

  /** Call `listener` when one of the topics changed, and after each reconnection; returns what ends it. */
  on(topics: string[], listener: Listener): () => void {
    this.listeners.set(listener, new Set(topics))
    return () => this.listeners.delete(listener)
  }

  private connect(): void {
    const scheme = location.protocol === 'https:' ? 'wss:' : 'ws:'
    const socket = new WebSocket(`${scheme}//${location.host}/api/live`)
    this.socket = socket
    socket.onopen = () => {
      const isAgain = this.nTries > 0
      this.isUp = true
      this.nTries = 0
      this.listen()
      if (isAgain) this.tell(null)
    }
    socket.onmessage = (message: MessageEvent<string>) => {
      this.listen()
      this.tell((JSON.parse(message.data) as News).changed)
    }
    socket.onclose = () => {
      if (this.socket !== socket) return
      this.isUp = false
      clearTimeout(this.timer)
      if (!this.isWanted) return
      const wait = WAITS_MS[Math.min(this.nTries, WAITS_MS.length - 1)] ?? 1000
      this.nTries += 1
      this.timer = setTimeout(() => this.connect(), wait)
    }
  }

  /** A line that is silent for longer than two heartbeats is lost, whatever the socket believes. */
  private listen(): void {
    clearTimeout(this.timer)
    this.timer = setTimeout(() => this.socket?.close(), SILENCE_MS)
  }

  private tell(changed: News['changed'] | null): void {
    for (const [listener, topics] of this.listeners) {
      if (!changed) listener({})
      else if (Object.keys(changed).some((topic) => topics.has(topic))) listener(changed)
    }
  }
}

export const live = new LiveLine()

/** Run `work` at most once in `everyMs`, the last call never lost, never two at a time. */
export function paced(work: () => Promise<void>, everyMs: number): () => void {
  let isBusy = false
  let isWanted = false
  const run = async () => {
    if (isBusy) {
      isWanted = true
      return
    }
    isBusy = true
    isWanted = false
    try {
      await work()
    } catch {
      // Said by the line to the node in the top bar; the next change tries again.
    }
    setTimeout(() => {
      isBusy = false
      if (isWanted) void run()
    }, everyMs)
  }
  return () => void run()
}
