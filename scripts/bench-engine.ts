/**
 * What the engine adds to bare node-llama-cpp, in one interleaved run: tokens per second, time to the first token and
 * processor time per token, for one chat and for four at once. Usage: tsx scripts/bench-engine.ts [rounds]
 */
import '../protocol/src/mesh/polyfill.ts'
import { fileURLToPath } from 'node:url'
import {
  getLlama,
  type LlamaContextSequence,
  LlamaLogLevel,
  resolveChatWrapper,
  type Token,
} from 'node-llama-cpp'
import { pino } from 'pino'
import { createLlamaEngine } from '../node/src/engines/llama-engine.ts'

const modelPath = fileURLToPath(new URL('../node/models/lexora-tiny-chat.gguf', import.meta.url))
const question = 'Tell me a story.'
const slots = 4
const rounds = Number(process.argv[2] ?? 15)

interface Sample {
  tokens: number
  firstMs: number
}

type Run = (index: number) => Promise<Sample>

/** Reads any stream of token counts and times it. */
async function timed(counts: AsyncIterable<number>): Promise<Sample> {
  const from = performance.now()
  let tokens = 0
  let firstMs = 0
  for await (const count of counts) {
    if (tokens === 0 && count > 0) firstMs = performance.now() - from
    tokens += count
  }
  return { tokens, firstMs }
}

const engine = createLlamaEngine(
  { log: pino({ level: 'silent' }) },
  { modelPath, modelId: 'bench', slots, gpu: false },
)
await engine.start()

const viaEngine: Run = async () => {
  const stream = engine.chat(
    {
      model: 'bench',
      messages: [{ role: 'user', content: question }],
      sampling: { temperature: 0, topP: 1, minP: 0, presencePenalty: 0, frequencyPenalty: 0 },
      maxTokens: 1_000,
      stop: [],
    },
    { signal: new AbortController().signal },
  )
  async function* counts(): AsyncGenerator<number> {
    for await (const event of stream) yield event.kind === 'tokens' ? event.ids.length : 0
  }
  return await timed(counts())
}

/** The library as its guide uses it, with the settings of the engine unless `flashAttention` says otherwise. */
async function bare(flashAttention: boolean | 'auto'): Promise<Run> {
  const llama = await getLlama({
    build: 'never',
    gpu: false,
    logLevel: LlamaLogLevel.disabled,
    maxThreads: 0,
  })
  const model = await llama.loadModel({ modelPath })
  const context = await model.createContext({
    sequences: slots,
    contextSize: 2048,
    threads: 1,
    flashAttention,
  })
  const sequences = Array.from({ length: slots }, () => context.getSequence())
  const wrapper = resolveChatWrapper(model, { warningLogs: false })
  const { contextText } = wrapper.generateContextState({
    chatHistory: [
      { type: 'user', text: question },
      { type: 'model', response: [] },
    ],
  })
  const prompt = contextText.tokenize(model.tokenizer)
  async function* counts(sequence: LlamaContextSequence): AsyncGenerator<number> {
    await sequence.adaptStateToTokens(prompt.slice(0, -1), false)
    const rest: Token[] = prompt.slice(sequence.nextTokenIndex)
    for await (const token of sequence.evaluate(rest, { temperature: 0 })) yield Number(token >= 0)
  }
  return async (index) => {
    const sequence = sequences[index]
    if (sequence === undefined) throw new Error('more chats than sequences')
    return await timed(counts(sequence))
  }
}

const runs: [string, Run][] = [
  ['bare', await bare(false)],
  ['engine', viaEngine],
  ['bare, flash attention', await bare('auto')],
]

interface Figures {
  perSecond: number[]
  firstMs: number[]
  cpuUs: number[]
}

const median = (values: number[]): number =>
  values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0

async function measure(run: Run, chats: number, into: Figures): Promise<void> {
  const cpu = process.cpuUsage()
  const from = performance.now()
  const samples = await Promise.all(
    Array.from({ length: chats }, async (_, index) => await run(index)),
  )
  const ms = performance.now() - from
  const used = process.cpuUsage(cpu)
  const tokens = samples.reduce((sum, sample) => sum + sample.tokens, 0)
  into.perSecond.push((tokens * 1_000) / ms)
  into.firstMs.push(median(samples.map((sample) => sample.firstMs)))
  into.cpuUs.push((used.user + used.system) / tokens)
}

console.log('chats  way                    tokens/s  of bare  first token  cpu per token')
for (const chats of [1, slots]) {
  const figures = new Map<string, Figures>(
    runs.map(([name]) => [name, { perSecond: [], firstMs: [], cpuUs: [] }]),
  )
  for (let round = -1; round < rounds; round++) {
    for (const [name, run] of runs) {
      const warmUp: Figures = { perSecond: [], firstMs: [], cpuUs: [] }
      await measure(run, chats, round < 0 ? warmUp : (figures.get(name) ?? warmUp))
    }
  }
  const base = median(figures.get('bare')?.perSecond ?? [])
  for (const [name, { perSecond, firstMs, cpuUs }] of figures) {
    const rate = median(perSecond)
    const share = `${((rate / base) * 100).toFixed(0)} %`
    console.log(
      `${String(chats).padEnd(7)}${name.padEnd(23)}${rate.toFixed(0).padStart(8)}${share.padStart(9)}` +
        `${median(firstMs).toFixed(2).padStart(10)} ms${median(cpuUs).toFixed(0).padStart(12)} us`,
    )
  }
}
await engine.stop()
process.exit()
