/** Seeds are unsigned 32-bit: so many there are. */
export const SEED_COUNT: number = 2 ** 32

/** llama.cpp takes this value as "draw one yourself". */
const SEED_OF_CHANCE = 0xffff_ffff

/**
 * A seed for one token, made of the request's seed and the token's index. So a token depends on what stands before it
 * and on these two numbers, not on the state of a generator: whoever knows the text so far draws the same next token.
 */
export function seedAt(seed: number, index: number): number {
  let mixed = (seed ^ Math.imul(index + 1, 0x9e37_79b1)) >>> 0
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85eb_ca6b) >>> 0
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2_ae35) >>> 0
  mixed = (mixed ^ (mixed >>> 16)) >>> 0
  return mixed === SEED_OF_CHANCE ? 0 : mixed
}
