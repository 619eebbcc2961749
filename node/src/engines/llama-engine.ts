import { randomInt } from 'node:crypto'
import { type ChatRequest, LexoraError } from '@lexora/protocol'
import type { Token } from 'node-llama-cpp'
import type { Logger } from 'pino'
import { answer } from './answer.ts'
import { type AnswerSource, answerEvents } from './answer-events.ts'
import { chatStream } from './chat-stream.ts'
import type { Engine, EngineEvent, EngineModel } from './engine.ts'
import { drawing } from './llama-drawing.ts'
import { llamaLane } from './llama-lane.ts'
import { type LlamaModelOptions, type LoadedModel, loadLlamaModel } from './llama-model.ts'
import { buildPrompt } from './llama-prompt.ts'
import { SEED_COUNT } from './seed.ts'
import { type StepLoop, stepLoop } from './step-loop.ts'

/** What the engine uses. */
export interface LlamaEngineComponents {
  log: Logger
}

/** One model served in process by llama.cpp. */
export interface LlamaEngineOptions extends LlamaModelOptions {
  /** The id under which requests name the model. */
  modelId: string
}

interface Running {
  loaded: LoadedModel
  loop: StepLoop
  models: EngineModel[]
}

function describe(modelId: string, slots: number, loaded: LoadedModel): EngineModel {
  return {
    id: modelId,
    family: loaded.family,
    fileSha256: loaded.fileSha256,
    quantisation: loaded.quantisation,
    contextTokens: loaded.contextTokens,
    modality: 'text',
    slots,
    ...loaded.speed,
  }
}

interface AdmitComponents extends Running {
  log: Logger
  signal: AbortSignal
}

function busy(): LexoraError {
  return new LexoraError('provider_busy', 'All slots of this model are taken.')
}

/** Takes a slot and builds the lane, all in one go: nothing can come between the look for a slot and its taking. */
function admit(components: AdmitComponents, request: ChatRequest): AnswerSource {
  const { loaded, loop, log, signal } = components
  const { model, slots, contextTokens } = loaded
  // Asked first, so that a busy engine does not spend time on a prompt that it will refuse.
  if (slots.freeCount === 0) throw busy()
  const prompt = buildPrompt(model, loaded.wrapper, request.messages)
  const promptTokens = prompt.tokens.length
  if (promptTokens + 1 > contextTokens) {
    const message = `The conversation is ${promptTokens} tokens long; the model takes ${contextTokens} with its answer.`
    throw new LexoraError('context_length_exceeded', message, {
      facts: { promptTokens, contextTokens },
    })
  }
  const slot = slots.claim(prompt.tokens)
  if (slot === undefined) throw busy()
  const rules = answer(
    {
      decode: (ids, before) => model.detokenize(ids as Token[], false, before as Token[]),
      isEnd: (id) => model.isEogToken(id as Token) || prompt.endIds.has(id as Token),
    },
    {
      stop: [...request.stop, ...prompt.endTexts],
      tokensMax: Math.min(request.maxTokens, contextTokens - promptTokens),
    },
  )
  const { sampling } = request
  const seed = sampling.seed ?? randomInt(SEED_COUNT)
  const lane = llamaLane({
    log,
    drawing: drawing(slot, { prompt: prompt.tokens, sampling, seed }),
    answer: rules,
    signal,
    wake: () => loop.wake(),
    free: (state) => slot.free(state),
  })
  loop.add(lane)
  return {
    promptTokens,
    cachedTokens: slot.cachedTokens,
    next: () => lane.next(),
    close: () => lane.cancel(),
  }
}

/**
 * llama.cpp in this process, through node-llama-cpp: one context with a sequence per slot, stepped together. Slots
 * keep what they computed, and a prompt that begins like an earlier one continues from there.
 */
export function createLlamaEngine(
  { log }: LlamaEngineComponents,
  options: LlamaEngineOptions,
): Engine {
  let running: Running | undefined

  async function* generate(
    request: ChatRequest,
    askedAtMs: number,
    signal: AbortSignal,
  ): AsyncGenerator<EngineEvent, void, void> {
    if (signal.aborted) throw new LexoraError('cancelled', 'The request was cancelled.')
    if (running === undefined) {
      throw new LexoraError('provider_draining', 'The engine does not run.')
    }
    if (request.model !== options.modelId) {
      throw new LexoraError('model_not_found', 'This provider does not serve the model.')
    }
    const now = (): number => performance.now()
    yield* answerEvents(admit({ ...running, log, signal }, request), { now, askedAtMs })
  }

  return {
    name: 'llama',
    models: () => running?.models ?? [],
    chat(request, { signal }) {
      const askedAtMs = performance.now()
      return chatStream(signal, (ended) => generate(request, askedAtMs, ended))
    },
    async start() {
      const loaded = await loadLlamaModel({ log }, options)
      const { promptTokensPerTurn, threads, device, contextTokens, speed } = loaded
      const models = [describe(options.modelId, options.slots, loaded)]
      running = { loaded, loop: stepLoop({ log }, { promptTokensPerTurn }), models }
      log.info(
        { model: options.modelId, slots: options.slots, contextTokens, threads, device, ...speed },
        'model ready',
      )
    },
    async stop() {
      const stopped = running
      running = undefined
      await stopped?.loop.stop()
      await stopped?.loaded.dispose()
    },
  }
}
