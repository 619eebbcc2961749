import type { FinishReason } from '@lexora/protocol'
import type { EngineEvent } from './engine.ts'
import type { QueueItem } from './piece-queue.ts'

/** An admitted answer that is being computed. */
export interface AnswerSource {
  promptTokens: number
  cachedTokens: number
  /** The next piece, or the end; `cancelled` at once after the chat's abort. Never rejects. */
  next(): Promise<QueueItem>
  /** Gives the slot back. Called once, however the reading ended. */
  close(): Promise<void>
}

/** Since when the answer is awaited. */
export interface AnswerEventsOptions {
  /** A clock in milliseconds. */
  now(): number
  /** When the chat was asked for, by that clock. */
  askedAtMs: number
}

/** The events of an answer: what every engine does once it has admitted a request. */
export async function* answerEvents(
  source: AnswerSource,
  { now, askedAtMs }: AnswerEventsOptions,
): AsyncGenerator<EngineEvent, void, void> {
  const { promptTokens, cachedTokens } = source
  const acceptedAtMs = now()
  let completionTokens = 0
  let firstAtMs: number | undefined
  let reason: FinishReason | undefined
  try {
    yield { kind: 'accepted', promptTokens, cachedTokens }
    while (reason === undefined) {
      const item = await source.next()
      if (item.kind === 'end') {
        reason = item.reason
      } else {
        firstAtMs ??= now()
        completionTokens += item.piece.ids.length
        yield { kind: 'tokens', ...item.piece }
      }
    }
  } finally {
    await source.close()
  }
  const endedAtMs = now()
  const writingFromMs = firstAtMs ?? endedAtMs
  yield {
    kind: 'finished',
    reason,
    usage: { promptTokens, cachedTokens, completionTokens },
    timings: {
      queueMs: acceptedAtMs - askedAtMs,
      prefillMs: writingFromMs - acceptedAtMs,
      decodeMs: endedAtMs - writingFromMs,
    },
  }
}
