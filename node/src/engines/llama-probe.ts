import { availableParallelism } from 'node:os'
import type { LlamaContextSequence, LlamaModel, Token } from 'node-llama-cpp'
import { chooseThreads } from './thread-choice.ts'

/** Neutral text to compute on; any text costs the same. */
const PROBE_TEXT = 'The river runs past the old mill and under the bridge to the sea. '

/** Tokens measured for one figure, fewer where they are slow. */
const PROBE_TOKENS_MAX = 32

/** Milliseconds for one figure. At least one token is measured, however slow. */
const PROBE_MS = 150

/** Cells of the contexts in which thread counts are tried. */
const PROBE_CONTEXT_TOKENS = 256

/** Longest share of a second that one turn may spend on reading prompts, while others wait for their next token. */
const TURN_SECONDS = 0.25

/** Fewest prompt tokens in a turn: below this a batch is not worth its overhead. */
const TURN_TOKENS_MIN = 16

/** What one slot does alone. */
export interface Speed {
  prefillTokensPerSecond: number
  decodeTokensPerSecond: number
}

function probeTokens(model: LlamaModel, count: number): Token[] {
  const tokens = model.tokenize(PROBE_TEXT)
  return Array.from({ length: count }, (_, index) => tokens[index % tokens.length] ?? (0 as Token))
}

/** The median milliseconds of one drawn token. The first is left out: it pays for the graph's set-up. */
async function tokenMs(sequence: LlamaContextSequence, start: Token[]): Promise<number> {
  const tokens = sequence.evaluate(start, { temperature: 0, yieldEogToken: true })
  const times: number[] = []
  const startedAt = performance.now()
  try {
    await tokens.next()
    while (times.length < PROBE_TOKENS_MAX) {
      const from = performance.now()
      await tokens.next()
      times.push(performance.now() - from)
      if (performance.now() - startedAt > PROBE_MS) break
    }
  } finally {
    await tokens.return()
  }
  times.sort((a, b) => a - b)
  return times[Math.floor(times.length / 2)] ?? 0
}

/**
 * Picks the thread count of a context by trying. One core is always left to the rest of the process and to the
 * machine: a spinning thread that loses its core stops all others.
 */
export async function measureThreads(
  model: LlamaModel,
  flashAttention: boolean | 'auto',
): Promise<number> {
  const cores = Math.min(model.llama.cpuMathCores, availableParallelism())
  return await chooseThreads(
    {
      now: () => performance.now(),
      async measure(threads) {
        const context = await model.createContext({
          sequences: 1,
          contextSize: PROBE_CONTEXT_TOKENS,
          threads,
          flashAttention,
        })
        try {
          return await tokenMs(context.getSequence(), probeTokens(model, 1))
        } finally {
          await context.dispose()
        }
      },
    },
    { threadsMax: cores - 1 },
  )
}

/** Measures one sequence and leaves it empty. Takes about half a second, or a few tokens where those take longer. */
export async function measureSpeed(
  sequence: LlamaContextSequence,
  promptTokensMax: number,
): Promise<Speed> {
  const decodeTokensPerSecond =
    1_000 / Math.max(await tokenMs(sequence, probeTokens(sequence.model, 1)), 0.001)
  // Reading is never slower than writing, so this stays within the time.
  const fitting = Math.floor((decodeTokensPerSecond * PROBE_MS) / 1_000)
  const count = Math.min(Math.max(fitting, TURN_TOKENS_MIN), promptTokensMax)
  await sequence.clearHistory()
  const startedAt = performance.now()
  await sequence.evaluateWithoutGeneratingNewTokens(probeTokens(sequence.model, count))
  const prefillMs = Math.max(performance.now() - startedAt, 0.001)
  await sequence.clearHistory()
  return { prefillTokensPerSecond: (count * 1_000) / prefillMs, decodeTokensPerSecond }
}

/** Prompt tokens that one turn may read, by the measured speed. A power of two, so that noise seldom changes it. */
export function promptTokensPerTurn(speed: Speed, most: number): number {
  const affordable = Math.max(speed.prefillTokensPerSecond * TURN_SECONDS, TURN_TOKENS_MIN)
  return Math.min(2 ** Math.floor(Math.log2(affordable)), most)
}
