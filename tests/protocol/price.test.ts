import { findPrice, type ModelPrice, quote, splitCost, type Usage } from '@lexora/protocol'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

const tokens = fc.integer({ min: 0, max: 100_000_000 })
const rate = fc.oneof(
  fc.bigInt({ min: 0n, max: 10n ** 13n }),
  fc.constantFrom(0n, 1n, 999_999n, 1_000_000n),
)
const price: fc.Arbitrary<ModelPrice> = fc.record({
  model: fc.constant('m'),
  inputNanoUsd: rate,
  cachedInputNanoUsd: rate,
  outputNanoUsd: rate,
})
const usage: fc.Arbitrary<Usage> = tokens.chain((promptTokens) =>
  fc.record({
    promptTokens: fc.constant(promptTokens),
    cachedTokens: fc.integer({ min: 0, max: promptTokens }),
    completionTokens: tokens,
  }),
)

/** A fraction in exact arithmetic, summed term by term: slower than quote(), and nothing in common with it. */
interface Rational {
  over: bigint
  under: bigint
}
const plus = (a: Rational, b: Rational): Rational => ({
  over: a.over * b.under + b.over * a.under,
  under: a.under * b.under,
})
const ceiling = ({ over, under }: Rational): bigint =>
  over % under === 0n ? over / under : over / under + 1n
function oracle(list: ModelPrice, used: Usage): bigint {
  const term = (units: number, each: bigint): Rational => ({
    over: BigInt(units) * each,
    under: 1_000_000n,
  })
  const terms = [
    term(used.promptTokens, list.inputNanoUsd),
    term(-used.cachedTokens, list.inputNanoUsd),
    term(used.cachedTokens, list.cachedInputNanoUsd),
    term(used.completionTokens, list.outputNanoUsd),
  ]
  return ceiling(terms.reduce(plus))
}

describe('quote()', () => {
  it('agrees with exact fractions, rounded up once', () => {
    fc.assert(
      fc.property(price, usage, (list, used) => {
        expect(quote(list, used)).toBe(oracle(list, used))
      }),
      { numRuns: 500 },
    )
  })

  it('never falls when more is used or prices rise', () => {
    fc.assert(
      fc.property(price, usage, fc.nat({ max: 1_000 }), (list, used, more) => {
        const cost = quote(list, used)
        expect(
          quote(list, { ...used, completionTokens: used.completionTokens + more }),
        ).toBeGreaterThanOrEqual(cost)
        expect(
          quote(list, { ...used, promptTokens: used.promptTokens + more }),
        ).toBeGreaterThanOrEqual(cost)
        const dearer = { ...list, outputNanoUsd: list.outputNanoUsd + BigInt(more) }
        expect(quote(dearer, used)).toBeGreaterThanOrEqual(cost)
      }),
    )
  })

  it('charges two parts of an answer no less than the whole, and at most one nano-USD more', () => {
    fc.assert(
      fc.property(price, usage, tokens, (list, used, rest) => {
        const nothing = { promptTokens: 0, cachedTokens: 0, completionTokens: rest }
        const whole = quote(list, { ...used, completionTokens: used.completionTokens + rest })
        const parts = quote(list, used) + quote(list, nothing)
        expect(parts - whole === 0n || parts - whole === 1n).toBe(true)
      }),
    )
  })

  it.each<[string, Usage, bigint]>([
    ['nothing at all', { promptTokens: 0, cachedTokens: 0, completionTokens: 0 }, 0n],
    ['the least, rounded up', { promptTokens: 1, cachedTokens: 0, completionTokens: 0 }, 1n],
    [
      'cached tokens at their own price',
      { promptTokens: 10, cachedTokens: 10, completionTokens: 0 },
      10n,
    ],
    ['three parts, rounded up once', { promptTokens: 2, cachedTokens: 1, completionTokens: 1 }, 2n],
  ])('charges %s', (_name, used, cost) => {
    const list = {
      model: 'm',
      inputNanoUsd: 400_000n,
      cachedInputNanoUsd: 1_000_000n,
      outputNanoUsd: 300_000n,
    }
    expect(quote(list, used)).toBe(cost)
  })
})

describe('splitCost()', () => {
  it('loses and makes nothing', () => {
    fc.assert(
      fc.property(
        fc.bigInt({ min: 0n, max: 2n ** 63n }),
        fc.integer({ min: 0, max: 10_000 }),
        (cost, bps) => {
          const split = splitCost(cost, bps)
          expect(split.cost).toBe(cost)
          expect(split.fee + split.providerShare).toBe(cost)
          expect(split.fee >= 0n && split.providerShare >= 0n).toBe(true)
          // the floor of cost x bps / 10,000, said without a division
          expect(split.fee * 10_000n <= cost * BigInt(bps)).toBe(true)
          expect((split.fee + 1n) * 10_000n > cost * BigInt(bps)).toBe(true)
        },
      ),
    )
  })
})

describe('findPrice()', () => {
  it('finds by the exact name and nothing that a list inherits', () => {
    const entry = { model: 'm', inputNanoUsd: 1n, cachedInputNanoUsd: 1n, outputNanoUsd: 1n }
    const list = { version: 1, effectiveAtMs: 0, feeBasisPoints: 0, models: [entry] }
    expect(findPrice(list, 'm')).toBe(entry)
    for (const other of ['M', 'm ', '', '__proto__', 'length', '0'])
      expect(findPrice(list, other)).toBeUndefined()
  })
})
