import { createHash } from 'node:crypto'
import { type FileHandle, mkdir, open, readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { assert } from '@lexora/protocol'
import { z } from 'zod'
import { type FrozenState, type Piece, restorePiece } from '../core/image.ts'
import { fromJson, toJson } from '../core/json.ts'
import type { LedgerState } from '../core/state.ts'
import type { Head } from './chunk.ts'

/** What a snapshot is of. */
export interface SnapshotLabel {
  /** Where the journal ended: the state is the fold of everything before it. */
  head: Head
  /** What the state looks like; a reader of another kind of state leaves the snapshot alone. */
  kind: string
}

/** A state that was read back. */
export interface RestoredState {
  state: LedgerState
  head: Head
  records: number
}

/** Where snapshots are kept. They only save time: one that cannot be read is as good as none. */
export interface SnapshotShelf {
  /**
   * Writes a snapshot in slices and puts it in place once it is durable. Keeps one older. Between two slices it waits
   * for `rest`, which is told how long the last one took, in ms. Throws what the disk and `rest` throw.
   */
  save(label: SnapshotLabel, frozen: FrozenState, rest: Rest): Promise<Saved>
  /** Reads the newest whole snapshot of this kind into a new state; undefined where there is none. */
  restore(kind: string, create: () => LedgerState): Promise<RestoredState | undefined>
}

/** Lets others work for a while; throwing ends the snapshot. */
export type Rest = (tookMs: number) => Promise<void>

/** What {@link SnapshotShelf.save} wrote. */
export interface Saved {
  records: number
  bytes: number
}

const HASH_BYTES = 32
/** A page's length and the hash of all pages up to it. */
const PAGE_HEADER_BYTES = 4 + HASH_BYTES
/** A page's length is believed up to here: 64 records of the longest kind are far below it. */
const PAGE_BYTES_MAX = 64 * 1024 ** 2
/** Some tenths of a millisecond of work: every request may have to wait for it. */
const RECORDS_PER_PAGE = 64
/** So much may lie unsynced: an fdatasync of the journal may have to wait for it. */
const UNSYNCED_BYTES_MAX = 1024 ** 2
/** The newest, and one to fall back to. */
const SNAPSHOTS_KEPT = 2
/** Marks bigints in JSON. */
const TAG = '#'

const labelSchema = z.strictObject({
  v: z.literal(1),
  kind: z.string(),
  head: z.strictObject({ nextSeq: z.number().int().positive(), hash: z.string() }),
})

/**
 * A shelf in a folder: one file per snapshot, named for its head. A file is pages of JSON: the label, the pieces of
 * the state and the number of records; each page carries the SHA-256 over itself and the hash before it.
 */
export function createSnapshotShelf(directory: string): SnapshotShelf {
  return {
    async save(label, frozen, rest) {
      await mkdir(directory, { recursive: true, mode: 0o700 })
      for (const name of await readdir(directory)) {
        if (name.endsWith('.part')) await rm(join(directory, name), { force: true })
      }
      const path = join(directory, fileName(label.head.nextSeq))
      const draft = `${path}.part`
      const file = await open(draft, 'w', 0o600)
      let saved: Saved
      try {
        saved = await writeAll(file, label, { frozen, rest })
        await file.sync()
      } catch (error) {
        await file.close()
        await rm(draft, { force: true })
        throw error
      }
      await file.close()
      await rename(draft, path)
      await syncDirectory(directory)
      const old = (await listSnapshots(directory)).slice(SNAPSHOTS_KEPT)
      for (const name of old) await rm(join(directory, name), { force: true })
      return saved
    },
    async restore(kind, create) {
      for (const name of await listSnapshots(directory)) {
        const restored = await readSnapshot(join(directory, name), kind, create())
        if (restored !== undefined) return restored
      }
      return undefined
    },
  }
}

interface Source {
  frozen: FrozenState
  rest: Rest
}

async function writeAll(file: FileHandle, label: SnapshotLabel, source: Source): Promise<Saved> {
  let hash: Uint8Array = new Uint8Array(HASH_BYTES)
  let bytes = 0
  let unsynced = 0
  async function page(text: string): Promise<void> {
    const body = Buffer.from(text)
    const head = Buffer.alloc(PAGE_HEADER_BYTES)
    head.writeUInt32BE(body.byteLength)
    hash = chained(hash, body)
    head.set(hash, 4)
    await file.writev([head, body])
    bytes += PAGE_HEADER_BYTES + body.byteLength
    unsynced += body.byteLength
    if (unsynced < UNSYNCED_BYTES_MAX) return
    await file.datasync()
    unsynced = 0
  }
  await page(toJson({ v: 1, ...label }))
  let records = 0
  let startMs = performance.now()
  for (const piece of source.frozen.pieces(RECORDS_PER_PAGE)) {
    const text = toJson(piece, TAG)
    records += piece.items.length
    const tookMs = performance.now() - startMs
    await page(text)
    await source.rest(tookMs)
    startMs = performance.now()
  }
  await page(toJson({ end: records }))
  return { records, bytes }
}

/** Undefined for anything but a whole snapshot of this kind: damage here costs nothing but time. */
async function readSnapshot(
  path: string,
  kind: string,
  state: LedgerState,
): Promise<RestoredState | undefined> {
  const file = await open(path, 'r').catch(() => undefined)
  try {
    return file === undefined ? undefined : await readPages(file, kind, state)
  } catch {
    return undefined
  } finally {
    await file?.close()
  }
}

async function readPages(
  file: FileHandle,
  kind: string,
  state: LedgerState,
): Promise<RestoredState | undefined> {
  const pages = pagesOf(file)
  const first = await pages.next()
  const { head, ...label } = labelSchema.parse(JSON.parse(first.value ?? ''))
  if (label.kind !== kind) return undefined
  let records = 0
  for await (const text of pages) {
    const piece = fromJson(text, TAG) as Piece | { end: number }
    if ('end' in piece) {
      const isWhole = piece.end === records && state.nextSeq === head.nextSeq
      return isWhole ? { state, head, records } : undefined
    }
    restorePiece(state, piece)
    records += piece.items.length
  }
  return undefined
}

async function* pagesOf(file: FileHandle): AsyncGenerator<string, void, undefined> {
  let hash: Uint8Array = new Uint8Array(HASH_BYTES)
  const head = Buffer.alloc(PAGE_HEADER_BYTES)
  for (;;) {
    const { bytesRead } = await file.read(head, 0, PAGE_HEADER_BYTES)
    if (bytesRead < PAGE_HEADER_BYTES) return
    const length = head.readUInt32BE()
    assert(length <= PAGE_BYTES_MAX, 'a page has a length that can be')
    const body = Buffer.allocUnsafe(length)
    const read = await file.read(body, 0, length)
    hash = chained(hash, body)
    assert(
      read.bytesRead === length && head.subarray(4).equals(hash),
      'a page is as it was written',
    )
    yield body.toString('utf8')
  }
}

function chained(before: Uint8Array, body: Uint8Array): Buffer {
  return createHash('sha256').update(before).update(body).digest()
}

function fileName(nextSeq: number): string {
  return `${String(nextSeq).padStart(16, '0')}.snapshot`
}

/** Newest first. */
async function listSnapshots(directory: string): Promise<string[]> {
  const names = await readdir(directory).catch(() => [])
  return names
    .filter((name) => /^\d{16}\.snapshot$/.test(name))
    .sort()
    .reverse()
}

async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
