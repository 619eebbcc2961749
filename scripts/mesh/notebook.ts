import { randomBytes } from 'node:crypto'
import { readFile, rename, writeFile } from 'node:fs/promises'
import { MeshError } from './mesh-error.ts'

/** What the demo keeps in its home folder between starts. */
export interface Notes {
  /** For whoever opens the file. */
  readonly about: string
  prices?: true
  developer?: { accountId: string; apiKey: string; granted?: true }
  /** By the process's name. */
  enrolments: Record<string, Enrolment>
}

/** Admission of one process. */
export interface Enrolment {
  token: string
  /** Unix ms; of no matter once it was used. */
  expiresAtMs: number
  /** The process was seen as a member. */
  used?: true
}

/** Notes on the disk, 0600: they hold secrets. */
export interface Notebook {
  readonly notes: Notes
  /** Writes the notes whole, after those before them. */
  save(): Promise<void>
}

const ABOUT =
  'Secrets of a demonstration on one machine. A real ledger shows a key or a token once and keeps only its hash; ' +
  'here they are kept, so that every start can print the key again.'

/** Opens the notes of a home folder. Throws {@link MeshError} where the file holds something else. */
export async function openNotebook(path: string): Promise<Notebook> {
  const notes = await read(path)
  let saving: Promise<void> = Promise.resolve()
  return {
    notes,
    save: () => {
      const save = saving.then(() => writeWhole(path, notes))
      saving = save.catch(() => undefined)
      return save
    },
  }
}

/** Writes a file of JSON whole or not at all, 0600. */
export async function writeWhole(path: string, value: unknown): Promise<void> {
  const temporary = `${path}.${randomBytes(6).toString('hex')}`
  await writeFile(temporary, `${JSON.stringify(value, undefined, 2)}\n`, { mode: 0o600 })
  await rename(temporary, path)
}

async function read(path: string): Promise<Notes> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
  if (text === undefined) return { about: ABOUT, enrolments: {} }
  try {
    const notes = JSON.parse(text) as Notes
    if (typeof notes.enrolments === 'object') return notes
  } catch {
    // Said below, like any other content that is not ours.
  }
  throw new MeshError(`${path} is damaged; move the folder away to begin anew`)
}
