import type { FinishReason } from '@lexora/protocol'
import type { Piece } from './text-decoder.ts'

/** What a reader gets: pieces, then one end. */
export type QueueItem = { kind: 'piece'; piece: Piece } | { kind: 'end'; reason: FinishReason }

/** Carries pieces from the loop that computes them to the one reader of the answer. */
export interface PieceQueue {
  /** Pieces that wait for the reader. The writer pauses while there are many; it is not forced to. */
  readonly length: number
  push(piece: Piece): void
  /** No more pieces. The first reason stays. */
  end(reason: FinishReason): void
  /** The next piece, or the end. An abort ends it at once as `cancelled`, whatever still waits. */
  next(signal: AbortSignal): Promise<QueueItem>
}

/** An empty queue. `onTaken` is called after each piece that the reader took. */
export function pieceQueue(onTaken: () => void): PieceQueue {
  const pieces: Piece[] = []
  let ended: FinishReason | undefined
  let wakeReader: (() => void) | undefined

  function take(signal: AbortSignal): QueueItem | undefined {
    if (signal.aborted) return { kind: 'end', reason: 'cancelled' }
    const piece = pieces.shift()
    if (piece !== undefined) {
      onTaken()
      return { kind: 'piece', piece }
    }
    return ended === undefined ? undefined : { kind: 'end', reason: ended }
  }

  async function waitForChange(signal: AbortSignal): Promise<void> {
    await new Promise<void>((resolve) => {
      wakeReader = resolve
      signal.addEventListener('abort', wakeOnAbort, { once: true })
    })
    signal.removeEventListener('abort', wakeOnAbort)
  }

  function wakeOnAbort(): void {
    wakeReader?.()
  }

  return {
    get length() {
      return pieces.length
    },
    push(piece) {
      pieces.push(piece)
      wakeReader?.()
    },
    end(reason) {
      ended ??= reason
      wakeReader?.()
    },
    async next(signal) {
      for (;;) {
        const item = take(signal)
        if (item !== undefined) return item
        await waitForChange(signal)
      }
    },
  }
}
