import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { LexoraError } from '@lexora/protocol'

/** Bytes read at a time: large enough that the hash and not the calls takes the time. */
const CHUNK_BYTES = 1024 * 1024

/** SHA-256 of a file in lower-case hex, read as a stream. Throws `not_found` when it cannot be read. */
export async function sha256OfFile(path: string): Promise<string> {
  const hash = createHash('sha256')
  try {
    for await (const chunk of createReadStream(path, { highWaterMark: CHUNK_BYTES })) {
      hash.update(chunk as Uint8Array)
    }
  } catch (error) {
    throw new LexoraError('not_found', 'The model file cannot be read.', { cause: error })
  }
  return hash.digest('hex')
}
