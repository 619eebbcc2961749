/** Random choices that a seed repeats. */
export interface Chance {
  readonly seed: number
  /** 0 to below 1. */
  next(): number
  /** A whole number from 0 to below the bound. */
  below(bound: number): number
  pick<Item>(items: readonly Item[]): Item
}

/** Chance from a seed: the given one, else the environment's `LEXORA_TEST_SEED`, else a new one. */
export function chance(given?: number): Chance {
  const seed =
    given ?? Number(process.env['LEXORA_TEST_SEED'] ?? Math.floor(Math.random() * 2 ** 31))
  let state = seed >>> 0
  // Mulberry32: good enough to mix a test, and the same everywhere.
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const below = (bound: number): number => Math.floor(next() * bound)
  return {
    seed,
    next,
    below,
    pick(items) {
      const item = items[below(items.length)]
      if (item === undefined) throw new Error('nothing to pick from')
      return item
    },
  }
}
