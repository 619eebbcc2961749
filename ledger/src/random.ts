import { randomFillSync } from 'node:crypto'

/** Ids take 10 to 32 bytes: some hundred of them for one call into the system, which costs more than the bytes. */
const POOL_BYTES = 8_192

/** A source of random bytes, good for keys. Each byte is given out once and kept by nobody else. */
export function createRandom(): (length: number) => Uint8Array {
  const pool = new Uint8Array(POOL_BYTES)
  let used = POOL_BYTES
  return (length) => {
    if (length > POOL_BYTES) return randomFillSync(new Uint8Array(length))
    if (used + length > POOL_BYTES) {
      randomFillSync(pool)
      used = 0
    }
    const bytes = pool.slice(used, used + length)
    pool.fill(0, used, used + length)
    used += length
    return bytes
  }
}
