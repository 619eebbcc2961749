import type { Logger } from 'pino'

/** One answer in progress, as the loop sees it. */
export interface Lane {
  /** Prompt tokens that are still to be read; 0 once the answer is being written. */
  readonly promptLeft: number
  /** Whether it may take a step now: not while its reader is behind. */
  readonly ready: boolean
  /** Whether it takes no more steps and can leave. */
  readonly closed: boolean
  /** Reads up to so many prompt tokens, or draws one token. Never rejects. */
  step(promptTokens: number): Promise<void>
  /** Closes the lane because the engine stops. */
  fail(): void
  /** Called once, between two turns, when the lane is closed. */
  leave(): void
}

/** Steps all lanes together, so that one evaluation of the model serves all of them. */
export interface StepLoop {
  add(lane: Lane): void
  /** To be called when a lane became ready or closed. */
  wake(): void
  /** Fails the lanes that are left and resolves after the turn that is under way. */
  stop(): Promise<void>
}

/** What the loop uses. */
export interface StepLoopComponents {
  log: Logger
}

/** Settings of the loop. */
export interface StepLoopOptions {
  /** Most prompt tokens that one turn reads over all lanes: it bounds how long a turn makes the others wait. */
  promptTokensPerTurn: number
}

/**
 * Continuous batching in turns: each turn takes one step of every lane at once, then the next turn begins.
 *
 * The library batches whatever is waiting when it looks, and left alone that goes wrong in two measured ways. Two
 * answers never meet: each queues its next token while the other's is computed, and every batch holds one token. And
 * its context lock is never free while tokens are waiting, so that clearing a slot for a new chat waited 21 seconds,
 * until the other answers were done. In turns neither can happen.
 */
export function stepLoop({ log }: StepLoopComponents, options: StepLoopOptions): StepLoop {
  const lanes = new Set<Lane>()
  let stopping = false
  let signalled = false
  let wakeSleeper: (() => void) | undefined

  function wake(): void {
    signalled = true
    wakeSleeper?.()
  }

  async function sleep(): Promise<void> {
    if (!signalled) await new Promise<void>((resolve) => (wakeSleeper = resolve))
    wakeSleeper = undefined
  }

  function dismissClosed(): void {
    for (const lane of lanes) {
      if (!lane.closed) continue
      lanes.delete(lane)
      lane.leave()
    }
  }

  /** Prompts are read in the order of arrival, so that the first is done first. */
  async function turn(ready: readonly Lane[]): Promise<void> {
    let budget = options.promptTokensPerTurn
    const steps: Promise<void>[] = []
    for (const lane of ready) {
      const share = Math.min(lane.promptLeft, budget)
      if (lane.promptLeft > 0 && share === 0) continue
      budget -= share
      steps.push(lane.step(share))
    }
    await Promise.all(steps)
  }

  async function run(): Promise<void> {
    while (!stopping) {
      signalled = false
      dismissClosed()
      const ready = [...lanes].filter((lane) => lane.ready)
      await (ready.length === 0 ? sleep() : turn(ready))
    }
    for (const lane of lanes) lane.fail()
    dismissClosed()
  }

  const running = run().catch((error: unknown) => {
    // A lane's step must not reject: this is a mistake of ours. End the answers instead of leaving them hanging.
    log.error({ err: error }, 'engine loop broke')
    stopping = true
    for (const lane of lanes) lane.fail()
    dismissClosed()
  })

  return {
    add(lane) {
      if (stopping) {
        lane.fail()
        lane.leave()
        return
      }
      lanes.add(lane)
      wake()
    },
    wake,
    async stop() {
      stopping = true
      wake()
      await running
    },
  }
}
