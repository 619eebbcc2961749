import { mkdir, stat } from 'node:fs/promises'
import { LexoraError } from '@lexora/protocol'
import { type IteratorOptions, Level } from 'level'
import { type Chunk, EMPTY_HEAD, follow, type Head, journalDamaged, openChunk } from './chunk.ts'
import type { Store } from './store.ts'

type Database = Level<Uint8Array, Uint8Array>

/** What one round trip into LevelDB brings back while reading; its default of 16 KB costs a round trip per chunk. */
const READ_AHEAD_BYTES = 1024 ** 2

/**
 * Makes a journal directory with its first chunk. Throws `conflict` where there is a journal already.
 * The only place that creates a database: anywhere else an empty one means that the journal is gone.
 */
export async function initLevelStore(directory: string, genesis: Chunk): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 })
  const database = await openDatabase(directory, { createIfMissing: true, errorIfExists: true })
  try {
    await database.put(keyOf(genesis.firstSeq), genesis.bytes, { sync: true })
  } finally {
    await database.close()
  }
}

/** Makes a journal directory of chunks that were read and checked before. Throws `conflict` where there is one. */
export async function importLevelStore(
  directory: string,
  chunks: AsyncIterable<Chunk>,
): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 })
  const database = await openDatabase(directory, { createIfMissing: true, errorIfExists: true })
  try {
    let batch = database.batch()
    let bytes = 0
    for await (const chunk of chunks) {
      batch.put(keyOf(chunk.firstSeq), chunk.bytes)
      bytes += chunk.bytes.byteLength
      if (bytes < READ_AHEAD_BYTES) continue
      await batch.write()
      batch = database.batch()
      bytes = 0
    }
    await batch.write({ sync: true })
  } finally {
    await database.close()
  }
}

/** Options of {@link openLevelStore}. */
export interface LevelStoreOptions {
  /**
   * `all` (default) reads the whole journal. `ends` looks at its first and last chunk, for whoever goes on to read
   * what it needs, since every reading checks what it reads; the time does not grow with the journal.
   */
  check?: 'all' | 'ends'
}

/**
 * Opens a journal and checks it. Throws `not_found` where there is none, `conflict` where another process has it
 * open, and `journalDamaged`. Never repairs: LevelDB's repair drops what it cannot read.
 */
export async function openLevelStore(
  directory: string,
  { check = 'all' }: LevelStoreOptions = {},
): Promise<Store> {
  const found = await stat(directory).catch(() => undefined)
  if (found?.isDirectory() !== true) {
    throw new LexoraError('not_found', 'there is no journal here', { facts: { directory } })
  }
  const database = await openDatabase(directory, { createIfMissing: false, errorIfExists: false })
  try {
    const head = check === 'all' ? await headOfAll(database) : await headOfEnds(database)
    if (head.nextSeq === 0) throw journalDamaged(0, 'it is empty, and a journal never is')
    return storeOf(database, head)
  } catch (error) {
    await database.close()
    throw error
  }
}

function storeOf(database: Database, opened: Head): Store {
  let head = opened
  let isClosed = false
  return {
    head: () => head,
    async append(chunk) {
      if (chunk.firstSeq !== head.nextSeq || chunk.prevHash !== head.hash) {
        throw new LexoraError('conflict', 'the chunk does not follow the journal')
      }
      // One put is one LevelDB log record, so a group is there whole or not at all; `sync` is fdatasync.
      await database.put(keyOf(chunk.firstSeq), chunk.bytes, { sync: true })
      head = follow(head, chunk)
    },
    async *readFrom(seq) {
      const end = head
      if (seq >= end.nextSeq) return
      let hash = ''
      for await (const chunk of chunksOf(database, await firstKey(database, seq))) {
        if (chunk.firstSeq >= end.nextSeq) break
        hash = chunk.hash
        yield chunk
      }
      if (hash !== end.hash) throw journalDamaged(end.nextSeq, 'its end is not what was written')
    },
    async close() {
      if (isClosed) return
      isClosed = true
      await database.close()
    },
  }
}

async function headOfAll(database: Database): Promise<Head> {
  let head = EMPTY_HEAD
  for await (const chunk of chunksOf(database)) head = follow(head, chunk)
  return head
}

