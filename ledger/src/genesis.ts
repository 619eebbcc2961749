import { base62, toBigInt } from './accounts/secret.ts'
import type { Entry } from './core/entry.ts'
import { type Chunk, EMPTY_HEAD, sealChunk } from './store/chunk.ts'

/** The first chunk of a new journal: it gives the ledger its id, so that two journals are never taken for one. */
export function genesisChunk(components: {
  clock: () => number
  random: (length: number) => Uint8Array
}): Chunk {
  const ledgerId = `ldg_${base62(toBigInt(components.random(16)), 22)}`
  const entry: Entry = {
    seq: 0,
    atMs: components.clock(),
    changes: [{ type: 'genesis', ledgerId, format: 1 }],
  }
  return sealChunk(EMPTY_HEAD, [entry])
}
