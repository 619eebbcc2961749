import { performance } from 'node:perf_hooks'
import { createDirectory, type Directory } from '../gateway/src/routing/directory.ts'
import { choose, rank } from '../gateway/src/routing/router.ts'
import type { CapabilityRecord, LoadHeartbeat } from '../protocol/src/index.ts'
import type { Session } from '../protocol/src/mesh/index.ts'

/**
 * Time of one routing decision over the live directory, with a heartbeat, a debit and an observation between decisions
 * as a running gateway has them: `npx tsx scripts/bench-routing.ts`. Targets: 20 µs at 1,000 candidates, 100 µs at
 * 10,000.
 */

const MODEL = 'bench/model'
const ROUNDS = 7
const DECISIONS = 1_000

function provider(index: number): {
  session: Session
  record: CapabilityRecord
  load: LoadHeartbeat
} {
  const peerId = `12D3KooWBench${String(index).padStart(39, '0')}`
  const session = { remotePeer: peerId, isOpen: true } as unknown as Session
  const slots = 1 + (index % 8)
  const record: CapabilityRecord = {
    peerId,
    sequence: 1,
    expiresAtMs: Number.MAX_SAFE_INTEGER,
    certificate: new Uint8Array(1),
    models: [
      {
        id: MODEL,
        family: 'llama',
        fileSha256: new Uint8Array(32),
        quantisation: 'Q8_0',
        contextTokens: 4_096,
        modality: 'text',
        slots,
        prefillTokensPerSecond: 100 + ((index * 37) % 400),
        decodeTokensPerSecond: 10 + ((index * 13) % 90),
        priceMultiplierBasisPoints: 10_000,
      },
    ],
    addresses: [],
    software: '',
    hardware: '',
  }
  return { session, record, load: heartbeat(peerId, 1, index % (slots + 1)) }
}

function heartbeat(peerId: string, sequence: number, slotsBusy: number): LoadHeartbeat {
  const models = [{ model: MODEL, slots: 8, slotsBusy, queueLength: 0, decodeTokensPerSecond: 0 }]
  return { peerId, bootId: new Uint8Array(8), sequence, sentAtMs: 0, draining: false, models }
}

/** Microseconds of one call, the best of some rounds: the rest is what else the machine did. */
function measure(decide: (turn: number) => unknown, count: number): number {
  let best = Number.POSITIVE_INFINITY
  for (let round = 0; round < ROUNDS; round++) {
    let spent = 0
    for (let turn = 0; turn < count; turn++) {
      const startMs = performance.now()
      decide(turn)
      spent += performance.now() - startMs
    }
    best = Math.min(best, (spent * 1_000) / count)
  }
  return best
}

function decision(directory: Directory): (turn: number) => string | undefined {
  const asked = new Set<string>()
  return () => {
    const request = { promptTokens: 200, outputTokens: 256, nowMs: Date.now() }
    directory.contextTokensMax(MODEL)
    return choose(directory.lanes(MODEL), request, {
      random: Math.random,
      isUsable: ({ peerId }) => !asked.has(peerId) && directory.get(peerId) !== undefined,
    })?.peerId
  }
}

for (const size of [10, 100, 1_000, 10_000]) {
  const directory = createDirectory({ clock: Date.now })
  for (let index = 0; index < size; index++) {
    const { session, record, load } = provider(index)
    directory.add(session, record, load)
  }
  const decide = decision(directory)
  const chosen: (() => void)[] = []
  const live = measure((turn) => {
    const peerId = decide(turn)
    if (peerId === undefined) throw new Error('nobody was chosen')
    chosen.push(directory.debit(peerId, MODEL))
    if (chosen.length > size) chosen.shift()?.()
  }, DECISIONS)
  const ranking = measure(() => {
    const request = { promptTokens: 200, outputTokens: 256, nowMs: Date.now() }
    return rank(directory.candidates(MODEL), request, Math.random)
  }, DECISIONS / 20)
  process.stdout.write(
    `${String(size).padStart(6)} candidates: decision ${live.toFixed(1)} µs, full ranking ${ranking.toFixed(0)} µs\n`,
  )
}
