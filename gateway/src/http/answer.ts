import { LexoraError } from '@lexora/protocol'
import type { ChatEvent } from './backend.ts'

type EventOf<Kind extends ChatEvent['kind']> = Extract<ChatEvent, { kind: Kind }>

/** Where one answer goes. Exactly one of `finished` and `failed` is called, and nothing after it. */
export interface AnswerSink {
  accepted(event: EventOf<'accepted'>): void
  tokens(event: EventOf<'tokens'>): void
  finished(event: EventOf<'finished'>): void
  failed(error: unknown): void
}

/**
 * Reads the events of one answer into a sink. Success is a `finished` event that says so, and nothing else: an end
 * without it is a failure. Reads to the end, so that the backend can settle after `finished`; throws what it throws
 * then.
 */
export async function deliver(
  start: () => AsyncIterable<ChatEvent>,
  sink: AnswerSink,
): Promise<void> {
  let settled = false
  try {
    for await (const event of start()) {
      if (!settled) settled = hand(event, sink)
    }
    if (!settled) throw new LexoraError('internal', 'the backend ended an answer without a result')
  } catch (error) {
    if (settled) throw error
    sink.failed(error)
  }
}

/** Hands one event on and says whether it was the last. */
function hand(event: ChatEvent, sink: AnswerSink): boolean {
  switch (event.kind) {
    case 'accepted':
      sink.accepted(event)
      return false
    case 'tokens':
      sink.tokens(event)
      return false
    case 'finished':
      handEnd(event, sink)
      return true
  }
}

function handEnd(event: EventOf<'finished'>, sink: AnswerSink): void {
  switch (event.reason) {
    case 'stop':
    case 'length':
      sink.finished(event)
      return
    case 'failed':
      sink.failed(
        new LexoraError('provider_fault', 'The provider failed while it wrote the answer.'),
      )
      return
    case 'cancelled':
      sink.failed(new LexoraError('cancelled', 'The request was cancelled.'))
      return
  }
}
