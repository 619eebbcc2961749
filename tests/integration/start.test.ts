import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { createDaemon } from '../../scripts/mesh/daemon.ts'
import { fixedPorts, requirePorts } from '../../scripts/mesh/ports.ts'
import { identityOf } from '../../scripts/mesh/process-identity.ts'

// Real processes, from what `npm run build` wrote.

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const MODEL = 'lexora-tiny-chat'
const START_MS = 40_000
const execute = promisify(execFile)

/** One `npm start`, without npm. */
interface Start {
  child: ChildProcess
  stdout: () => string
  stderr: () => string
  /** Exit code, or the signal. */
  ended: Promise<number | NodeJS.Signals | null>
}

/** What `--json` prints. */
interface Summary {
  baseUrls: string[]
  apiKey: string
  accountId: string
  processes: { name: string; pid: number }[]
}

const starts: Start[] = []
let home = ''
let flags: string[] = []

function start(...args: string[]): Start {
  const child = spawn(process.execPath, ['--import', 'tsx', 'scripts/start.ts', ...args], {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const texts = { stdout: '', stderr: '' }
  for (const stream of ['stdout', 'stderr'] as const) {
    child[stream].setEncoding('utf8').on('data', (text: string) => {
      texts[stream] += text
    })
  }
  const started: Start = {
    child,
    stdout: () => texts.stdout,
    stderr: () => texts.stderr,
    ended: new Promise((resolve) => {
      child.once('exit', (code, signal) => resolve(code ?? signal))
    }),
  }
  starts.push(started)
  return started
}

/** Waits for words in what a start printed. Throws all of it when it ends before, or in `ms`. */
async function printed(started: Start, words: RegExp, ms: number = START_MS): Promise<string> {
  const { child } = started
  const all = (): string => `${started.stderr()}\n${started.stdout()}`
  const isOver = (): boolean => child.exitCode !== null || child.signalCode !== null
  await vi.waitUntil(() => isOver() || words.test(all()), { timeout: ms, interval: 50 })
  if (words.test(all())) return all()
  throw new Error(`it ended without ${words}:\n${all()}`)
}

async function summaryOf(started: Start): Promise<Summary> {
  await printed(started, /"event":"ready".*\n/)
  return JSON.parse(started.stdout()) as Summary
}

/** Pids of the mesh's processes, as the lock file has them. */
async function childPids(): Promise<number[]> {
  const lock = JSON.parse(await readFile(join(home, 'start.lock'), 'utf8')) as {
    children: { pid: number }[]
  }
  return lock.children.map(({ pid }) => pid)
}

const running = (pids: readonly number[]): number[] =>
  pids.filter((pid) => identityOf(pid) !== undefined)

async function get<Answer>(url: string, apiKey: string): Promise<Answer> {
  const response = await fetch(url, { headers: { authorization: `Bearer ${apiKey}` } })
  expect(response.status, url).toBe(200)
  return (await response.json()) as Answer
}

async function ask(baseUrl: string, apiKey: string): Promise<string> {
  const response = await fetch(`${baseUrl}/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json' },
    body: JSON.stringify({
      model: MODEL,
      messages: [{ role: 'user', content: 'What is the capital of France?' }],
      temperature: 0,
    }),
  })
  const body = await response.text()
  expect(response.status, body).toBe(200)
  const { choices } = JSON.parse(body) as { choices: { message: { content: string } }[] }
  return choices[0]?.message.content ?? ''
}

interface Key {
  account: string
  spent_nano_usd: string
  balance_nano_usd: { promo: string; available: string; held: string }
}

/** Ports in a row that nobody uses now. */
async function portsInARow(): Promise<{ base: number; http: number }> {
  for (;;) {
    const base = 20_000 + Math.floor(Math.random() * 10_000)
    const isFree = await requirePorts(fixedPorts(base, base + 10, 2)).then(
      () => true,
      () => false,
    )
    if (isFree) return { base, http: base + 10 }
  }
}

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'lexora-start-'))
  const { base, http } = await portsInARow()
  flags = ['--home', home, '--base-port', String(base), '--http-port', String(http)]
})

afterAll(async () => {
  for (const { child, ended } of starts) {
    child.kill('SIGTERM')
    await ended
  }
  await rm(home, { recursive: true, force: true })
})

describe('npm start', () => {
  let first: Start
  let apiKey = ''
  let baseUrls: string[] = []
  let before: Key

  it('brings up a mesh whose printed commands answer', { timeout: START_MS }, async () => {
    first = start(...flags)
    await printed(first, /Ctrl-C stops everything/)
    const text = first.stdout()
    apiKey = /API key\s+(\S+)/.exec(text)?.[1] ?? ''
    baseUrls = text.match(/^ {2}http:\S+\/v1$/gm)?.map((line) => line.trim()) ?? []
    expect(baseUrls).toHaveLength(2)

    const curl = /^curl .*$/m.exec(text)?.[0] ?? ''
    const snippet = /^node --input-type=module -e '\n[^']+'$/m.exec(text)?.[0] ?? ''
    for (const pasted of [curl, snippet]) {
      const { stdout } = await execute('sh', ['-c', pasted], { cwd: ROOT })
      expect(stdout, pasted).toContain('Paris')
    }
  })

  it('answers from both gateways, with both providers behind each', async () => {
    for (const baseUrl of baseUrls) {
      expect(await ask(baseUrl, apiKey)).toContain('Paris')
      const models = await get<{ data: object[] }>(`${baseUrl}/models`, apiKey)
      expect(models.data).toMatchObject([{ id: MODEL, providers: 2 }])
    }
  })

  it('keeps its folder to the user', async () => {
    expect((await stat(home)).mode & 0o077).toBe(0)
    expect((await stat(join(home, 'demo.json'))).mode & 0o077).toBe(0)
    expect((await stat(join(home, 'logs', 'ledger.log'))).mode & 0o077).toBe(0)
  })

  it('refuses a second start in the same folder', async () => {
    const second = start(...flags)
    expect(await second.ended).toBe(8)
    expect(second.stderr()).toContain(`process ${first.child.pid}`)
    expect(second.stderr().trim().split('\n')).toHaveLength(1)
  })

  it('names a taken port and its flag before anything starts', async () => {
    const other = await mkdtemp(join(tmpdir(), 'lexora-start-'))
    const blocker = createServer()
    await new Promise<void>((resolve) => blocker.listen(0, '127.0.0.1', resolve))
    const address = blocker.address()
    const port = typeof address === 'object' ? (address?.port ?? 0) : 0
    try {
      const { base } = await portsInARow()
      const args = ['--home', other, '--base-port', String(base), '--http-port', String(port)]
      const blocked = start(...args)
      expect(await blocked.ended).toBe(1)
      expect(blocked.stderr().trim()).toMatch(new RegExp(`^start: port ${port}, .*--http-port`))
      expect(existsSync(join(other, 'logs'))).toBe(false)
    } finally {
      blocker.close()
      await rm(other, { recursive: true, force: true })
    }
  })

  it('refuses flags that make no sense', async () => {
    const wrong = start('--providers', 'many')
    expect(await wrong.ended).toBe(2)
    expect(wrong.stderr()).toContain('--providers')
  })

  it('reports a killed child and starts it again', { timeout: START_MS }, async () => {
    const log = first.stderr().length
    const pids = await childPids()
    // The last two of the six are the providers.
    process.kill(pids[4] ?? 0, 'SIGKILL')
    await printed(first, /provider-1 is back/)
    const lines = first.stderr().slice(log).trim().split('\n')
    expect(lines[0]).toMatch(/^provider-1 was ended by SIGKILL.*provider-1\.log.*again in 0\.5 s$/)
    expect(lines).toHaveLength(2)
    for (const baseUrl of baseUrls) {
      const listed = async (): Promise<object[]> =>
        (await get<{ data: object[] }>(`${baseUrl}/models`, apiKey)).data
      await expect.poll(listed, { timeout: 20_000 }).toMatchObject([{ providers: 2 }])
      expect(await ask(baseUrl, apiKey)).toContain('Paris')
    }
  })

  it('stops all processes at Ctrl-C', { timeout: START_MS }, async () => {
    const settled = (): Promise<Key> => get<Key>(`${baseUrls[0]}/key`, apiKey)
    await expect.poll(settled).toMatchObject({ balance_nano_usd: { held: '0' } })
    before = await settled()
    expect(BigInt(before.spent_nano_usd)).toBeGreaterThan(0n)
    expect(BigInt(before.spent_nano_usd) + BigInt(before.balance_nano_usd.promo)).toBe(
      5_000_000_000n,
    )
    const pids = await childPids()
    expect(running(pids)).toHaveLength(6)
    first.child.kill('SIGINT')
    expect(await first.ended, first.stderr()).toBe(0)
    expect(running(pids)).toEqual([])
    expect(first.stderr()).not.toContain('killed\n')
    expect(existsSync(join(home, 'start.lock'))).toBe(false)
  })

  it('goes on with the same key and balance', { timeout: START_MS }, async () => {
    const second = start(...flags, '--json')
    const summary = await summaryOf(second)
    expect(summary.apiKey).toBe(apiKey)
    const after = await get<Key>(`${summary.baseUrls[0]}/key`, apiKey)
    expect(after).toEqual(before)
    expect(await ask(summary.baseUrls[1] ?? '', apiKey)).toContain('Paris')

    // Killed, it leaves no orphan: the channel to each child closes.
    const pids = summary.processes.map(({ pid }) => pid)
    expect(running(pids)).toHaveLength(6)
    second.child.kill('SIGKILL')
    await second.ended
    await expect.poll(() => running(pids), { timeout: 15_000 }).toEqual([])
  })

  it('takes over from a killed start, and stops while it starts', {
    timeout: START_MS,
  }, async () => {
    expect(existsSync(join(home, 'start.lock'))).toBe(true)
    const third = start(...flags)
    await printed(third, /starting the ledger/)
    await expect.poll(async () => (await childPids()).length).toBeGreaterThan(0)
    const pids = await childPids()
    third.child.kill('SIGINT')
    expect(await third.ended, third.stderr()).toBe(0)
    expect(running(pids)).toEqual([])
    expect(existsSync(join(home, 'start.lock'))).toBe(false)
  })

  it('stops at once at the second Ctrl-C', { timeout: START_MS }, async () => {
    const fourth = start(...flags)
    await printed(fourth, /starting the ledger/)
    await expect.poll(async () => (await childPids()).length).toBeGreaterThan(0)
    const [pid = 0] = await childPids()
    // A process that hears nothing keeps the first one waiting.
    process.kill(pid, 'SIGSTOP')
    fourth.child.kill('SIGINT')
    await printed(fourth, /SIGINT: stopping/)
    await vi.waitUntil(
      () => {
        fourth.child.kill('SIGINT')
        return fourth.child.exitCode !== null
      },
      { timeout: 5_000, interval: 100 },
    )
    expect(await fourth.ended).toBe(130)
    await expect.poll(() => running([pid])).toEqual([])
  })
})

describe('createDaemon()', () => {
  let folder = ''

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'lexora-daemon-'))
  })

  afterAll(async () => {
    vi.useRealTimers()
    await rm(folder, { recursive: true, force: true })
  })

  /** A daemon that runs a line of JavaScript, and what it told. */
  async function daemonOf(name: string, code: string, restart = true) {
    const command = join(folder, `${name}.mjs`)
    await writeFile(command, code)
    const lines: string[] = []
    const hopeless: string[] = []
    const daemon = createDaemon(
      { name, command, args: [], env: process.env, logFile: join(folder, `${name}.log`), restart },
      {
        log: (line) => lines.push(line),
        onPid: () => undefined,
        onHopeless: ({ message }) => hopeless.push(message),
      },
    )
    return { daemon, lines, hopeless }
  }

  it('gives up at the sixth death within a minute', async () => {
    const { daemon, lines, hopeless } = await daemonOf('frail', 'throw new Error("no disk")')
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] })
    const started = daemon.start().catch((error: Error) => error.message)
    for (let deaths = 1; deaths <= 5; deaths += 1) {
      await vi.waitUntil(() => lines.length === deaths, { timeout: 10_000 })
      expect(lines.at(-1), `death ${deaths}`).toMatch(
        /^frail ended with exit code 1: Error: no disk \(log: .*frail\.log\); starting it again in/,
      )
      vi.advanceTimersByTime(8_000)
    }
    expect(await started).toMatch(/^frail ended.*; died 6 times within a minute$/)
    expect(hopeless).toEqual([await started])
    expect(daemon.pid).toBeUndefined()
  })

  it('does not start again what says that it would end the same way', async () => {
    vi.useRealTimers()
    const code = 'console.error("no such flag"); process.exit(2)'
    const { daemon, lines, hopeless } = await daemonOf('wrong', code)
    await expect(daemon.start()).rejects.toThrow(/^wrong ended with exit code 2: no such flag/)
    expect(hopeless).toHaveLength(1)
    expect(lines).toEqual([])
  })

  it('kills what is not ready in time, and says where to look', async () => {
    const { daemon } = await daemonOf('mute', 'setInterval(() => {}, 1000)')
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const started = daemon.start().catch((error: Error) => error.message)
    const pid = daemon.pid ?? 0
    expect(running([pid])).toEqual([pid])
    vi.advanceTimersByTime(30_000)
    expect(await started).toMatch(/^mute was not ready within 30 s \(log: .*mute\.log\)$/)
    expect(running([pid])).toEqual([])
  })

  it('kills what does not stop in time', async () => {
    vi.useRealTimers()
    const ready = 'console.log(JSON.stringify({ event: "ready", peerId: "p", addresses: [] }))'
    const code = `process.on('SIGTERM', () => {}); setInterval(() => {}, 1000); ${ready}`
    const { daemon, lines } = await daemonOf('deaf', code, false)
    expect(await daemon.start()).toEqual({ peerId: 'p', addresses: [] })
    const pid = daemon.pid ?? 0
    await daemon.stop(100)
    expect(running([pid])).toEqual([])
    expect(lines).toEqual(['deaf did not stop within 0.1 s: killed'])

    // A daemon that is not started again by itself may be started by its owner.
    await daemon.start()
    await daemon.kill()
    expect(lines.at(-1)).toMatch(/^deaf was ended by SIGKILL \(log: .*deaf\.log\)$/)
    await daemon.start()
    await daemon.stop(100)
  })
})
