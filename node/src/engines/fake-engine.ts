import { type ChatRequest, LexoraError } from '@lexora/protocol'
import { answerEvents } from './answer-events.ts'
import { chatStream } from './chat-stream.ts'
import type { Engine, EngineEvent, EngineModel } from './engine.ts'
import { admitFake } from './fake-admission.ts'
import { fakeLanguage } from './fake-language.ts'
import { fakeSource, pause, untilAborted } from './fake-play.ts'
import {
  type FakeEngineComponents,
  type FakeEngineOptions,
  fakeModel,
  fakeSettings,
} from './fake-settings.ts'
import { fakeSlots } from './fake-slots.ts'

/**
 * A model without a model: words that depend only on the conversation and the seed, at a pace and with the faults
 * that a test, a simulation or a benchmark asks for. Keeps every rule of {@link Engine}.
 */
export function createFakeEngine(
  components: FakeEngineComponents = {},
  options: FakeEngineOptions = {},
): Engine {
  const settings = fakeSettings(components, options)
  const language = fakeLanguage()
  const slots = fakeSlots(settings.slots)
  const chats = new Set<AbortController>()
  let models: EngineModel[] = []

  async function* converse(
    request: ChatRequest,
    signal: AbortSignal,
    life: AbortSignal,
  ): AsyncGenerator<EngineEvent, void, void> {
    const askedAtMs = settings.now()
    const admitted = admitFake({ language, slots }, request, settings)
    try {
      await pause(settings.acceptDelayMs, life, settings)
      if (admitted.fault?.kind === 'never-accept') await untilAborted(life)
      if (signal.aborted) throw new LexoraError('cancelled', 'The request was cancelled.')
      if (life.aborted) throw new LexoraError('provider_draining', 'The engine does not run.')
    } catch (error) {
      admitted.slot.free([])
      throw error
    }
    const source = fakeSource({ language, settings, signal, life }, request, admitted)
    yield* answerEvents(source, { now: settings.now, askedAtMs })
  }

  async function* generate(
    request: ChatRequest,
    signal: AbortSignal,
  ): AsyncGenerator<EngineEvent, void, void> {
    if (signal.aborted) throw new LexoraError('cancelled', 'The request was cancelled.')
    if (models.length === 0) throw new LexoraError('provider_draining', 'The engine does not run.')
    const life = new AbortController()
    const end = (): void => life.abort()
    signal.addEventListener('abort', end, { once: true })
    chats.add(life)
    try {
      yield* converse(request, signal, life.signal)
    } finally {
      chats.delete(life)
      signal.removeEventListener('abort', end)
    }
  }

  return {
    name: 'fake',
    models: () => models,
    chat: (request, { signal }) => chatStream(signal, (ended) => generate(request, ended)),
    async start() {
      models = [fakeModel(settings)]
    },
    async stop() {
      models = []
      for (const chat of chats) chat.abort()
    },
  }
}
