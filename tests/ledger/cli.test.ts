import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { secretKind } from '../../ledger/src/accounts/secret.ts'

const CLI = fileURLToPath(new URL('../../ledger/src/cli.ts', import.meta.url))

interface Ran {
  code: number | null
  out: string
  err: string
}

describe('lexora-ledger', () => {
  let directory = ''
  let home = ''
  let running: ChildProcess | undefined

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'lexora-cli-'))
    home = join(directory, 'home')
  })
  afterAll(async () => {
    running?.kill('SIGKILL')
    await rm(directory, { recursive: true, force: true })
  })

  const launch = (args: string[]): ChildProcess =>
    spawn(process.execPath, ['--import', 'tsx', CLI, '--home', home, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })

  async function run(...args: string[]): Promise<Ran> {
    const child = launch(args)
    const ran: Ran = { code: null, out: '', err: '' }
    child.stdout?.on('data', (data) => {
      ran.out += String(data)
    })
    child.stderr?.on('data', (data) => {
      ran.err += String(data)
    })
    const [code] = (await once(child, 'close')) as [number | null]
    return { ...ran, code }
  }

  async function json(...args: string[]): Promise<{ data: Record<string, string> }> {
    const { out } = await run('--json', ...args)
    return JSON.parse(out) as { data: Record<string, string> }
  }

  /** Starts the ledger and waits until it says that it is ready. */
  async function start(): Promise<ChildProcess> {
    const child = launch(['start', '--listen', '/ip4/127.0.0.1/tcp/0'])
    child.stderr?.resume()
    running = child
    if (child.stdout === null) throw new Error('the child has an output')
    for await (const line of createInterface({ input: child.stdout })) {
      if (line.includes('"event":"ready"')) return child
    }
    throw new Error('the ledger did not start')
  }

  it('goes through an operator’s day', { timeout: 120_000 }, async () => {
    expect(await run('account', 'list')).toMatchObject({
      code: 3,
      err: expect.stringContaining('lexora-ledger init --home') as string,
    })
    expect((await run('init')).code).toBe(0)

    const opened = await run('account', 'create', '--label', 'ada')
    const accountId = opened.out.trim()
    expect(accountId).toMatch(/^acc_/)

    const child = await start()
    expect(await run('start')).toMatchObject({ code: 8 })
    const granted = await json('account', 'grant', accountId, '2.50', '--id', 'welcome')
    expect(granted).toMatchObject({ ok: true, data: { balance: { promoNanoUsd: '2500000000' } } })
    const key = await run('key', 'create', accountId, '--name', 'laptop')
    expect(secretKind(key.out.trim())).toBe('live')
    const running = await run('verify')
    expect(running).toMatchObject({ code: 0, err: 'ok: the books balance\n' })
    expect(running.out).toMatch(/customersPromo\s+\$2\.50/)
    child.kill('SIGTERM')
    expect((await once(child, 'exit'))[0]).toBe(0)

    const listed = await run('account', 'list')
    expect(listed.out).toMatch(new RegExp(`${accountId} .* ada .*\\$2\\.50`))
    expect(await json('verify')).toMatchObject({
      data: { problems: [], customersPromo: '2500000000' },
    })

    expect((await run('account', 'grant', accountId, 'five')).code).toBe(2)
    expect((await run('account', 'rob')).code).toBe(2)
    expect(await run('--json', 'key', 'revoke', 'key_none')).toMatchObject({
      code: 1,
      out: expect.stringMatching(/^\{"v":1,"ok":false,"command":"key revoke","error":/) as string,
    })
  })

  it('exits with 9 on a damaged journal', { timeout: 60_000 }, async () => {
    const journal = join(home, 'journal')
    const files = (await readdir(journal)).filter((file) => /\.(log|ldb)$/.test(file))
    for (const file of files) {
      const bytes = await readFile(join(journal, file))
      const at = bytes.indexOf('genesis')
      if (at === -1) continue
      bytes[at] = (bytes[at] ?? 0) ^ 1
      await writeFile(join(journal, file), bytes)
    }
    const ran = await run('verify')
    expect(ran).toMatchObject({ code: 9, out: '' })
    expect(ran.err).toMatch(/^error journal_damaged: the journal is damaged/)
  })
})
