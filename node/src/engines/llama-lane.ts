import type { FinishReason } from '@lexora/protocol'
import type { Logger } from 'pino'
import type { Answer } from './answer.ts'
import type { Drawing } from './llama-drawing.ts'
import { pieceQueue, type QueueItem } from './piece-queue.ts'
import type { Lane } from './step-loop.ts'

/** Pieces that may wait for a reader before its answer pauses: enough to bridge a busy event loop, little to waste. */
const PIECES_WAITING_MAX = 32

/** How long a cancelled answer waits for the step under way, so that its slot is free when it says so. */
const CANCEL_GRACE_MS = 50

/** What a lane uses. */
export interface LlamaLaneComponents {
  log: Logger
  drawing: Drawing
  answer: Answer
  /** Ends the reading; belongs to this chat alone. */
  signal: AbortSignal
  /** Tells the loop that the lane became ready or closed. */
  wake(): void
  /** Gives the slot back, once. */
  free(state: 'whole' | 'broken'): void
}

/** One answer of the llama engine: steps for the loop, pieces for the reader. */
export interface LlamaLane extends Lane {
  next(): Promise<QueueItem>
  /**
   * Ends the answer where it is. Resolves when the slot is free, after the step that is under way, but at the latest
   * after 50 ms: with a slow model the step may take longer, and whoever cancelled must not wait for it.
   */
  cancel(): Promise<void>
}

/** Waits for the promise, but no longer than so many milliseconds. */
async function within(ms: number, promise: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const timeout = new Promise<void>((resolve) => (timer = setTimeout(resolve, ms)))
  await Promise.race([promise, timeout])
  clearTimeout(timer)
}

/** A lane that holds its slot until it leaves the loop. */
export function llamaLane(components: LlamaLaneComponents): LlamaLane {
  const { log, drawing, answer, signal, wake, free } = components
  const queue = pieceQueue({ signal, onTaken: wake })
  let outcome: FinishReason | undefined
  let broken = false
  let markLeft: () => void
  const left = new Promise<void>((resolve) => (markLeft = resolve))

  function take(id: number | undefined): void {
    // What is drawn after the answer was ended belongs to nobody.
    if (id === undefined || outcome !== undefined) return
    const { piece, reason } = answer.push(id)
    if (piece !== undefined) queue.push(piece)
    outcome = reason
  }

  return {
    get promptLeft() {
      return drawing.promptLeft
    },
    get ready() {
      return outcome === undefined && queue.length < PIECES_WAITING_MAX
    },
    get closed() {
      return outcome !== undefined
    },
    async step(promptTokens) {
      try {
        take(await drawing.step(promptTokens))
      } catch (error) {
        log.error({ err: error }, 'evaluation failed')
        broken = true
        outcome ??= 'failed'
      }
    },
    fail() {
      outcome ??= 'failed'
    },
    leave() {
      free(broken ? 'broken' : 'whole')
      queue.end(outcome ?? 'failed')
      markLeft()
    },
    next: () => queue.next(),
    async cancel() {
      outcome ??= 'cancelled'
      wake()
      await within(CANCEL_GRACE_MS, left)
    },
  }
}
