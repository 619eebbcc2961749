import { existsSync } from 'node:fs'
import { chmod, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { LexoraError } from '@lexora/protocol'
import { z } from 'zod'
import { genesisChunk } from './genesis.ts'
import { BACKUP_JOURNAL, type BackupManifest, checkBackup, readBackup } from './store/backup.ts'
import { entriesOf, journalDamaged } from './store/chunk.ts'
import {
  importLevelStore,
  initLevelStore,
  type LevelStoreOptions,
  openLevelStore,
} from './store/level-store.ts'
import type { Store } from './store/store.ts'

/** Where a ledger keeps its things. */
export interface LedgerHome {
  directory: string
  journal: string
  /** Copies of the state; everything in them can be made again from the journal. */
  snapshots: string
  /** Says that there is a ledger here and which one, so that an empty journal is never taken for a new one. */
  marker: string
  adminSocket: string
  /** What names people, apart from the journal. */
  people: string
  /** The same as a file: in backups, and here until it was read in. */
  peopleDump: string
  /** Letters, where no mail server is configured. */
  mail: string
  /** The ledger's identity: whoever has this file signs for the network. */
  key: string
}

const markerSchema = z.object({ v: z.literal(1), ledgerId: z.string() })

/** The paths of a ledger's folder. */
export function ledgerHome(directory: string): LedgerHome {
  return {
    directory,
    journal: join(directory, 'journal'),
    snapshots: join(directory, 'snapshots'),
    marker: join(directory, 'ledger.json'),
    adminSocket: join(directory, 'admin.sock'),
    people: join(directory, 'people'),
    peopleDump: join(directory, 'people.jsonl'),
    mail: join(directory, 'mail'),
    key: join(directory, 'peer.key'),
  }
}

/**
 * Makes a new ledger, or leaves the one that is there alone. The journal is made beside its place and moved, and the
 * marker comes last: an init that was cut short can be repeated.
 */
export async function initHome(
  home: LedgerHome,
  components: { clock: () => number; random: (length: number) => Uint8Array },
): Promise<{ ledgerId: string; created: boolean }> {
  const before = await readMarker(home)
  if (before !== undefined) return { ledgerId: before, created: false }
  await mkdir(home.directory, { recursive: true, mode: 0o700 })
  await chmod(home.directory, 0o700)
  const draft = `${home.journal}.new`
  await rm(draft, { recursive: true, force: true })
  await initLevelStore(draft, genesisChunk(components))
  await placeJournal(home, draft)
  const store = await openLevelStore(home.journal)
  const ledgerId = await ledgerIdOf(store)
  await store.close()
  const marker = JSON.stringify({ v: 1, ledgerId })
  await writeFile(`${home.marker}.new`, `${marker}\n`, { mode: 0o600, flush: true })
  await rename(`${home.marker}.new`, home.marker)
  return { ledgerId, created: true }
}

/**
 * Makes the ledger of a backup in a folder that is not there or empty, else throws `conflict`. The marker comes last:
 * a restore that was cut short leaves no ledger. Throws what {@link checkBackup} and {@link readBackup} throw.
 */
export async function restoreHome(home: LedgerHome, from: string): Promise<BackupManifest> {
  const manifest = await checkBackup(from)
  await mkdir(home.directory, { recursive: true, mode: 0o700 })
  if ((await readdir(home.directory)).length > 0) {
    throw new LexoraError('conflict', 'a backup is restored into an empty folder only', {
      facts: { home: home.directory },
    })
  }
  const marker = basename(home.marker)
  try {
    await importLevelStore(home.journal, readBackup(from, manifest))
    const names = manifest.files.map(({ name }) => name).filter((name) => name !== BACKUP_JOURNAL)
    for (const name of [...names.filter((each) => each !== marker), marker]) {
      const bytes = await readFile(join(from, name))
      await writeFile(join(home.directory, name), bytes, { mode: 0o600, flush: true, flag: 'wx' })
    }
  } catch (error) {
    await rm(home.journal, { recursive: true, force: true })
    for (const { name } of manifest.files) await rm(join(home.directory, name), { force: true })
    throw error
  }
  return manifest
}

/** What belongs into a backup beside the journal. */
export function keptFiles(home: LedgerHome): string[] {
  return [home.key, home.marker].filter((path) => existsSync(path))
}

/**
 * Opens the journal of a folder. Throws `not_found` where no ledger was made here, `conflict` where another process
 * has it open, and `journalDamaged`, also for the journal of another ledger.
 */
export async function openHome(home: LedgerHome, options: LevelStoreOptions = {}): Promise<Store> {
  const ledgerId = await readMarker(home)
  if (ledgerId === undefined) {
    throw new LexoraError('not_found', 'there is no ledger in this folder', {
      facts: { home: home.directory, noLedger: true },
    })
  }
  const store = await openLevelStore(home.journal, options).catch((error: unknown) => {
    const isGone = error instanceof LexoraError && error.code === 'not_found'
    throw isGone ? journalDamaged(0, 'its folder is gone', error) : error
  })
  try {
    if ((await ledgerIdOf(store)) === ledgerId) return store
    throw journalDamaged(0, 'it belongs to another ledger')
  } catch (error) {
    await store.close()
    throw error
  }
}

/** An earlier init may have moved its journal and not written the marker; with entries in it, it is no leftover. */
async function placeJournal(home: LedgerHome, draft: string): Promise<void> {
  try {
    await rename(draft, home.journal)
  } catch (cause) {
    await rm(draft, { recursive: true, force: true })
    const store = await openLevelStore(home.journal)
    const { nextSeq } = store.head()
    await store.close()
    if (nextSeq === 1) return
    throw new LexoraError('conflict', 'there is a journal without its ledger.json in this folder', {
      facts: { home: home.directory },
      cause,
    })
  }
}

async function readMarker(home: LedgerHome): Promise<string | undefined> {
  let text: string
  try {
    text = await readFile(home.marker, 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
  try {
    return markerSchema.parse(JSON.parse(text)).ledgerId
  } catch (cause) {
    throw journalDamaged(0, 'ledger.json cannot be read', cause)
  }
}

async function ledgerIdOf(store: Store): Promise<string> {
  for await (const chunk of store.readFrom(0)) {
    const [change] = entriesOf(chunk)[0]?.changes ?? []
    if (change?.type === 'genesis') return change.ledgerId
    break
  }
  throw journalDamaged(0, 'it does not begin with its genesis')
}
