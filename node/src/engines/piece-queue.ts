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
  /** The next piece, or the end. */
  next(): Promise<QueueItem>
}

/** What a queue uses. */
export interface PieceQueueComponents {
  /** Belongs to this chat alone. Its abort ends the reading at once as `cancelled`, whatever still waits. */
  signal: AbortSignal
  /** Called after each piece that the reader took. */
  onTaken(): void
}

/** An empty queue. */
export function pieceQueue({ signal, onTaken }: PieceQueueComponents): PieceQueue {
  const pieces: Piece[] = []
  let ended: FinishReason | undefined
  let wakeReader: (() => void) | undefined
  // Once for the chat: listening anew for every token cost a small model several percent of its speed.
  signal.addEventListener('abort', () => wakeReader?.(), { once: true })

  function take(): QueueItem | undefined {
    if (signal.aborted) return { kind: 'end', reason: 'cancelled' }
    const piece = pieces.shift()
    if (piece !== undefined) {
      onTaken()
      return { kind: 'piece', piece }
    }
    return ended === undefined ? undefined : { kind: 'end', reason: ended }
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
    async next() {
      for (;;) {
        const item = take()
        if (item !== undefined) return item
        await new Promise<void>((resolve) => (wakeReader = resolve))
      }
    },
  }
}
