import { describe, expect, it } from 'vitest'
import { type Observed, observed } from '../../../gateway/src/routing/observed.ts'

const answer = { promptTokens: 100, outputTokens: 101, firstTokenMs: 500, totalMs: 1_500 }

/** How long each of some failures in a row makes it rest, ms. */
function rests(seen: Observed, times: number): number[] {
  return Array.from({ length: times }, () => {
    seen.failed(1_000)
    return seen.restUntilMs - 1_000
  })
}

describe('observed()', () => {
  it('believes a claim up to a fast machine’s speed, and what it saw from then on', () => {
    const seen = observed()
    expect(seen.prefillTokensPerSecond(80)).toBe(80)
    expect(seen.prefillTokensPerSecond(10_000_000)).toBe(500)
    expect(seen.decodeTokensPerSecond(501)).toBe(500)
    seen.answered(answer)
    expect(seen.prefillTokensPerSecond(10_000_000)).toBe(200)
    expect(seen.decodeTokensPerSecond(10_000_000)).toBe(100)
  })

  it('moves a fifth of the way to each new sample', () => {
    const seen = observed()
    seen.answered(answer)
    seen.answered({ ...answer, firstTokenMs: 250, totalMs: 450 })
    expect(seen.prefillTokensPerSecond(0)).toBeCloseTo(200 + 0.2 * (400 - 200))
    expect(seen.decodeTokensPerSecond(0)).toBeCloseTo(100 + 0.2 * (500 - 100))
  })

  it('learns nothing of decoding from one token and nothing at all from none', () => {
    const one = observed()
    one.answered({ ...answer, outputTokens: 1, totalMs: 500 })
    expect(one.prefillTokensPerSecond(1)).toBe(200)
    expect(one.decodeTokensPerSecond(33)).toBe(33)
    const none = observed()
    none.answered({ ...answer, outputTokens: 0, firstTokenMs: 0, totalMs: 3 })
    expect(none.prefillTokensPerSecond(44)).toBe(44)
    expect(none.decodeTokensPerSecond(33)).toBe(33)
  })

  it('stays finite where everything came at once or the times are no numbers', () => {
    const seen = observed()
    seen.answered({ ...answer, firstTokenMs: 0, totalMs: 0 })
    expect(seen.prefillTokensPerSecond(0)).toBe(100_000)
    seen.answered({ ...answer, firstTokenMs: Number.NaN, totalMs: Number.NaN })
    seen.answered({ ...answer, totalMs: Number.POSITIVE_INFINITY })
    expect(Number.isFinite(seen.prefillTokensPerSecond(0))).toBe(true)
    expect(Number.isFinite(seen.decodeTokensPerSecond(0))).toBe(true)
  })

  it('rests twice as long after each failure in a row, a minute at most, and not after an answer', () => {
    const seen = observed()
    const expected = [1, 2, 4, 8, 16, 32, 60, 60].map((seconds) => seconds * 1_000)
    expect(rests(seen, 8)).toEqual(expected)
    expect(rests(seen, 2_000).at(-1)).toBe(60_000)
    seen.answered(answer)
    expect(seen.restUntilMs).toBe(0)
    expect(rests(seen, 2)).toEqual([1_000, 2_000])
  })

  it('counts as full for a moment after a refusal, without a rest', () => {
    const seen = observed()
    const full = Array.from({ length: 7 }, () => {
      seen.refused(1_000)
      return seen.fullUntilMs - 1_000
    })
    expect(full).toEqual([250, 500, 1_000, 2_000, 4_000, 5_000, 5_000])
    expect(seen.restUntilMs).toBe(0)
    seen.answered(answer)
    expect(seen.fullUntilMs).toBe(0)
  })
})
