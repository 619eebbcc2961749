import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { type FileHandle, mkdir, open, readdir, readFile, rm, statfs } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { LexoraError } from '@lexora/protocol'
import { z } from 'zod'
import { type Chunk, EMPTY_HEAD, follow, type Head, openChunk } from './chunk.ts'
import type { Store } from './store.ts'

/** What a backup holds, kept beside it as `backup.json` and written last: a folder without it is no backup. */
export interface BackupManifest {
  v: 1
  ledgerId: string
  /** Where the journal ended. */
  head: Head
  createdAtMs: number
  files: { name: string; bytes: number; sha256: string }[]
}

/** The journal in a backup: its chunks as they are, each behind its length in four bytes. */
export const BACKUP_JOURNAL = 'journal.chunks'
const MANIFEST = 'backup.json'
/** The ledger stops on a full disk, so a backup onto its own disk must end before. */
const FREE_BYTES_MIN = 1024 ** 3
/** How often the disk is looked at. */
const LOOK_EVERY_BYTES = 64 * 1024 ** 2
/** What is gathered for one write. */
const WRITE_BYTES = 1024 ** 2
/** Far above the 2 MB or so of a full group. */
const CHUNK_BYTES_MAX = 64 * 1024 ** 2
const LENGTH_BYTES = 4

const manifestSchema: z.ZodType<BackupManifest> = z.strictObject({
  v: z.literal(1),
  ledgerId: z.string(),
  head: z.strictObject({ nextSeq: z.number().int().positive(), hash: z.string() }),
  createdAtMs: z.number().int(),
  files: z.array(
    z.strictObject({
      // No way out of the folder.
      name: z.string().regex(/^[a-z][a-z0-9.]*$/),
      bytes: z.number().int().nonnegative(),
      sha256: z.string(),
    }),
  ),
})

/** What {@link writeBackup} is given. */
export interface BackupSource {
  store: Store
  ledgerId: string
  nowMs: number
  /** Small files that belong to the ledger, such as its key. They are read whole. */
  files: readonly string[]
  /** Small texts that are no files yet, by the names that they get. */
  texts?: Readonly<Record<string, string>>
}

/**
 * Copies a ledger into a new folder while it goes on working: everything up to the head at the time of the call, each
 * chunk checked on the way. Throws `conflict` where the folder has something in it, `storage_full` where it would fill
 * the disk, and `journalDamaged`. What it has begun and not finished is removed again.
 */
export async function writeBackup(
  source: BackupSource,
  directory: string,
): Promise<BackupManifest> {
  await mkdir(directory, { recursive: true, mode: 0o700 })
  if ((await readdir(directory)).length > 0) {
    throw new LexoraError('conflict', 'the folder for the backup is not empty', {
      facts: { directory },
    })
  }
  try {
    const { head, ...journal } = await copyJournal(source.store, directory)
    const files = [{ name: BACKUP_JOURNAL, ...journal }]
    for (const path of source.files) {
      const bytes = await readFile(path)
      const name = basename(path)
      await writeDurably(join(directory, name), bytes)
      files.push({ name, bytes: bytes.byteLength, sha256: sha256(bytes) })
    }
    for (const [name, text] of Object.entries(source.texts ?? {})) {
      const bytes = Buffer.from(text)
      await writeDurably(join(directory, name), bytes)
      files.push({ name, bytes: bytes.byteLength, sha256: sha256(bytes) })
    }
    const { ledgerId, nowMs } = source
    const manifest: BackupManifest = { v: 1, ledgerId, head, createdAtMs: nowMs, files }
    await writeDurably(join(directory, MANIFEST), `${JSON.stringify(manifest, undefined, 2)}\n`)
    return manifest
  } catch (error) {
    for (const name of await readdir(directory)) await rm(join(directory, name), { force: true })
    throw error
  }
}

/**
 * Reads a backup's manifest and checks every file against it. Throws `not_found` where there is no backup and
 * `malformed` where one is not as it was written.
 */
