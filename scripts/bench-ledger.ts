/**
 * Durable money operations per second: each request is a hold and a capture, each answered only after fdatasync.
 *
 *     npm run bench:ledger -- [requests] [part …]
 *
 * Parts: `process` (the ledger alone), `rpc` (over the mesh, ledger in a process of its own), `postgres` (the same
 * work on PostgreSQL 15), `open` (start and memory with large books). Default: all but `open`.
 */
import '../protocol/src/mesh/polyfill.ts'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { closedLoop, openLoop, show, type Target } from './ledger-bench/load.ts'
import { benchOpening } from './ledger-bench/opening.ts'
import { startPostgres } from './ledger-bench/postgres.ts'
import { openRpc } from './ledger-bench/rpc.ts'
import { furnish, openLedger } from './ledger-bench/shop.ts'

const CALLERS = [1, 16, 64, 256]
/** Enough connections to show where more of them stop helping. */
const CONNECTIONS = [8, 16, 32, 64]

const [first = '20000', ...named] = process.argv.slice(2)
const requests = Number(first)
const parts = named.length === 0 ? ['process', 'rpc', 'postgres'] : named

if (parts.includes('process')) {
  await inFolder(async (directory) => {
    const service = await openLedger(directory)
    await callers('in process', await furnish(service), requests)
    await service.stop()
  })
}
if (parts.includes('rpc')) {
  await inFolder(async (directory) => {
    const { target, close } = await openRpc(directory)
    await callers('over the mesh', target, Math.ceil(requests / 5))
    await close()
  })
}
if (parts.includes('postgres')) await postgres(Math.ceil(requests / 5))
if (parts.includes('open')) await inFolder((directory) => benchOpening(directory, requests))

/** Every number of callers, and then half of what 64 of them reached at a steady rate. */
async function callers(name: string, target: Target, count: number): Promise<void> {
  await closedLoop(target, 64, Math.ceil(count / 10))
  let reached = 0
  for (const each of CALLERS) {
    const figures = await closedLoop(target, each, each === 1 ? Math.ceil(count / 10) : count)
    if (each === 64) reached = figures.perSecond
    show(`${name}, ${each} callers`, figures)
  }
  // Two operations a request.
  const half = reached / 4
  show(`${name}, half load`, await openLoop(target, half, Math.min(count, Math.ceil(half * 3))))
}

async function postgres(count: number): Promise<void> {
  const server = await startPostgres()
  if (server === undefined) {
    console.log('PostgreSQL is not installed and could not be')
    return
  }
  console.log(server.version)
  for (const hasFees of [false, true]) {
    for (const connections of CONNECTIONS) {
      const { target, close } = await server.target(connections, hasFees)
      await closedLoop(target, connections, Math.ceil(count / 10))
      const name = `${connections} connections, ${hasFees ? 'with' : 'without'} the fee row`
      show(name, await closedLoop(target, connections, count))
      await close()
    }
  }
  await server.stop()
}

async function inFolder(work: (directory: string) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'lexora-ledger-bench-'))
  try {
    await work(directory)
  } finally {
    await rm(directory, { recursive: true })
  }
}
