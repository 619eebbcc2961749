import { createHash } from 'node:crypto'
import { LexoraError } from '@lexora/protocol'
import { decodeEntries, encodeEntries } from '../core/codec.ts'
import type { Entry } from '../core/entry.ts'

/**
 * One durable group of entries. Its bytes are
 * `sha256 (32) | version 1 (1) | firstSeq (u64) | count (u32) | prevHash (32) | entries`, big-endian; the hash covers
 * everything behind it and so, through prevHash, every chunk before it. LevelDB gives back flipped bits and lost
 * records without an error, so this is what tells.
 */
export interface Chunk {
  firstSeq: number
  count: number
  /** SHA-256, lower-case hex; zeros for the first chunk. */
  prevHash: string
  hash: string
  bytes: Uint8Array
}

/** Where a journal ends: the next sequence number and the hash of its last chunk. */
export interface Head {
  nextSeq: number
  hash: string
}

const HASH_BYTES = 32
const VERSION = 1
const HEADER_BYTES = HASH_BYTES + 1 + 8 + 4 + HASH_BYTES

/** The end of an empty journal. */
export const EMPTY_HEAD: Head = { nextSeq: 0, hash: '0'.repeat(2 * HASH_BYTES) }

/** Makes the chunk that follows a head. */
export function sealChunk(head: Head, entries: readonly Entry[]): Chunk {
  const body = encodeEntries(entries)
  const bytes = Buffer.alloc(HEADER_BYTES + body.byteLength)
  let offset = bytes.writeUInt8(VERSION, HASH_BYTES)
  offset = bytes.writeBigUInt64BE(BigInt(head.nextSeq), offset)
  offset = bytes.writeUInt32BE(entries.length, offset)
  offset += bytes.write(head.hash, offset, 'hex')
  bytes.set(body, offset)
  const digest = sha256(bytes.subarray(HASH_BYTES))
  bytes.set(digest)
  return {
    firstSeq: head.nextSeq,
    count: entries.length,
    prevHash: head.hash,
    hash: digest.toString('hex'),
    bytes,
  }
}

/** Reads a chunk from its bytes and checks its hash. Throws {@link journalDamaged}. */
export function openChunk(bytes: Uint8Array, seq: number): Chunk {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (view.byteLength < HEADER_BYTES) throw journalDamaged(seq, 'a chunk is cut short')
  const digest = sha256(view.subarray(HASH_BYTES))
  if (!digest.equals(view.subarray(0, HASH_BYTES))) {
    throw journalDamaged(seq, 'a chunk does not match its hash')
  }
  if (view.readUInt8(HASH_BYTES) !== VERSION)
    throw journalDamaged(seq, 'a chunk has another format')
  const firstSeq = Number(view.readBigUInt64BE(HASH_BYTES + 1))
  const count = view.readUInt32BE(HASH_BYTES + 9)
  const prevHash = view.toString('hex', HASH_BYTES + 13, HEADER_BYTES)
  return { firstSeq, count, prevHash, hash: digest.toString('hex'), bytes: view }
}

/** The entries of a checked chunk. Throws {@link journalDamaged} where they are not what the header says. */
export function entriesOf(chunk: Chunk): Entry[] {
  try {
    const entries = decodeEntries(chunk.bytes.subarray(HEADER_BYTES), chunk.firstSeq)
    if (entries.length === chunk.count) return entries
  } catch (cause) {
    throw journalDamaged(chunk.firstSeq, 'the entries of a chunk cannot be read', cause)
  }
  throw journalDamaged(chunk.firstSeq, 'a chunk holds another number of entries than it says')
}

/** The head behind a chunk that must follow the given one. Throws {@link journalDamaged}. */
export function follow(head: Head, chunk: Chunk): Head {
  if (chunk.firstSeq !== head.nextSeq || chunk.count < 1) {
    throw journalDamaged(head.nextSeq, 'entries are missing or doubled')
  }
  if (chunk.prevHash !== head.hash) throw journalDamaged(head.nextSeq, 'the hash chain is broken')
  return { nextSeq: chunk.firstSeq + chunk.count, hash: chunk.hash }
}

/** What is thrown for a journal that is not as it was written. Nothing may be built on it: stop, and restore a copy. */
export function journalDamaged(seq: number, what: string, cause?: unknown): LexoraError {
  return new LexoraError('internal', `the journal is damaged at entry ${seq}: ${what}`, {
    facts: { journalDamaged: true, seq },
    cause,
  })
}

/** Whether an error says that the journal is damaged. */
export function isJournalDamaged(error: unknown): error is LexoraError {
  return error instanceof LexoraError && error.facts['journalDamaged'] === true
}

function sha256(bytes: Uint8Array): Buffer {
  return createHash('sha256').update(bytes).digest()
}
