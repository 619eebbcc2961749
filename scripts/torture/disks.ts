import { execFileSync } from 'node:child_process'
import {
  appendFileSync,
  cpSync,
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Random } from './random.ts'
import type { Worker } from './tortured-process.ts'

const COMPILER = 'gcc'
const SHIM_SOURCE = fileURLToPath(new URL('./disk.c', import.meta.url))

/** How a ledger's life ends, and what its folder is afterwards. */
export interface Disk {
  /** For the ledger's process. */
  environment(): Record<string, string>
  /** Before each start: the folder is as the last crash left it. `alsoDuring`: the start itself may be cut. */
  beforeStart(random: Random, alsoDuring: boolean): void
  /** Sees to it that the running ledger ends soon. Returns what kind of end it will be. */
  arm(worker: Worker, random: Random): string
  /** After the end: makes the folder what a restarted machine would find. */
  afterEnd(random: Random): string
  /** Whether the process is to end by itself, with a code that says so. */
  endsItself: boolean
}

/** The process is killed and the machine stays: everything written is there, synced or not. */
export function killedProcess(): Disk {
  return {
    endsItself: false,
    environment: () => ({}),
    beforeStart: () => undefined,
    arm(worker, random) {
      setTimeout(() => worker.kill(), random.between(5, 500))
      return 'kill -9'
    },
    afterEnd: () => '',
  }
}

/** Builds the shim that {@link powerCut} and {@link failingDisk} put under the process. Needs a C compiler. */
export function buildShim(folder: string): string {
  const library = join(folder, 'disk.so')
  const flags = ['-O1', '-shared', '-fPIC', '-o', library, SHIM_SOURCE, '-ldl', '-lpthread']
  execFileSync(COMPILER, flags, { stdio: ['ignore', 'ignore', 'inherit'] })
  return library
}

/** Whether {@link buildShim} can work here. */
export function hasShim(): boolean {
  if (process.platform !== 'linux') return false
  try {
    execFileSync(COMPILER, ['--version'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

/** What the shim needs. */
export interface ShimOptions {
  library: string
  home: string
  /** For the durable image and the orders. */
  folder: string
}

function shim({ library, home, folder }: ShimOptions) {
  const image = join(folder, 'image')
  const orders = join(folder, 'order')
  let generation = 0
  return {
    image,
    environment: () => ({
      LD_PRELOAD: library,
      DISK_HOME: home,
      DISK_IMAGE: image,
      DISK_ORDER: orders,
    }),
    order(kind: string, syncs: number, argument = 0): void {
      generation += 1
      writeFileSync(orders, `${generation} ${kind} ${syncs} ${argument}\n`)
    },
    /** What is on the disk now is durable. */
    settle(): void {
      rmSync(image, { recursive: true, force: true })
      if (existsSync(home)) cpSync(home, image, { recursive: true })
    },
  }
}

/** Ways in which the bytes that were written and not synced may survive a power cut. */
const TAILS = ['lost', 'torn', 'zeroed', 'flipped'] as const

/** The power goes: what was not synced is gone, torn, zeroed or flipped. `lies`: the disk only says that it synced. */
export function powerCut(options: ShimOptions & { lies?: boolean }): Disk {
  const parts = shim(options)
  return {
    endsItself: false,
    environment: parts.environment,
    beforeStart(random, alsoDuring) {
      parts.settle()
      if (alsoDuring) parts.order(random.pick(['before', 'after']), random.between(1, 4))
      else parts.order('none', 0)
    },
    arm(_, random) {
      const kind = options.lies === true ? 'lie' : random.pick(['before', 'after'])
      const syncs = random.between(1, 60)
      parts.order(kind, syncs)
      return `power cut ${kind} sync ${syncs}`
    },
    afterEnd(random) {
      const tail = random.pick(TAILS)
      cutFolder(options.home, parts.image, { tail, random })
      return `tail ${tail}`
    },
  }
}

/** Replaces a folder by its durable image, with what may have survived of the rest. */
function cutFolder(
  home: string,
  image: string,
  { tail, random }: { tail: (typeof TAILS)[number]; random: Random },
): void {
  for (const name of tail === 'lost' ? [] : listFiles(image)) {
    const seen = join(home, name)
    const durable = join(image, name)
    if (!existsSync(seen)) continue
    const extra = readFileSync(seen).subarray(statSync(durable).size)
    if (extra.length > 0) appendFileSync(durable, survivor(Buffer.from(extra), tail, random))
  }
  rmSync(home, { recursive: true, force: true })
  cpSync(image, home, { recursive: true })
}

function survivor(extra: Buffer, tail: (typeof TAILS)[number], random: Random): Buffer {
  const part = extra.subarray(0, random.between(0, extra.length))
  if (tail === 'zeroed') return part.fill(0)
  if (tail === 'flipped' && part.length > 0) flipBit(part, random)
  return part
}

/** Flips one bit somewhere. */
export function flipBit(bytes: Buffer, random: Random): void {
  const at = random.below(bytes.length)
  bytes.writeUInt8(bytes.readUInt8(at) ^ (1 << random.below(8)), at)
}

/** Every file below a folder, relative to it. */
export function listFiles(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((each) => each.isFile())
    .map((each) => join(each.parentPath, each.name).slice(folder.length + 1))
    .sort()
}

/** The disk fails (`eio`) or is full (`full`) from some sync on; the process must notice and end itself. */
export function failingDisk(options: ShimOptions, kind: 'eio' | 'full'): Disk {
  const parts = shim(options)
  return {
    endsItself: true,
    environment: parts.environment,
    beforeStart() {
      parts.settle()
      parts.order('none', 0)
    },
    arm(_, random) {
      const syncs = random.between(1, 40)
      // A full disk takes part of a write: 0 to 2,000 bytes of what is some hundred bytes a command.
      parts.order(kind, syncs, random.between(0, 2_000))
      return `${kind} at sync ${syncs}`
    },
    afterEnd: () => '',
  }
}

/** A disk that takes so long for a sync; the process is killed while everybody waits. */
export function slowDisk(options: ShimOptions, delayMs: number): Disk {
  const parts = shim(options)
  return {
    endsItself: false,
    environment: parts.environment,
    beforeStart() {
      parts.settle()
      parts.order('none', 0)
    },
    arm(worker, random) {
      parts.order('slow', 1, delayMs)
      setTimeout(() => worker.kill(), random.between(delayMs, 3 * delayMs))
      return `sync takes ${delayMs} ms`
    },
    afterEnd: () => '',
  }
}
