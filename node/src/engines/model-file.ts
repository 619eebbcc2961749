import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { open } from 'node:fs/promises'
import { LexoraError } from '@lexora/protocol'

/** Bytes read at a time: large enough that the hash and not the calls takes the time. */
const CHUNK_BYTES = 1024 * 1024

/** A GGUF file begins with this word, its version, and two counts of 64 bits. */
const MAGIC = 'GGUF'
const HEADER_BYTES = 24
const VERSIONS: readonly number[] = [2, 3]

/** More tensors or keys than any model has; a damaged count makes the library search a file for minutes. */
const ENTRIES_MAX = 1_000_000n

function unreadable(error: unknown): LexoraError {
  return new LexoraError('not_found', 'The model file cannot be read.', { cause: error })
}

async function readHeader(path: string): Promise<Buffer> {
  try {
    const file = await open(path)
    try {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(HEADER_BYTES), 0, HEADER_BYTES, 0)
      return buffer.subarray(0, bytesRead)
    } finally {
      await file.close()
    }
  } catch (error) {
    throw unreadable(error)
  }
}

/** Throws `not_found` for a file that cannot be read and `provider_fault` for one that is no GGUF model. */
export async function checkModelFile(path: string): Promise<void> {
  const header = await readHeader(path)
  const sound =
    header.length === HEADER_BYTES &&
    header.toString('latin1', 0, MAGIC.length) === MAGIC &&
    VERSIONS.includes(header.readUInt32LE(4)) &&
    header.readBigUInt64LE(8) <= ENTRIES_MAX &&
    header.readBigUInt64LE(16) <= ENTRIES_MAX
  if (!sound) throw new LexoraError('provider_fault', 'The model file is not a GGUF model.')
}

/** SHA-256 of a file in lower-case hex, read as a stream. Throws `not_found` when it cannot be read. */
export async function sha256OfFile(path: string): Promise<string> {
  const hash = createHash('sha256')
  try {
    for await (const chunk of createReadStream(path, { highWaterMark: CHUNK_BYTES })) {
      hash.update(chunk as Uint8Array)
    }
  } catch (error) {
    throw unreadable(error)
  }
  return hash.digest('hex')
}
