import { describe, expect, it } from 'vitest'
import { drawOptions } from '../../../node/src/engines/llama-sampling.ts'
import { seedAt } from '../../../node/src/engines/seed.ts'

describe('seedAt()', () => {
  it('never repeats within an answer and hardly across seeds', () => {
    const seen = new Set<number>()
    for (const seed of [0, 1, 2, 0x8000_0000, 0xffff_ffff]) {
      for (let index = 0; index < 10_000; index++) seen.add(seedAt(seed, index))
    }
    // 50,000 draws from 2^32 collide about 0.3 times.
    expect(seen.size).toBeGreaterThan(49_990)
    for (const value of seen) {
      expect(Number.isInteger(value) && value >= 0 && value < 0xffff_ffff).toBe(true)
    }
  })

  it('stays what it is: an answer can be continued elsewhere', () => {
    expect([
      seedAt(0, 0),
      seedAt(0, 1),
      seedAt(7, 0),
      seedAt(0xffff_ffff, 99),
    ]).toMatchInlineSnapshot(`
      [
        301794027,
        3140136926,
        4139236332,
        2417041791,
      ]
    `)
  })
})

describe('drawOptions()', () => {
  const place = { seed: 7, index: 2, drawn: [] }
  const sampling = { temperature: 1, topP: 0.9, minP: 0.1, presencePenalty: 0, frequencyPenalty: 0 }

  it('leaves the limit to the best 40 tokens out', () => {
    expect(drawOptions(sampling, place)).toMatchObject({ topK: null, topP: 0.9, minP: 0.1 })
  })

  it('gives every place of the answer a seed of its own', () => {
    const seeds = [0, 1, 2].map((index) => drawOptions(sampling, { ...place, index }).seed)
    expect(seeds).toEqual([0, 1, 2].map((index) => seedAt(7, index)))
  })

  it('asks for penalties only where there are any', () => {
    expect(drawOptions(sampling, place)).not.toHaveProperty('repeatPenalty')
    const penalised = drawOptions({ ...sampling, presencePenalty: 1 }, place)
    expect(penalised.repeatPenalty).toMatchObject({ penalty: 1, presencePenalty: 1 })
  })
})
