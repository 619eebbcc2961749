import { LexoraError } from '@lexora/protocol'
import { type Chunk, EMPTY_HEAD, follow, type Head, openChunk } from './chunk.ts'
import type { Store } from './store.ts'

/** A store without a disk, for tests and simulations. Keeps bytes, so that what comes back went through the codec. */
export function createMemoryStore(): Store {
  const chunks: { firstSeq: number; bytes: Uint8Array }[] = []
  let head: Head = EMPTY_HEAD
  return {
    head: () => head,
    append(chunk) {
      return Promise.resolve().then(() => {
        if (chunk.firstSeq !== head.nextSeq || chunk.prevHash !== head.hash) {
          throw new LexoraError('conflict', 'the chunk does not follow the journal')
        }
        head = follow(head, openChunk(chunk.bytes, chunk.firstSeq))
        chunks.push({ firstSeq: chunk.firstSeq, bytes: chunk.bytes.slice() })
      })
    },
    async *readFrom(seq) {
      const first = chunks.findLastIndex((chunk) => chunk.firstSeq <= seq)
      if (seq >= head.nextSeq) return
      let before: Head | undefined
      for (const { firstSeq, bytes } of chunks.slice(first)) {
        const chunk: Chunk = openChunk(bytes, firstSeq)
        before = follow(before ?? { nextSeq: chunk.firstSeq, hash: chunk.prevHash }, chunk)
        yield chunk
      }
    },
    close: () => Promise.resolve(),
  }
}
