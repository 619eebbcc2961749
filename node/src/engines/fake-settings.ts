import { setTimeout as delay } from 'node:timers/promises'
import type { ChatRequest } from '@lexora/protocol'
import type { EngineModel } from './engine.ts'

/** What can go wrong on purpose. `afterTokens` counts tokens of the answer. */
export type FakeFault =
  | { kind: 'busy' }
  | { kind: 'never-accept' }
  | { kind: 'fail'; afterTokens: number }
  | { kind: 'hang'; afterTokens: number }

/** What the fake uses; all have a default. */
export interface FakeEngineComponents {
  /** Resolves after so many milliseconds, rejects on abort. Default: real time. */
  sleep?(ms: number, signal: AbortSignal): Promise<void>
  /** A clock in milliseconds. Default: real time. */
  now?(): number
  /** A number from 0 to below 1, for requests without a seed. Default: `Math.random`. */
  random?(): number
}

/** How the fake behaves; all have a default. */
export interface FakeEngineOptions {
  /** Default `fake`. */
  modelId?: string
  /** Lower-case hex. Default: 64 times `0`. */
  fileSha256?: string
  /** Default 4. */
  slots?: number
  /** Default 2,048. */
  contextTokens?: number
  /** Tokens of an answer. Default: 8 to 71, by the conversation and the seed. */
  answerTokens?: number
  /** Wait before `accepted`. Default 0. */
  acceptDelayMs?: number
  /** Wait before the first token. Default 0. */
  prefillDelayMs?: number
  /** Wait before every token. Default 0. */
  tokenDelayMs?: number
  /** Asked once for every request. Default: nothing goes wrong. */
  fault?(request: ChatRequest): FakeFault | undefined
}

/** Speeds that the fake claims where it does not wait. */
const CLAIMED_PREFILL_PER_SECOND = 100_000
const CLAIMED_DECODE_PER_SECOND = 10_000

/** Everything decided. */
export type FakeSettings = Required<FakeEngineComponents> &
  Required<Omit<FakeEngineOptions, 'answerTokens'>> & { answerTokens: number | undefined }

/** Fills in the defaults. */
export function fakeSettings(
  components: FakeEngineComponents,
  options: FakeEngineOptions,
): FakeSettings {
  return {
    sleep: async (ms, signal) => await delay(ms, undefined, { signal }),
    now: () => performance.now(),
    random: () => Math.random(),
    modelId: 'fake',
    fileSha256: '0'.repeat(64),
    slots: 4,
    contextTokens: 2_048,
    acceptDelayMs: 0,
    prefillDelayMs: 0,
    tokenDelayMs: 0,
    fault: () => undefined,
    ...components,
    ...options,
    answerTokens: options.answerTokens,
  }
}

/** The model that such a fake offers. */
export function fakeModel(settings: FakeSettings): EngineModel {
  return {
    id: settings.modelId,
    family: 'fake',
    fileSha256: settings.fileSha256,
    quantisation: 'none',
    contextTokens: settings.contextTokens,
    modality: 'text',
    slots: settings.slots,
    prefillTokensPerSecond: CLAIMED_PREFILL_PER_SECOND,
    decodeTokensPerSecond:
      settings.tokenDelayMs > 0 ? 1_000 / settings.tokenDelayMs : CLAIMED_DECODE_PER_SECOND,
  }
}
