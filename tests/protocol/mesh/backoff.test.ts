import { afterEach, describe, expect, it, vi } from 'vitest'
import { backoff } from '../../../protocol/src/mesh/backoff.ts'

afterEach(() => {
  vi.restoreAllMocks()
})

describe('backoff()', () => {
  it.each([
    ['least', 0, 0.5],
    ['most', 1, 1],
  ])('doubles up to its bound, with the %s jitter', (_name, chance, share) => {
    vi.spyOn(Math, 'random').mockReturnValue(chance)
    const delays = backoff({ minMs: 100, maxMs: 1_000 })
    const expected = [100, 200, 400, 800, 1_000, 1_000].map((delay) => delay * share)
    expect(expected.map(() => delays.nextMs())).toEqual(expected)
    delays.reset()
    expect(delays.nextMs()).toBe(100 * share)
  })

  it('never leaves its bounds, however often it is asked', () => {
    const delays = backoff({ minMs: 250, maxMs: 10_000 })
    for (let count = 0; count < 5_000; count++) {
      const delayMs = delays.nextMs()
      expect(delayMs).toBeGreaterThanOrEqual(125)
      expect(delayMs).toBeLessThanOrEqual(10_000)
    }
  })

  it('is constant where both bounds are one', () => {
    vi.spyOn(Math, 'random').mockReturnValue(1)
    const delays = backoff({ minMs: 50, maxMs: 50 })
    expect([delays.nextMs(), delays.nextMs()]).toEqual([50, 50])
  })

  it('spreads peers out: two do not wait alike', () => {
    const all = Array.from({ length: 20 }, () => backoff({ minMs: 1_000, maxMs: 2_000 }).nextMs())
    expect(new Set(all).size).toBeGreaterThan(10)
  })
})
