import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Candidate, RouteRequest } from '../../../gateway/src/routing/candidate.ts'
import { choose, predictFinishMs, rank } from '../../../gateway/src/routing/router.ts'

const NOW = 1_000_000
const request: RouteRequest = { promptTokens: 100, outputTokens: 200, nowMs: NOW }
const HOUR_MS = 3_600_000

function candidate(changes: Partial<Candidate> = {}): Candidate {
  return {
    peerId: 'peer',
    slots: 4,
    slotsBusy: 0,
    queueLength: 0,
    inFlight: 0,
    draining: false,
    prefillTokensPerSecond: 1_000,
    decodeTokensPerSecond: 100,
    restUntilMs: 0,
    fullUntilMs: 0,
    ...changes,
  }
}

/** Numbers as they should be, and as no honest part would make them. */
const weird = fc.oneof(
  fc.double({ min: 0, max: 1e7, noNaN: true }),
  fc.constantFrom(0, -1, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 5e-324),
)
const sane = fc.record({
  peerId: fc.string({ minLength: 1, maxLength: 8 }),
  slots: fc.integer({ min: 1, max: 64 }),
  slotsBusy: fc.integer({ min: 0, max: 80 }),
  queueLength: fc.integer({ min: 0, max: 50 }),
  inFlight: fc.integer({ min: 0, max: 80 }),
  draining: fc.boolean(),
  prefillTokensPerSecond: fc.double({ min: 0.1, max: 1e5, noNaN: true }),
  decodeTokensPerSecond: fc.double({ min: 0.1, max: 1e5, noNaN: true }),
  restUntilMs: fc.constantFrom(0, NOW - 1, NOW, NOW + 1, NOW + 60_000),
  fullUntilMs: fc.constantFrom(0, NOW, NOW + 1),
})
const wild = fc.record({
  peerId: fc.string({ minLength: 1, maxLength: 8 }),
  slots: weird,
  slotsBusy: weird,
  queueLength: weird,
  inFlight: weird,
  draining: fc.boolean(),
  prefillTokensPerSecond: weird,
  decodeTokensPerSecond: weird,
  restUntilMs: weird,
  fullUntilMs: weird,
})

const randoms = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
const ORDER = { free: 0, busy: 1, resting: 2 }

/** Lehmer's generator, always from the same seed: chance that is the same in every run. */
function lehmer(): () => number {
  let state = 1
  return () => {
    state = (state * 48_271) % 2_147_483_647
    return state / 2_147_483_647
  }
}

describe('predictFinishMs()', () => {
  it.each<[string, Partial<Candidate>, number]>([
    ['a free slot: prefill and decode', {}, 100 + 2_000],
    ['all slots busy: one average answer shared by the slots', { slotsBusy: 4 }, 2_100 + 2_100 / 4],
    ['a queue behind busy slots', { slotsBusy: 4, queueLength: 3 }, 2_100 + (4 * 2_100) / 4],
    ['a queue with slots free is said by mistake', { slotsBusy: 1, queueLength: 2 }, 2_100],
    ['our own requests count where the heartbeat lags', { inFlight: 4 }, 2_100 + 2_100 / 4],
    ['own and said requests are the same ones', { inFlight: 4, slotsBusy: 4 }, 2_100 + 2_100 / 4],
    ['just refused: full, whatever it says', { fullUntilMs: NOW + 1 }, 2_100 + 2_100 / 4],
    ['refused long ago', { fullUntilMs: NOW }, 2_100],
    ['unmeasured speeds are very slow, not endless', { decodeTokensPerSecond: 0 }, 100 + 2_000_000],
    ['beyond an hour all are equal', { decodeTokensPerSecond: 0, slotsBusy: 400 }, HOUR_MS],
    ['not a number', { decodeTokensPerSecond: Number.NaN }, 100 + 2_000_000],
    ['no slots at all', { slots: 0 }, 4_200],
    ['slots that are no number', { slots: Number.NaN }, HOUR_MS],
  ])('%s', (_name, changes, expectedMs) => {
    expect(predictFinishMs(candidate(changes), request)).toBeCloseTo(expectedMs, 6)
  })

  it('is never longer for more speed, more slots or less load', () => {
    fc.assert(
      fc.property(sane, fc.double({ min: 1, max: 100, noNaN: true }), (each, factor) => {
        const before = predictFinishMs(each, request)
        const better: Partial<Candidate>[] = [
          { prefillTokensPerSecond: each.prefillTokensPerSecond * factor },
          { decodeTokensPerSecond: each.decodeTokensPerSecond * factor },
          { slots: each.slots + Math.ceil(factor), fullUntilMs: 0 },
          { slotsBusy: 0, inFlight: 0, fullUntilMs: 0 },
          { queueLength: 0 },
        ]
        for (const change of better) {
          const after = predictFinishMs({ ...each, ...change }, request)
          expect(after, JSON.stringify(change)).toBeLessThanOrEqual(before * (1 + 1e-9))
        }
      }),
    )
  })

  it('is a time between nothing and an hour, whatever goes in', () => {
    fc.assert(
      fc.property(wild, weird, weird, (each, promptTokens, outputTokens) => {
        const tokens = [promptTokens, outputTokens].map((count) => Math.max(0, count))
        const [prompt = 0, output = 0] = tokens
        const finishMs = predictFinishMs(each, {
          promptTokens: prompt,
          outputTokens: output,
          nowMs: NOW,
        })
        expect(finishMs).toBeGreaterThanOrEqual(0)
        expect(finishMs).toBeLessThanOrEqual(HOUR_MS)
      }),
    )
  })
})

