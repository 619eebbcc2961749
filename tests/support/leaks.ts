import { readdir, readFile } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import { Level } from 'level'

/** Texts that must be nowhere, by what they are. */
export type Needles = Readonly<Record<string, string>>

/** Longest stretch of a text that is looked at for another text in base64 within it. */
const ENCODED = /[A-Za-z0-9+/_-]{16,}/g

/**
 * Looks for texts in all files below a folder, whose processes have ended: in the bytes as they are, and in LevelDB
 * record by record, since its files are compressed. Each text also as hex, UTF-16 and base64, at any offset. Returns a
 * line for each find.
 */
export async function findLeaks(folder: string, needles: Needles): Promise<string[]> {
  const finds = new Set<string>()
  const look = (place: string, bytes: Uint8Array): void => {
    for (const name of namesIn(bytes, needles)) finds.add(`${name} in ${relative(folder, place)}`)
  }
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const files = entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
  for (const file of files) look(file, await readFile(file))
  // Last, since opening a database rewrites its files.
  for (const current of files.filter((file) => file.endsWith('/CURRENT'))) {
    const place = dirname(current)
    for await (const [key, value] of recordsOf(place)) {
      look(`${place} (key)`, key)
      look(`${place} (value)`, value)
    }
  }
  return [...finds]
}

/** Names of the needles that some text holds. */
export function namesIn(text: Uint8Array | string, needles: Needles): string[] {
  const bytes = Buffer.from(text)
  const encoded = bytes.toString('latin1').match(ENCODED) ?? []
  // Four offsets: a text in base64 may begin anywhere in a longer run of such characters.
  const decoded = encoded.flatMap((run) =>
    [0, 1, 2, 3].map((offset) => Buffer.from(run.slice(offset), 'base64')),
  )
  const haystacks = [bytes, ...decoded]
  return Object.entries(needles)
    .filter(([, needle]) => {
      const forms = [Buffer.from(needle), Buffer.from(needle, 'utf16le')]
      const hex = Buffer.from(needle).toString('hex')
      const isInHex = bytes.includes(hex) || bytes.includes(hex.toUpperCase())
      return isInHex || haystacks.some((hay) => forms.some((form) => hay.includes(form)))
    })
    .map(([name]) => name)
}

async function* recordsOf(path: string): AsyncGenerator<[Uint8Array, Uint8Array]> {
  const database = new Level<Uint8Array, Uint8Array>(path, {
    keyEncoding: 'view',
    valueEncoding: 'view',
    createIfMissing: false,
  })
  try {
    yield* database.iterator()
  } finally {
    await database.close()
  }
}