async function headOfEnds(database: Database): Promise<Head> {
  for await (const chunk of chunksOf(database)) {
    follow(EMPTY_HEAD, chunk)
    break
  }
  for await (const [key, bytes] of recordsOf(database, { reverse: true, limit: 1 })) {
    const seq = seqOf(key)
    const chunk = openChunk(bytes, seq)
    return follow({ nextSeq: seq, hash: chunk.prevHash }, chunk)
  }
  return EMPTY_HEAD
}

/** Chunks in order, from a key or the beginning, each checked and linked to the one before. */
async function* chunksOf(
  database: Database,
  from?: Uint8Array,
): AsyncGenerator<Chunk, void, undefined> {
  let head: Head | undefined = from === undefined ? EMPTY_HEAD : undefined
  // Chunks are read once and in order: fetch many at a time, and leave the cache to others.
  const reading = { highWaterMarkBytes: READ_AHEAD_BYTES, fillCache: false }
  const range = from === undefined ? reading : { ...reading, gte: from }
  for await (const [key, bytes] of recordsOf(database, range)) {
    const seq = seqOf(key)
    const chunk = openChunk(bytes, seq)
    if (chunk.firstSeq !== seq) throw journalDamaged(seq, 'a chunk lies in the place of another')
    head = follow(head ?? { nextSeq: seq, hash: chunk.prevHash }, chunk)
    yield chunk
  }
}

/** Records as LevelDB has them. What it cannot read is damage, whether it says so or misses a file. */
async function* recordsOf(
  database: Database,
  range: IteratorOptions<Uint8Array, Uint8Array>,
): AsyncGenerator<[Uint8Array, Uint8Array], void, undefined> {
  try {
    yield* database.iterator(range)
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    const isDamage = code === 'LEVEL_CORRUPTION' || code === 'LEVEL_IO_ERROR'
    throw isDamage ? journalDamaged(0, 'LevelDB cannot read it', error) : error
  }
}

/** The key of the chunk that holds an entry: the last one at or before it. */
async function firstKey(database: Database, seq: number): Promise<Uint8Array> {
  const before = { lte: keyOf(seq), reverse: true, limit: 1 }
  for await (const [key] of recordsOf(database, before)) return key
  throw journalDamaged(seq, 'entries are missing')
}

async function openDatabase(
  directory: string,
  options: { createIfMissing: boolean; errorIfExists: boolean },
): Promise<Database> {
  const database: Database = new Level(directory, {
    keyEncoding: 'view',
    valueEncoding: 'view',
    ...options,
  })
  try {
    await database.open()
    return database
  } catch (error) {
    throw openingError(directory, error)
  }
}

function openingError(directory: string, error: unknown): LexoraError {
  const cause = error instanceof Error ? error.cause : undefined
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined
  const text = cause instanceof Error ? cause.message : String(error)
  if (code === 'LEVEL_LOCKED') {
    return new LexoraError('conflict', 'another process has this ledger open', {
      facts: { directory, locked: true },
      cause: error,
    })
  }
  if (text.includes('error_if_exists')) {
    return new LexoraError('conflict', 'there is a journal here already', {
      facts: { directory },
      cause: error,
    })
  }
  if (text.includes('No space left')) {
    return new LexoraError('storage_full', 'the disk is full: the journal cannot be opened', {
      facts: { directory },
      cause: error,
    })
  }
  if (/Read-only file system|Permission denied/.test(text)) {
    return new LexoraError('ledger_unavailable', 'the journal’s folder cannot be written to', {
      facts: { directory },
      cause: error,
    })
  }
  return journalDamaged(0, 'the database cannot be opened', error)
}

function keyOf(seq: number): Uint8Array {
  const key = Buffer.alloc(8)
  key.writeBigUInt64BE(BigInt(seq))
  return key
}

function seqOf(key: Uint8Array): number {
  if (key.byteLength !== 8) throw journalDamaged(0, 'it holds a record that is not a chunk')
  return Number(Buffer.from(key.buffer, key.byteOffset, 8).readBigUInt64BE())
}