describe('rank()', () => {
  it('puts free before busy before resting, however fast', () => {
    const ranked = rank(
      [
        candidate({ peerId: 'resting', restUntilMs: NOW + 1, decodeTokensPerSecond: 500 }),
        candidate({ peerId: 'busy', slotsBusy: 4, decodeTokensPerSecond: 500 }),
        candidate({ peerId: 'refused', fullUntilMs: NOW + 1, decodeTokensPerSecond: 1_000 }),
        candidate({ peerId: 'free', decodeTokensPerSecond: 1 }),
      ],
      request,
      () => 0,
    )
    expect(ranked.map(({ peerId, verdict }) => [peerId, verdict])).toEqual([
      ['free', 'free'],
      ['refused', 'busy'],
      ['busy', 'busy'],
      ['resting', 'resting'],
    ])
  })

  it('leaves draining providers out', () => {
    expect(rank([candidate({ draining: true })], request, () => 0)).toEqual([])
  })

  it('lets chance decide among near ties, and only among them', () => {
    const candidates = [
      candidate({ peerId: 'even', decodeTokensPerSecond: 100 }),
      candidate({ peerId: 'near', decodeTokensPerSecond: 96 }),
      candidate({ peerId: 'far', decodeTokensPerSecond: 85 }),
    ]
    const first = new Map<string, number>()
    const random = lehmer()
    for (let round = 0; round < 2_000; round++) {
      const best = rank(candidates, request, random)[0]?.peerId ?? ''
      first.set(best, (first.get(best) ?? 0) + 1)
    }
    expect(first.get('far')).toBeUndefined()
    expect(first.get('even')).toBeGreaterThan(900)
    expect(first.get('near')).toBeGreaterThan(200)
  })

  it('keeps every candidate once and in order of verdict, whatever the numbers are', () => {
    fc.assert(
      fc.property(fc.array(wild, { maxLength: 40 }), randoms, (candidates, chance) => {
        const ranked = rank(candidates, request, () => chance)
        const expected = candidates.filter(({ draining }) => !draining).map(({ peerId }) => peerId)
        expect(ranked.map(({ peerId }) => peerId).sort()).toEqual(expected.sort())
        const orders = ranked.map(({ verdict }) => ORDER[verdict])
        expect(orders).toEqual([...orders].sort((a, b) => a - b))
        // Within one verdict nobody is beaten by more than a tie.
        ranked.forEach((each, index) => {
          const next = ranked[index + 1]
          if (next?.verdict === each.verdict) {
            expect(each.finishMs).toBeLessThanOrEqual(next.finishMs * 1.1 + 1e-6)
          }
        })
      }),
    )
  })
})

describe('choose()', () => {
  const all = { random: () => 0, isUsable: () => true }

  it('takes what rank() puts first, whatever the numbers are', () => {
    fc.assert(
      fc.property(fc.array(wild, { maxLength: 40 }), (drawn) => {
        const candidates = drawn.map((each, index) => ({ ...each, peerId: String(index) }))
        const ranked = rank(candidates, request, () => 0)
        const chosen = choose(candidates, request, all)
        expect(chosen === undefined).toBe(ranked.length === 0)
        const best = ranked[0]
        const found = ranked.find(({ peerId }) => peerId === chosen?.peerId)
        expect(found?.verdict).toBe(best?.verdict)
        expect(found?.finishMs).toBe(best?.finishMs)
      }),
    )
  })

  it('passes over whoever cannot be asked, as if it was not there', () => {
    fc.assert(
      fc.property(fc.array(sane, { maxLength: 30 }), fc.nat(), (drawn, mask) => {
        const candidates = drawn.map((each, index) => ({ ...each, peerId: String(index) }))
        const isUsable = ({ peerId }: Candidate): boolean => ((mask >> Number(peerId)) & 1) === 0
        const chosen = choose(candidates, request, { random: () => 0, isUsable })
        expect(chosen).toBe(choose(candidates.filter(isUsable), request, all))
      }),
    )
  })

  it('spreads even candidates evenly', () => {
    const candidates = Array.from({ length: 5 }, (_, index) => candidate({ peerId: String(index) }))
    const counts = new Map<string, number>()
    const random = lehmer()
    for (let round = 0; round < 5_000; round++) {
      const peerId = choose(candidates, request, { ...all, random })?.peerId ?? ''
      counts.set(peerId, (counts.get(peerId) ?? 0) + 1)
    }
    // 1,000 each; eight standard deviations are about 230.
    for (const [peerId, count] of counts) expect(count, peerId).toBeGreaterThan(770)
    expect(counts.size).toBe(5)
  })

  it('has nobody to take from nobody', () => {
    expect(choose([], request, all)).toBeUndefined()
    expect(choose([candidate()], request, { ...all, isUsable: () => false })).toBeUndefined()
  })
})
