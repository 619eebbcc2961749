import { type ChildProcess, spawn } from 'node:child_process'
import { appendFileSync, closeSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { lastError, logLength, openLog } from './log-file.ts'
import { MeshError } from './mesh-error.ts'

/** How long a process may take from its start to its ready line, in ms; about 2 s on two idle cores. */
const READY_MS = 30_000
/** How long one may take to finish its work and end after SIGTERM, in ms. */
const STOP_MS = 10_000
/** Waits before a restart, in ms: doubled with each death within the last minute. */
const RESTART_MS = { first: 500, max: 8_000 } as const
/** So many deaths within so many ms are an accident each; more of them have a cause that stays. */
const DEATHS = { max: 5, withinMs: 60_000 } as const
/** Exit codes by which our command lines say that another start ends the same way. */
const FINAL_CODES: ReadonlySet<number> = new Set([2, 3, 4, 6, 8, 9])

/** One of the mesh's processes: what to run. */
export interface DaemonSpec {
  /** Such as `gateway-1`. */
  name: string
  /** Path of the built command line, run with plain node. */
  command: string
  args: readonly string[]
  /** Environment beside what node itself needs. */
  env: NodeJS.ProcessEnv
  logFile: string
  /** Whether it is started again when it dies. */
  restart: boolean
}

/** What a daemon prints when it is ready. */
export interface ReadyLine {
  peerId: string
  addresses: string[]
  /** Gateways only. */
  url?: string
}

/** What a daemon tells. */
export interface DaemonEvents {
  /** One line for people: deaths and restarts. */
  log: (line: string) => void
  /** A process began or ended. */
  onPid: () => void
  /** It died and is not started again. */
  onHopeless: (error: MeshError) => void
}

/** A process that is kept running. */
export interface Daemon {
  readonly name: string
  readonly logFile: string
  /** The process, or undefined between a death and the next start. */
  readonly child: ChildProcess | undefined
  readonly pid: number | undefined
  /** What it said when it was last ready. Throws before. */
  readonly ready: ReadyLine
  /**
   * Starts it; resolves at its ready line. Throws {@link MeshError} naming the cause and the log where it dies for
   * good or is not ready in time. May be called again after {@link stop}, or after a death that nobody mends.
   */
  start(): Promise<ReadyLine>
  /** Sends a signal as an accident: the daemon is started again if its spec says so. Resolves when it has ended. */
  kill(signal?: NodeJS.Signals): Promise<void>
  /** Ends it for good: SIGTERM, and SIGKILL after a deadline. May be called twice. */
  stop(graceMs?: number): Promise<void>
  /** Ends it at once and waits for nothing: for the last moment of the parent. */
  destroy(): void
}

interface Run {
  child: ChildProcess
  ended: Promise<void>
  /** Where its lines begin in the log. */
  logFrom: number
  /** Why we ended it ourselves, if we did. */
  reason?: string
}

/** Makes a daemon; nothing runs before its start. */
export function createDaemon(spec: DaemonSpec, events: DaemonEvents): Daemon {
  return new KeptDaemon(spec, events)
}

class KeptDaemon implements Daemon {
  readonly #spec: DaemonSpec
  readonly #events: DaemonEvents
  #run: Run | undefined
  #ready: ReadyLine | undefined
  #wanted = false
  #deathsAtMs: number[] = []
  #restart: NodeJS.Timeout | undefined
  #started: PromiseWithResolvers<ReadyLine> | undefined

  constructor(spec: DaemonSpec, events: DaemonEvents) {
    this.#spec = spec
    this.#events = events
  }

  get name(): string {
    return this.#spec.name
  }

  get logFile(): string {
    return this.#spec.logFile
  }

  get child(): ChildProcess | undefined {
    return this.#run?.child
  }

  get pid(): number | undefined {
    return this.#run?.child.pid
  }

  get ready(): ReadyLine {
    if (this.#ready === undefined) throw new MeshError(`${this.name} has never been ready`)
    return this.#ready
  }

  start(): Promise<ReadyLine> {
    if (this.#wanted && this.#started !== undefined) return this.#started.promise
    const started = Promise.withResolvers<ReadyLine>()
    // Whoever asked may have stopped listening.
    started.promise.catch(() => undefined)
    this.#started = started
    this.#wanted = true
    this.#deathsAtMs = []
    this.#launch()
    return started.promise
  }

  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const run = this.#run
    run?.child.kill(signal)
    await run?.ended
  }

  async stop(graceMs: number = STOP_MS): Promise<void> {
    this.#wanted = false
    clearTimeout(this.#restart)
    this.#started?.reject(new MeshError(`${this.name} was stopped`))
    const run = this.#run
    if (run === undefined) return
    run.child.kill('SIGTERM')
    const deadline = setTimeout(() => {
      this.#events.log(`${this.name} did not stop within ${graceMs / 1000} s: killed`)
      killGroup(run.child)
    }, graceMs)
    await run.ended
    clearTimeout(deadline)
  }

  destroy(): void {
    this.#wanted = false
    clearTimeout(this.#restart)
    if (this.#run !== undefined) killGroup(this.#run.child)
  }

  #launch(): void {
    const { command, args, env, logFile } = this.#spec
    const log = openLog(logFile)
    const child = spawn(process.execPath, [command, ...args], {
      // A group of its own: Ctrl-C reaches the parent alone, which ends its children in order. When the parent is
      // killed, the channel closes and the child ends by itself.
      detached: true,
      stdio: ['ignore', 'pipe', log, 'ipc'],
      env,
    })
    closeSync(log)
    const ended = Promise.withResolvers<void>()
    const run: Run = { child, ended: ended.promise, logFrom: logLength(logFile) }
    this.#run = run
    const deadline = setTimeout(() => {
      run.reason = `was not ready within ${READY_MS / 1000} s`
      killGroup(child)
    }, READY_MS)
    const end = (how: string, code: number | null): void => {
      clearTimeout(deadline)
      if (this.#run !== run) return
      this.#run = undefined
      ended.resolve()
      this.#events.onPid()
      if (this.#wanted) this.#died(run, how, code)
    }
    child.once('error', (error) => end(`could not be started: ${error.message}`, null))
    child.once('exit', (code, signal) => end(exitWords(code, signal), code))
    if (child.stdout !== null) {
      createInterface({ input: child.stdout }).on('line', (line) => {
        const ready = parseReady(line)
        if (ready === undefined) return appendFileSync(logFile, `${line}\n`)
        clearTimeout(deadline)
        this.#isReady(ready)
      })
    }
    this.#events.onPid()
  }

  #isReady(ready: ReadyLine): void {
    this.#ready = ready
    if (this.#deathsAtMs.length > 0) this.#events.log(`${this.name} is back (process ${this.pid})`)
    this.#started?.resolve(ready)
  }

  /** Says what happened, and what follows from it. */
  #died(run: Run, how: string, code: number | null): void {
    const { restart, logFile } = this.#spec
    const nowMs = Date.now()
    this.#deathsAtMs = this.#deathsAtMs.filter((atMs) => nowMs - atMs < DEATHS.withinMs)
    this.#deathsAtMs.push(nowMs)
    const error = lastError(logFile, run.logFrom)
    const cause = `${this.name} ${run.reason ?? how}${error === undefined ? '' : `: ${error}`} (log: ${logFile})`
    if (!restart) {
      this.#events.log(cause)
      return this.#giveUp(new MeshError(cause))
    }
    const isFinal = FINAL_CODES.has(code ?? -1) || (run.reason !== undefined && !this.#ready)
    if (isFinal || this.#deathsAtMs.length > DEATHS.max) {
      const times = isFinal ? '' : `; died ${this.#deathsAtMs.length} times within a minute`
      const hopeless = new MeshError(`${cause}${times}`)
      this.#giveUp(hopeless)
      return this.#events.onHopeless(hopeless)
    }
    const delayMs = Math.min(RESTART_MS.max, RESTART_MS.first * 2 ** (this.#deathsAtMs.length - 1))
    this.#events.log(`${cause}; starting it again in ${delayMs / 1000} s`)
    this.#restart = setTimeout(() => this.#launch(), delayMs)
  }

  #giveUp(error: MeshError): void {
    this.#wanted = false
    this.#started?.reject(error)
  }
}

function parseReady(line: string): ReadyLine | undefined {
  try {
    const { event, ...ready } = JSON.parse(line) as ReadyLine & { event?: string }
    return event === 'ready' ? ready : undefined
  } catch {
    return undefined
  }
}

function exitWords(code: number | null, signal: NodeJS.Signals | null): string {
  return signal === null ? `ended with exit code ${code}` : `was ended by ${signal}`
}

/** The process and all that it may have started. */
function killGroup(child: ChildProcess): void {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return
  try {
    process.kill(-child.pid, 'SIGKILL')
  } catch {
    // It has ended in this moment.
  }
}
