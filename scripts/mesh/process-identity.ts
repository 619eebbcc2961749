import { readFileSync } from 'node:fs'

/** A process that can be recognised later: its id alone is given to another one some day. */
export interface ProcessIdentity {
  readonly pid: number
  /** When the kernel started it, in its own units; empty where the system does not tell. */
  readonly startedAt: string
}

/** How to recognise a running process, or undefined where it does not run. */
export function identityOf(pid: number): ProcessIdentity | undefined {
  if (!isAlive(pid)) return undefined
  const stat = statOf(pid)
  // A zombie has ended; only its parent has not asked yet.
  return stat?.state === 'Z' ? undefined : { pid, startedAt: stat?.startedAt ?? '' }
}

/** Whether the process that was seen before still runs. */
export function stillRuns(identity: ProcessIdentity): boolean {
  return identityOf(identity.pid)?.startedAt === identity.startedAt
}

/** The parent's id, or undefined where the system does not tell. */
export function parentOf(pid: number): number | undefined {
  return statOf(pid)?.parent
}

/** The command's short name, or undefined where the system does not tell. */
export function commandNameOf(pid: number): string | undefined {
  return statOf(pid)?.name
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
}

/** Field numbers as in proc(5), counted from behind the name, which may hold spaces and brackets. */
function statOf(
  pid: number,
): { name: string; state: string; parent: number; startedAt: string } | undefined {
  let text: string
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'utf8')
  } catch {
    return undefined
  }
  const name = text.slice(text.indexOf('(') + 1, text.lastIndexOf(')'))
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return {
    name,
    state: fields[0] ?? '',
    parent: Number(fields[1]),
    startedAt: fields[19] ?? '',
  }
}