export async function checkBackup(directory: string): Promise<BackupManifest> {
  const text = await readFile(join(directory, MANIFEST), 'utf8').catch(() => undefined)
  if (text === undefined) {
    throw new LexoraError('not_found', 'there is no whole backup in this folder', {
      facts: { directory },
    })
  }
  const manifest = readManifest(text)
  for (const { name, bytes, sha256: wanted } of manifest.files) {
    const hash = createHash('sha256')
    let length = 0
    try {
      for await (const data of createReadStream(join(directory, name))) {
        length += (data as Buffer).byteLength
        hash.update(data as Buffer)
      }
    } catch (cause) {
      throw damagedBackup(`${name} cannot be read`, cause)
    }
    if (length !== bytes || hash.digest('hex') !== wanted) {
      throw damagedBackup(`${name} is not as it was written`)
    }
  }
  return manifest
}

/** The chunks of a backup, checked and linked up to its head. Throws `malformed`. */
export async function* readBackup(
  directory: string,
  manifest: BackupManifest,
): AsyncGenerator<Chunk, void, undefined> {
  const file = await open(join(directory, BACKUP_JOURNAL), 'r')
  try {
    let head = EMPTY_HEAD
    for await (const bytes of recordsOf(file)) {
      const chunk = openChunk(bytes, head.nextSeq)
      head = follow(head, chunk)
      yield chunk
    }
    if (head.nextSeq !== manifest.head.nextSeq || head.hash !== manifest.head.hash) {
      throw damagedBackup('its journal does not end where backup.json says')
    }
  } finally {
    await file.close()
  }
}

async function copyJournal(
  store: Store,
  directory: string,
): Promise<{ head: Head; bytes: number; sha256: string }> {
  const file = await open(join(directory, BACKUP_JOURNAL), 'wx', 0o600)
  const hash = createHash('sha256')
  let head = EMPTY_HEAD
  let bytes = 0
  let lookAt = 0
  let gathered: Uint8Array[] = []
  let waiting = 0
  async function flush(): Promise<void> {
    if (bytes >= lookAt) {
      await checkRoom(directory)
      lookAt = bytes + LOOK_EVERY_BYTES
      await file.datasync()
    }
    await file.writev(gathered)
    gathered = []
    waiting = 0
  }
  try {
    for await (const chunk of store.readFrom(0)) {
      head = follow(head, chunk)
      const record = [lengthOf(chunk.bytes), chunk.bytes]
      for (const part of record) hash.update(part)
      gathered.push(...record)
      bytes += LENGTH_BYTES + chunk.bytes.byteLength
      waiting += chunk.bytes.byteLength
      if (waiting >= WRITE_BYTES) await flush()
    }
    await flush()
    await file.sync()
  } finally {
    await file.close()
  }
  return { head, bytes, sha256: hash.digest('hex') }
}

async function* recordsOf(file: FileHandle): AsyncGenerator<Uint8Array, void, undefined> {
  const prefix = Buffer.alloc(LENGTH_BYTES)
  for (;;) {
    const { bytesRead } = await file.read(prefix, 0, LENGTH_BYTES)
    if (bytesRead === 0) return
    const length = prefix.readUInt32BE()
    if (bytesRead < LENGTH_BYTES || length > CHUNK_BYTES_MAX) throw damagedBackup('a length is cut')
    const bytes = Buffer.alloc(length)
    const body = await file.read(bytes, 0, length)
    if (body.bytesRead < length) throw damagedBackup('a chunk is cut short')
    yield bytes
  }
}

async function checkRoom(directory: string): Promise<void> {
  const { bavail, bsize } = await statfs(directory)
  if (bavail * bsize >= FREE_BYTES_MIN) return
  throw new LexoraError('storage_full', 'the backup would fill the disk', { facts: { directory } })
}

async function writeDurably(path: string, data: string | Uint8Array): Promise<void> {
  const file = await open(path, 'wx', 0o600)
  try {
    await file.writeFile(data)
    await file.sync()
  } finally {
    await file.close()
  }
}

function readManifest(text: string): BackupManifest {
  try {
    return manifestSchema.parse(JSON.parse(text))
  } catch (cause) {
    throw damagedBackup('backup.json cannot be read', cause)
  }
}

function damagedBackup(what: string, cause?: unknown): LexoraError {
  return new LexoraError('malformed', `the backup is damaged: ${what}`, { cause })
}

function lengthOf(bytes: Uint8Array): Uint8Array {
  const prefix = Buffer.alloc(LENGTH_BYTES)
  prefix.writeUInt32BE(bytes.byteLength)
  return prefix
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}
