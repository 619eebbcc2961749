import { describe, expect, it } from 'vitest'
import { planRequest } from '../../scripts/torture/market.ts'
import { seeded } from '../../scripts/torture/random.ts'

const plans = (seed: string, client: number) => {
  const random = seeded(seed).fork(client)
  return Array.from({ length: 50 }, () => planRequest(random))
}

describe('seeded()', () => {
  it('repeats what clients ask', () => {
    expect(plans('a', 1)).toEqual(plans('a', 1))
    expect(plans('a', 1)).not.toEqual(plans('b', 1))
  })

  it('gives every client requests of its own, whatever the others do', () => {
    const random = seeded('a')
    random.bytes(1_000)
    const after = random.fork(2)
    expect(Array.from({ length: 50 }, () => planRequest(after))).toEqual(plans('a', 2))
    const ids = [...plans('a', 1), ...plans('a', 2)].map((plan) => plan.requestId)
    expect(new Set(ids).size).toBe(100)
  })

  it('covers its range and nothing else', () => {
    const random = seeded('range')
    const seen = new Set(Array.from({ length: 400 }, () => random.between(3, 7)))
    expect(seen).toEqual(new Set([3, 4, 5, 6, 7]))
  })
})
