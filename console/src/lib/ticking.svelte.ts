// One clock for the page, moved once a second.
import { session } from './session.svelte'

class Ticking {
  nowMs = $state(Date.now())

  constructor() {
    setInterval(() => {
      this.nowMs = Date.now() + session.offsetMs
    }, 1000)
  }
}

export const ticking = new Ticking()
