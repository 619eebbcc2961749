import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const PROGRAM = fileURLToPath(new URL('./tortured-program.ts', import.meta.url))

/** Longest wait for anything. A ledger that is silent for so long hangs, and that is a finding. */
const PATIENCE_MS = 60_000

/** Where a journal ended at some time. */
export interface Witness {
  nextSeq: number
  hash: string
}

/** What an operation came to. `lost`: the process ended before it answered, so nobody knows. */
export type Answer<T> =
  | { kind: 'ok'; answer: T }
  | { kind: 'refused'; code: string; message: string; facts: Record<string, unknown> }
  | { kind: 'lost' }

/** Something that the ledger promised and did not keep. */
export class Violation extends Error {
  override readonly name = 'Violation'
}

/** Throws a {@link Violation} where a promise is broken. */
export function must(isKept: boolean, promise: string): asserts isKept {
  if (!isKept) throw new Violation(promise)
}

/** How a worker is started. */
export interface WorkerOptions {
  /** The copy of the sources that it runs. */
  tree: string
  home: string
  seed: string
  environment?: Record<string, string>
}

/** A ledger process under torture. */
export interface Worker {
  ask<T = unknown>(operation: string, input?: unknown): Promise<Answer<T>>
  /** {@link Worker.ask} for what must succeed. Throws a {@link Violation}. */
  demand<T = unknown>(operation: string, input?: unknown): Promise<T>
  kill(): void
  /** The latest head that an acknowledged operation came with. */
  witness(): Witness
  /** Answers with success so far. */
  acknowledged(): number
  /** Resolves when the process has ended and all that it said is read. */
  ended: Promise<{ code: number | null; signal: string | null }>
  /** How long the start took, without the loading of the program: on the clock, and of the processor. */
  openMs: number
  openCpuMs: number
  /** What it wrote to stderr. */
  complaint(): string
}

/** Thrown where a ledger ends or refuses while it starts. */
export class NotStarted extends Error {
  override readonly name = 'NotStarted'
  readonly code: string
  constructor(code: string, message: string) {
    super(message)
    this.code = code
  }
}

type Line = [number | string, Record<string, unknown>]

/** Starts a ledger process and waits until it is open. Throws {@link NotStarted}. */
export async function startWorker(options: WorkerOptions): Promise<Worker> {
  const { tree, home, seed, environment = {} } = options
  const child = spawn(process.execPath, ['--import', 'tsx', PROGRAM, tree, home, seed], {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...process.env, ...environment },
  })
  let complaint = ''
  child.stderr.on('data', (data) => {
    complaint = (complaint + String(data)).slice(-4_000)
  })
  // Writing to a process that was just killed is part of the game.
  child.stdin.on('error', () => undefined)
  const waiting = new Map<number, (line: Record<string, unknown> | undefined) => void>()
  let witness: Witness = { nextSeq: 0, hash: '' }
  let acknowledged = 0
  const opening = deferred<Record<string, unknown>>()
  opening.promise.catch(() => undefined)

  function onLine([id, body]: Line): void {
    const head = body['head'] as Witness | undefined
    if (head !== undefined && head.nextSeq > witness.nextSeq) witness = head
    if (id === 'ready') opening.resolve(body)
    else if (id === 'refused')
      opening.reject(new NotStarted(String(body['code']), String(body['message'])))
    else waiting.get(Number(id))?.(body)
  }

  const ended = endOf(child, onLine).then((end) => {
    opening.reject(new NotStarted('ended', `ended with ${end.code ?? end.signal}: ${complaint}`))
    for (const answer of waiting.values()) answer(undefined)
    return end
  })
  const watch = setTimeout(() => child.kill('SIGKILL'), PATIENCE_MS)
  const opened = await opening.promise.finally(() => clearTimeout(watch))

  let count = 0
  async function ask<T>(operation: string, input: unknown = {}): Promise<Answer<T>> {
    if (child.exitCode !== null || child.signalCode !== null) return { kind: 'lost' }
    const id = (count += 1)
    const { promise, resolve } = deferred<Record<string, unknown> | undefined>()
    waiting.set(id, resolve)
    child.stdin.write(`${JSON.stringify([id, operation, input])}\n`)
    const body = await withPatience(promise, operation)
    waiting.delete(id)
    if (body === undefined) return { kind: 'lost' }
    if (body['ok'] === true) {
      acknowledged += 1
      return { kind: 'ok', answer: body['answer'] as T }
    }
    const { code, message, facts } = body as { code: string; message: string; facts: never }
    return { kind: 'refused', code, message, facts }
  }

  return {
    ask,
    async demand<T>(operation: string, input?: unknown) {
      const answer = await ask<T>(operation, input)
      if (answer.kind === 'ok') return answer.answer
      const why = answer.kind === 'lost' ? `it ended: ${complaint}` : answer.message
      throw new Violation(`${operation} must succeed, but ${why}`)
    },
    kill: () => void child.kill('SIGKILL'),
    witness: () => witness,
    acknowledged: () => acknowledged,
    ended,
    openMs: Number(opened['openMs']),
    openCpuMs: Number(opened['openCpuMs']),
    complaint: () => complaint,
  }
}

async function endOf(child: ChildProcess, onLine: (line: Line) => void) {
  const end = deferred<{ code: number | null; signal: string | null }>()
  child.on('close', (code, signal) => end.resolve({ code, signal }))
  if (child.stdout !== null) {
    const lines = createInterface({ input: child.stdout })
    lines.on('line', (line) => {
      const parsed = parse(line)
      if (parsed !== undefined) onLine(parsed)
    })
  }
  return end.promise
}

function withPatience<T>(promise: Promise<T>, operation: string): Promise<T> {
  const timeout = deferred<never>()
  const timer = setTimeout(
    () => timeout.reject(new Violation(`${operation} must be answered within ${PATIENCE_MS} ms`)),
    PATIENCE_MS,
  )
  return Promise.race([promise, timeout.promise]).finally(() => clearTimeout(timer))
}

/** The last line may be cut by the kill: then nobody was answered. */
function parse(line: string): Line | undefined {
  try {
    return JSON.parse(line) as Line
  } catch {
    return undefined
  }
}

function deferred<T>() {
  let resolve: (value: T) => void = () => undefined
  let reject: (error: unknown) => void = () => undefined
  const promise = new Promise<T>((onValue, onError) => {
    resolve = onValue
    reject = onError
  })
  return { promise, resolve, reject }
}
