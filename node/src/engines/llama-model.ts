import { LexoraError } from '@lexora/protocol'
import type { ChatWrapper, Llama, LlamaContext, LlamaModel } from 'node-llama-cpp'
import type { Logger } from 'pino'
import { measureSpeed, measureThreads, promptTokensPerTurn, type Speed } from './llama-probe.ts'
import { llamaSlots, type Slots } from './llama-slots.ts'
import { checkModelFile, sha256OfFile } from './model-file.ts'

/** Most prompt tokens in one evaluation. A processor gains nothing beyond this and its scratch memory grows with it. */
const PROMPT_TOKENS_CPU = 128
const PROMPT_TOKENS_GPU = 512

/** Context of a slot where none is asked for: more than most chats, little enough for the memory of several slots. */
const CONTEXT_TOKENS_DEFAULT = 8_192

/** What the loading uses. */
export interface LlamaModelComponents {
  log: Logger
}

/** Which model to load and how. */
export interface LlamaModelOptions {
  /** A GGUF file. */
  modelPath: string
  slots: number
  /** Default: what the model was trained for, at most 8,192. */
  contextTokensPerSlot?: number
  /** `auto` takes the best device there is, `false` the processor. Default `auto`. */
  gpu?: 'auto' | false
  /** Threads on the processor. Default `measure`. */
  threads?: number | 'measure'
}

/** A model in memory, ready to answer. */
export interface LoadedModel {
  model: LlamaModel
  wrapper: ChatWrapper
  slots: Slots
  family: string
  fileSha256: string
  quantisation: string
  contextTokens: number
  threads: number
  device: string
  speed: Speed
  promptTokensPerTurn: number
  dispose(): Promise<void>
}

type Library = typeof import('node-llama-cpp')

/** The binding's messages go to our log: they say what it is loading and what is wrong, never what is asked. */
async function openBinding(library: Library, gpu: 'auto' | false, log: Logger): Promise<Llama> {
  const { LlamaLogLevel } = library
  return await library.getLlama({
    gpu,
    build: 'never',
    skipDownload: true,
    progressLogs: false,
    maxThreads: 0,
    logLevel: LlamaLogLevel.warn,
    logger(level, message) {
      const serious = level === LlamaLogLevel.fatal || level === LlamaLogLevel.error
      log[serious ? 'error' : 'debug']({ said: message.trim() }, 'llama.cpp reported')
    },
  })
}

function quantisationOf(library: Library, model: LlamaModel): string {
  const type = model.fileInfo.metadata.general.file_type
  const name = type === undefined ? undefined : library.GgufFileType[type]
  return name?.replace(/^(ALL|MOSTLY)_/, '') ?? 'unknown'
}

interface Opened {
  library: Library
  llama: Llama
  model: LlamaModel
}

async function buildContext(
  { llama, model }: Opened,
  options: LlamaModelOptions,
): Promise<{
  context: LlamaContext
  contextTokens: number
  threads: number
  promptTokensMax: number
}> {
  const onCpu = llama.gpu === false
  // On a processor flash attention made a long chat three times slower, reading it up to ten times, and its result
  // depended on how the prompt was cut into batches.
  const flashAttention = onCpu ? false : 'auto'
  const { threads: asked = 'measure' } = options
  const threads = asked === 'measure' ? await measureThreads(model, flashAttention) : asked
  const promptTokensMax = onCpu ? PROMPT_TOKENS_CPU : PROMPT_TOKENS_GPU
  const wanted = options.contextTokensPerSlot ?? CONTEXT_TOKENS_DEFAULT
  const context = await model.createContext({
    sequences: options.slots,
    contextSize: Math.min(wanted, model.trainContextSize),
    // Room for one turn: a share of prompts and a token of every other slot, in one evaluation.
    batchSize: promptTokensMax + options.slots,
    threads,
    flashAttention,
  })
  const contextTokens = Math.min(wanted, model.trainContextSize, context.contextSize)
  return { context, contextTokens, threads, promptTokensMax }
}

async function prepare(
  opened: Opened,
  options: LlamaModelOptions,
): Promise<Omit<LoadedModel, 'fileSha256'>> {
  const { library, llama, model } = opened
  const { context, contextTokens, threads, promptTokensMax } = await buildContext(opened, options)
  const first = context.getSequence()
  const speed = await measureSpeed(first, Math.min(promptTokensMax, contextTokens - 1))
  await first.dispose()
  return {
    model,
    wrapper: library.resolveChatWrapper(model, { warningLogs: false }),
    slots: llamaSlots(context, options.slots),
    family: model.architecture,
    quantisation: quantisationOf(library, model),
    contextTokens,
    threads,
    device: llama.gpu === false ? 'cpu' : llama.gpu,
    speed,
    promptTokensPerTurn: promptTokensPerTurn(speed, promptTokensMax),
    async dispose() {
      await context.dispose()
      await model.dispose()
      await llama.dispose()
    },
  }
}

/**
 * Loads a model, measures it and hashes its file. The library is imported here and not at the top, so that a process
 * without a model (a bootstrap peer) never loads it. Throws `not_found` when the file cannot be read and
 * `provider_fault` when it cannot be loaded.
 */
export async function loadLlamaModel(
  { log }: LlamaModelComponents,
  options: LlamaModelOptions,
): Promise<LoadedModel> {
  await checkModelFile(options.modelPath)
  const fileSha256 = await sha256OfFile(options.modelPath)
  let llama: Llama | undefined
  try {
    const library = await import('node-llama-cpp')
    llama = await openBinding(library, options.gpu ?? 'auto', log)
    const model = await llama.loadModel({ modelPath: options.modelPath })
    return { ...(await prepare({ library, llama, model }, options)), fileSha256 }
  } catch (error) {
    // Disposes what was made with it: model, contexts, sequences.
    await llama?.dispose()
    throw new LexoraError('provider_fault', 'The model could not be loaded.', { cause: error })
  }
}
