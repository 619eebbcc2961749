import '../protocol/src/mesh/polyfill.ts'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import {
  createMeshHost,
  generateKey,
  type MeshHost,
  type RequestHandler,
  type Session,
} from '../protocol/src/mesh/index.ts'

/**
 * CPU time of one 64-byte token frame at each end of a session over tcp, noise and yamux on loopback, provider and
 * gateway in a process each: `npx tsx scripts/bench-session.ts`.
 */

const PROTOCOL = '/lexora/bench/1.0.0'
const TOKEN = new Uint8Array(64).fill(97)
const NOTHING = new Uint8Array(0)
const CONCURRENCIES = [1, 8, 100]
const FRAMES_PER_RUN = 200_000
const REPETITIONS = 3

interface Usage {
  microseconds: number
}

async function startHost(listen: string[]): Promise<MeshHost> {
  const privateKey = await generateKey()
  const host = await createMeshHost(
    {},
    { privateKey, listen, bootstrap: [], dhtServer: false, topics: [] },
  )
  await host.start()
  return host
}

/** One token a turn for each request, as engines with continuous batching make them. */
const stream: RequestHandler = async (payload, context) => {
  const count = new DataView(payload.buffer, payload.byteOffset).getUint32(0)
  for (let index = 0; index < count; index += 1) {
    context.send(TOKEN)
    await nextTurn()
    if (index % 64 === 0) await context.settled()
  }
  return NOTHING
}

async function provider(): Promise<void> {
  const host = await startHost(['/ip4/127.0.0.1/tcp/0'])
  await host.serveSessions(PROTOCOL, {
    hello: () => NOTHING,
    accept: () => ({
      requests: { stream, echo: (payload) => Promise.resolve(payload) },
      notices: {},
    }),
  })
  process.on('message', () => process.send?.({ microseconds: cpuMicroseconds() } satisfies Usage))
  process.once('disconnect', () => void host.stop())
  process.send?.({ peerId: host.peerId, addresses: host.addresses() })
}

async function gateway(): Promise<void> {
  const child = fork(fileURLToPath(import.meta.url), ['provider'])
  const [target] = (await once(child, 'message')) as [{ peerId: string; addresses: string[] }]
  const host = await startHost([])
  const session = await host.openSession(target, PROTOCOL, {
    hello: () => NOTHING,
    accept: () => ({ requests: {}, notices: {} }),
  })
  const providerCpu = async (): Promise<number> => {
    child.send('usage')
    const [usage] = (await once(child, 'message')) as [Usage]
    return usage.microseconds
  }
  for (const concurrency of CONCURRENCIES) {
    await measure(`tokens, ${concurrency} concurrent`, providerCpu, () =>
      tokens(session, concurrency),
    )
  }
  await measure('1 KiB echo, sequential', providerCpu, () => echoes(session, 5_000))
  await host.stop()
  child.disconnect()
}

async function tokens(session: Session, concurrency: number): Promise<number> {
  const each = Math.ceil(FRAMES_PER_RUN / concurrency / (concurrency === 1 ? 4 : 1))
  const request = new Uint8Array(4)
  new DataView(request.buffer).setUint32(0, each)
  const runs = Array.from({ length: concurrency }, async () => {
    let seen = 0
    const call = session.call('stream', request, {
      firstFrameTimeoutMs: 10_000,
      maxResponseBytes: each * 64,
    })
    for await (const frame of call.frames) if (frame.kind === 'data') seen += 1
    if (seen !== each) throw new Error(`${seen} frames instead of ${each}`)
  })
  await Promise.all(runs)
  return each * concurrency
}

async function echoes(session: Session, count: number): Promise<number> {
  const payload = new Uint8Array(1024)
  for (let index = 0; index < count; index += 1)
    await session.request('echo', payload, { timeoutMs: 5_000 })
  return count
}

/** Prints the repetition with the least CPU: other work on the machine only adds. */
async function measure(
  name: string,
  remote: () => Promise<number>,
  run: () => Promise<number>,
): Promise<void> {
  let best: { gateway: number; provider: number; perSecond: number } | undefined
  await run()
  for (let repetition = 0; repetition < REPETITIONS; repetition += 1) {
    const [here, there, startedMs] = [cpuMicroseconds(), await remote(), performance.now()]
    const count = await run()
    const seconds = (performance.now() - startedMs) / 1_000
    const result = {
      gateway: (cpuMicroseconds() - here) / count,
      provider: ((await remote()) - there) / count,
      perSecond: count / seconds,
    }
    if (best === undefined || result.gateway + result.provider < best.gateway + best.provider)
      best = result
  }
  if (best === undefined) return
  const { gateway: receiver, provider: sender, perSecond } = best
  console.log(
    `${name.padEnd(26)} provider ${sender.toFixed(2)} µs, gateway ${receiver.toFixed(2)} µs CPU each, ${Math.round(perSecond)}/s`,
  )
}

function cpuMicroseconds(): number {
  const { user, system } = process.cpuUsage()
  return user + system
}

await (process.argv[2] === 'provider' ? provider() : gateway())
