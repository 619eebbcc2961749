import type { ChatRequest, FinishReason } from '@lexora/protocol'
import { answer } from './answer.ts'
import type { AnswerSource } from './answer-events.ts'
import type { FakeAdmitted } from './fake-admission.ts'
import { END_ID, type FakeLanguage } from './fake-language.ts'
import type { FakeSettings } from './fake-settings.ts'
import type { Piece } from './text-decoder.ts'

/** Waits, unless the chat ends meanwhile. */
export async function pause(
  ms: number,
  signal: AbortSignal,
  settings: FakeSettings,
): Promise<void> {
  if (ms === 0 || signal.aborted) return
  try {
    await settings.sleep(ms, signal)
  } catch (error) {
    if (!signal.aborted) throw error
  }
}

/** Hangs until the chat is ended. */
export async function untilAborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return
  await new Promise<void>((resolve) =>
    signal.addEventListener('abort', () => resolve(), { once: true }),
  )
}

/** What playing an answer uses. */
export interface FakePlayComponents {
  language: FakeLanguage
  settings: FakeSettings
  /** Cancels the answer. */
  signal: AbortSignal
  /** Ends the answer: cancelled, or the engine stops. */
  life: AbortSignal
}

/** Plays an answer at its pace and with its fault: pieces, then why it ended. */
async function* play(
  { language, settings, life }: FakePlayComponents,
  request: ChatRequest,
  { prompt, ids, fault }: FakeAdmitted,
): AsyncGenerator<Piece, FinishReason | 'aborted', void> {
  const rules = answer(
    { decode: language.decode, isEnd: (id) => id === END_ID },
    {
      stop: request.stop,
      tokensMax: Math.min(request.maxTokens, settings.contextTokens - prompt.length),
    },
  )
  await pause(settings.prefillDelayMs, life, settings)
  for (const [index, id] of ids.entries()) {
    if (fault?.kind === 'fail' && fault.afterTokens === index) return 'failed'
    if (fault?.kind === 'hang' && fault.afterTokens === index) await untilAborted(life)
    await pause(settings.tokenDelayMs, life, settings)
    if (life.aborted) return 'aborted'
    const { piece, reason } = rules.push(id)
    if (piece !== undefined) yield piece
    if (reason !== undefined) return reason
  }
  return 'failed'
}

/** An admitted answer as the events are read from it. */
export function fakeSource(
  components: FakePlayComponents,
  request: ChatRequest,
  admitted: FakeAdmitted,
): AnswerSource {
  const { life, signal } = components
  const { prompt, slot } = admitted
  const given: number[] = []
  const pieces = play(components, request, admitted)
  return {
    promptTokens: prompt.length,
    cachedTokens: slot.cachedTokens,
    async next() {
      const step = life.aborted ? undefined : await pieces.next()
      if (step === undefined || step.value === 'aborted' || life.aborted) {
        return { kind: 'end', reason: signal.aborted ? 'cancelled' : 'failed' }
      }
      if (step.done === true) return { kind: 'end', reason: step.value }
      given.push(...step.value.ids)
      return { kind: 'piece', piece: step.value }
    },
    close: async () => slot.free([...prompt, ...given]),
  }
}
