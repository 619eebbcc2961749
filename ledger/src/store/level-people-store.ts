import { createHash } from 'node:crypto'
import { mkdir, readFile, rm } from 'node:fs/promises'
import { LexoraError } from '@lexora/protocol'
import { Level } from 'level'
import type { PeopleStore } from '../accounts/people-store.ts'
import { journalDamaged } from './chunk.ts'

const HASH_LENGTH = 64

/**
 * Opens the records about people in a folder; makes an empty one where there is none, and takes in those of a restored
 * backup. Every record carries its own
 * hash, since LevelDB returns flipped bits without a word. Throws `journalDamaged` where LevelDB cannot open it.
 */
export async function openLevelPeopleStore(
  directory: string,
  options: { dumpFile: string },
): Promise<PeopleStore> {
  await mkdir(directory, { recursive: true, mode: 0o700 })
  const database = new Level<string, string>(directory)
  try {
    await database.open()
  } catch (cause) {
    throw journalDamaged(0, 'the records about people cannot be opened', cause)
  }
  await readDump(database, options.dumpFile)
  let hasFailed = false
  let isClosed = false

  function checkOpen(): void {
    if (hasFailed) throw unavailable()
  }

  return {
    async get(key) {
      checkOpen()
      const sealed: string | undefined = await database.get(key)
      return sealed === undefined ? undefined : unseal(key, sealed)
    },
    async write(changes) {
      checkOpen()
      const puts = Object.entries(changes.put ?? {}).map(([key, value]) => ({
        type: 'put' as const,
        key,
        value: seal(key, value),
      }))
      const deletes = (changes.delete ?? []).map((key) => ({ type: 'del' as const, key }))
      try {
        await database.batch([...deletes, ...puts], { sync: true })
      } catch (cause) {
        // LevelDB goes on acknowledging what it has lost.
        hasFailed = true
        throw unavailable(cause)
      }
    },
    async dump() {
      checkOpen()
      const lines: string[] = []
      for await (const [key, sealed] of database.iterator()) {
        unseal(key, sealed)
        lines.push(JSON.stringify([key, sealed]))
      }
      return lines.join('\n')
    },
    async close() {
      if (isClosed) return
      isClosed = true
      await database.close()
    },
  }
}

/** Takes in what a restored backup has left. The file goes once its records are durable. */
async function readDump(database: Level<string, string>, file: string): Promise<void> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
  if (text === undefined) return
  const rows = text === '' ? [] : text.split('\n').map((line) => JSON.parse(line) as unknown)
  const puts = rows.map((row) => {
    const [key, value] = row as [string, string]
    unseal(key, value)
    return { type: 'put' as const, key, value }
  })
  await database.batch(puts, { sync: true })
  await rm(file)
}

function seal(key: string, value: unknown): string {
  const json = JSON.stringify(value)
  return hashOf(key, json) + json
}

function unseal(key: string, sealed: string): unknown {
  const json = sealed.slice(HASH_LENGTH)
  if (hashOf(key, json) !== sealed.slice(0, HASH_LENGTH)) {
    throw journalDamaged(0, 'a record about a person is not as it was written')
  }
  return JSON.parse(json) as unknown
}

function hashOf(key: string, json: string): string {
  return createHash('sha256').update(`${key}\n${json}`).digest('hex')
}

function unavailable(cause?: unknown): LexoraError {
  return new LexoraError('ledger_unavailable', 'the records about people cannot be written', {
    cause,
  })
}
