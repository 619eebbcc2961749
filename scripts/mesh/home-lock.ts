import { randomBytes } from 'node:crypto'
import { link, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { MeshError } from './mesh-error.ts'
import { identityOf, type ProcessIdentity, stillRuns } from './process-identity.ts'

/** How long processes of a killed start may take to end by themselves, in ms, before they are ended. */
const LEFTOVERS_MS = 10_000
/** How often they are looked at, in ms. */
const LOOK_MS = 100

/** What the lock file holds: who started, and whom it started. */
interface LockFile {
  readonly owner: ProcessIdentity
  readonly children: readonly ProcessIdentity[]
}

/** The right to use a home folder. */
export interface HomeLock {
  /** Keeps the running children on record, for the next start in case this one is killed. */
  record(pids: readonly number[]): Promise<void>
  release(): Promise<void>
}

/**
 * Takes the home folder for this process. A lock of a dead process is taken over, once the children that it left have
 * ended. Throws {@link MeshError} with exit code 8 where the owner lives.
 */
export async function lockHome(home: string, log: (line: string) => void): Promise<HomeLock> {
  const path = join(home, 'start.lock')
  const owner = identityOf(process.pid) ?? { pid: process.pid, startedAt: '' }
  for (;;) {
    if (await createWhole(path, { owner, children: [] })) break
    await takeOver(path, home, log)
  }
  let writing: Promise<void> = Promise.resolve()
  return {
    record: (pids) => {
      const children = pids.flatMap((pid) => identityOf(pid) ?? [])
      const write = writing.then(() => replace(path, { owner, children }))
      writing = write.catch(() => undefined)
      return write
    },
    release: async () => {
      await writing
      await rm(path, { force: true })
    },
  }
}

/** Removes the lock of a dead process, or throws where it lives. Returns where there is none any more. */
async function takeOver(path: string, home: string, log: (line: string) => void): Promise<void> {
  const found = await read(path)
  if (found === undefined) return
  if (stillRuns(found.owner)) {
    const { pid } = found.owner
    throw new MeshError(
      `already running in ${home} (process ${pid}); stop it with: kill ${pid}, or choose another --home`,
      { exitCode: 8 },
    )
  }
  await endLeftovers(found.children, log)
  // Two starts may find the same dead lock: whoever moves a living one by mistake puts it back.
  const aside = `${path}.${randomBytes(6).toString('hex')}`
  await rename(path, aside).catch(() => undefined)
  const moved = await read(aside)
  if (moved !== undefined && stillRuns(moved.owner)) {
    await link(aside, path).catch(() => undefined)
  }
  await rm(aside, { force: true })
}

/** Children end by themselves when their parent is gone. Those that hang are ended. */
async function endLeftovers(
  children: readonly ProcessIdentity[],
  log: (line: string) => void,
): Promise<void> {
  let left = children.filter(stillRuns)
  if (left.length === 0) return
  log(`the last start was killed: waiting for the ${left.length} processes that it left`)
  for (const end = Date.now() + LEFTOVERS_MS; left.length > 0 && Date.now() < end; ) {
    await delay(LOOK_MS)
    left = left.filter(stillRuns)
  }
  for (const { pid } of left) {
    log(`process ${pid}, left by the last start, does not end: killing it`)
    process.kill(pid, 'SIGKILL')
  }
}

/** Writes the file whole under its name, or returns false where the name is taken. */
async function createWhole(path: string, lock: LockFile): Promise<boolean> {
  const temporary = `${path}.${randomBytes(6).toString('hex')}`
  await writeFile(temporary, JSON.stringify(lock), { mode: 0o600 })
  try {
    await link(temporary, path)
    return true
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false
    throw error
  } finally {
    await rm(temporary, { force: true })
  }
}

async function replace(path: string, lock: LockFile): Promise<void> {
  const temporary = `${path}.${randomBytes(6).toString('hex')}`
  await writeFile(temporary, JSON.stringify(lock), { mode: 0o600 })
  await rename(temporary, path)
}

/** What the file says; one that says nothing belongs to nobody. */
async function read(path: string): Promise<LockFile | undefined> {
  const text = await readFile(path, 'utf8').catch(() => undefined)
  if (text === undefined) return undefined
  try {
    return JSON.parse(text) as LockFile
  } catch {
    return { owner: { pid: 0, startedAt: 'never' }, children: [] }
  }
}
