/**
 * The whole road, measured: real processes on loopback, the fake engine (so that what is left is Lexora's own cost),
 * one client. Prints latency and the CPU time that each process spent per request.
 *
 *     npm run build && npx tsx scripts/bench-road.ts [requests] [concurrency]
 */
import { readFileSync, rmSync } from 'node:fs'
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Daemon } from './mesh/daemon.ts'
import { startMesh } from './mesh/mesh.ts'

/** Linux counts CPU time of a process in hundredths of a second (getconf CLK_TCK). */
const TICK_MS = 10
/** Requests before anything is counted: the compilers have seen the hot path by then. */
const WARM_UP = 300

const requests = Number(process.argv[2] ?? 2_000)
const concurrency = Number(process.argv[3] ?? 8)

interface Sample {
  firstByteMs: number
  totalMs: number
}

const home = await mkdtemp(join(tmpdir(), 'lexora-bench-'))
const mesh = await startMesh({
  home,
  ports: 'free',
  engine: 'fake',
  logLevel: 'warn',
  nodeArgs: ['--slots', '64'],
})
try {
  const url = `${mesh.gateways[0]?.url}/v1/chat/completions`
  await run(url, WARM_UP, { stream: true })
  for (const stream of [false, true]) {
    const before = cpuMs()
    const startMs = performance.now()
    const samples = await run(url, requests, { stream })
    const elapsedMs = performance.now() - startMs
    report(stream ? 'streamed' : 'whole', samples, {
      elapsedMs,
      spent: difference(before, cpuMs()),
    })
  }
} finally {
  await mesh.stop()
  rmSync(home, { recursive: true, force: true })
}

/** Sends requests at a fixed concurrency over kept connections. */
async function run(url: string, count: number, { stream }: { stream: boolean }): Promise<Sample[]> {
  const samples: Sample[] = []
  let left = count
  const worker = async (): Promise<void> => {
    while (left-- > 0) samples.push(await ask(url, stream))
  }
  await Promise.all(Array.from({ length: concurrency }, worker))
  return samples
}

async function ask(url: string, stream: boolean): Promise<Sample> {
  const startMs = performance.now()
  const response = await fetch(url, {
    method: 'POST',
    headers: { authorization: `Bearer ${mesh.apiKey}`, 'content-type': 'application/json' },
    body: JSON.stringify({
      model: mesh.model,
      stream,
      max_tokens: 32,
      messages: [{ role: 'user', content: 'Say something short.' }],
    }),
  })
  const firstByteMs = performance.now() - startMs
  const text = await response.text()
  if (!response.ok) throw new Error(`${response.status}: ${text}`)
  if (stream && !text.endsWith('data: [DONE]\n\n')) throw new Error('a stream did not end')
  return { firstByteMs, totalMs: performance.now() - startMs }
}

/** CPU time so far of each process, ms. */
function cpuMs(): Map<string, number> {
  return new Map(mesh.daemons.map((daemon) => [daemon.name, processCpuMs(daemon)]))
}

function processCpuMs({ pid }: Daemon): number {
  // Fields 14 and 15 of proc(5) stat, counted behind the name in parentheses.
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS
}

function difference(before: Map<string, number>, after: Map<string, number>): Map<string, number> {
  return new Map([...after].map(([name, value]) => [name, value - (before.get(name) ?? 0)]))
}

function report(
  label: string,
  samples: Sample[],
  { elapsedMs, spent }: { elapsedMs: number; spent: Map<string, number> },
): void {
  const line = (name: string, values: number[]): string => {
    const sorted = values.toSorted((a, b) => a - b)
    const at = (share: number): string =>
      (sorted[Math.floor(sorted.length * share)] ?? 0).toFixed(2)
    return `${name} p50 ${at(0.5)} ms, p95 ${at(0.95)} ms, p99 ${at(0.99)} ms`
  }
  const first = line(
    'first byte',
    samples.map(({ firstByteMs }) => firstByteMs),
  )
  const total = line(
    'total',
    samples.map(({ totalMs }) => totalMs),
  )
  const perSecond = ((samples.length * 1_000) / elapsedMs).toFixed(0)
  console.log(
    `${label}: ${samples.length} requests, ${concurrency} at once, ${perSecond}/s; ${first}; ${total}`,
  )
  const costs = [...spent].map(
    ([name, ms]) => `${name} ${((ms * 1_000) / samples.length).toFixed(0)} µs`,
  )
  console.log(`  CPU per request: ${costs.join(', ')}`)
}
