import { randomBytes } from 'node:crypto'
import {
  type CapabilityRecord,
  createSigner,
  type LexoraError,
  type LoadHeartbeat,
  type ModelLoad,
  type ModelOffer,
  type Signer,
} from '@lexora/protocol'
import { type Logger, pino } from 'pino'
import type { Session } from '../../protocol/src/mesh/session.ts'

export const MODEL = 'lexora/tiny-chat'
export const NOW = 1_800_000_000_000

/** A clock that a test moves. */
export interface TestClock {
  (): number
  advance(ms: number): void
}

export function testClock(startMs: number = NOW): TestClock {
  let nowMs = startMs
  return Object.assign(() => nowMs, {
    advance: (ms: number) => {
      nowMs += ms
    },
  })
}

export function newSigner(): Signer {
  return createSigner(randomBytes(32))
}

/** A log that keeps its lines. */
export interface TestLog {
  log: Logger
  lines: Record<string, unknown>[]
}

export function testLog(): TestLog {
  const lines: Record<string, unknown>[] = []
  const sink = {
    write: (line: string) => void lines.push(JSON.parse(line) as Record<string, unknown>),
  }
  return { log: pino({ level: 'debug' }, sink), lines }
}

export function offer(changes: Partial<ModelOffer> = {}): ModelOffer {
  return {
    id: MODEL,
    family: 'llama',
    fileSha256: new Uint8Array(32).fill(7),
    quantisation: 'Q8_0',
    contextTokens: 512,
    modality: 'text',
    slots: 4,
    prefillTokensPerSecond: 400,
    decodeTokensPerSecond: 100,
    priceMultiplierBasisPoints: 10_000,
    ...changes,
  }
}

export function record(peerId: string, changes: Partial<CapabilityRecord> = {}): CapabilityRecord {
  return {
    peerId,
    sequence: 1,
    expiresAtMs: NOW + 600_000,
    certificate: new Uint8Array([1]),
    models: [offer()],
    addresses: [],
    software: 'test',
    hardware: '',
    ...changes,
  }
}

export function load(peerId: string, changes: Partial<LoadHeartbeat> = {}): LoadHeartbeat {
  return {
    peerId,
    bootId: new Uint8Array(8),
    sequence: 1,
    sentAtMs: NOW,
    draining: false,
    models: [modelLoad()],
    ...changes,
  }
}

export function modelLoad(changes: Partial<ModelLoad> = {}): ModelLoad {
  return {
    model: MODEL,
    slots: 4,
    slotsBusy: 0,
    queueLength: 0,
    decodeTokensPerSecond: 0,
    ...changes,
  }
}

/** A session that is open until it is told otherwise, for parts that only look at it. */
export function idleSession(remotePeer: string): Session & { isOpen: boolean } {
  return { remotePeer, isOpen: true } as Session & { isOpen: boolean }
}

/** The code of what a promise rejects with; `resolved` where it does not. */
export async function codeOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'resolved',
    (error: unknown) => (error as LexoraError).code ?? String(error),
  )
}

/** Waits for a condition turn by turn. vitest's own waits move a fake clock on; this one leaves it alone. */
export async function until(condition: () => boolean): Promise<void> {
  const deadline = process.hrtime.bigint() + 10_000_000_000n
  while (!condition()) {
    if (process.hrtime.bigint() > deadline)
      throw new Error(`it never came to: ${String(condition)}`)
    await new Promise((resolve) => setImmediate(resolve))
  }
}
