import { createHash } from 'node:crypto'

/** Random numbers that a seed repeats. */
export interface Random {
  /** A whole number from 0 to `limit - 1`. */
  below(limit: number): number
  /** A whole number from `min` to `max`. */
  between(min: number, max: number): number
  /** True this often. */
  chance(probability: number): boolean
  pick<T>(list: readonly T[]): T
  bytes(length: number): Buffer
  /** Numbers of its own for a part of the work, so that what happens elsewhere does not change them. */
  fork(name: string | number): Random
}

/** Makes the numbers of a seed: SHA-256 in counter mode, since speed does not matter here. */
export function seeded(seed: string): Random {
  let count = 0
  let block = Buffer.alloc(0)

  function bytes(length: number): Buffer {
    while (block.length < length) {
      count += 1
      block = Buffer.concat([block, createHash('sha256').update(`${seed}/${count}`).digest()])
    }
    const taken = block.subarray(0, length)
    block = block.subarray(length)
    return taken
  }

  const fraction = (): number => bytes(6).readUIntBE(0, 6) / 2 ** 48
  const below = (limit: number): number => Math.floor(fraction() * limit)
  return {
    bytes,
    below,
    between: (min, max) => min + below(max - min + 1),
    chance: (probability) => fraction() < probability,
    pick(list) {
      const picked = list[below(list.length)]
      if (picked === undefined) throw new Error('there is nothing to pick from')
      return picked
    },
    fork: (name) => seeded(`${seed}/${name}`),
  }
}
