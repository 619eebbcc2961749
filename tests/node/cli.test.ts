import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { INFER_METHOD, inferTerminalCodec } from '@lexora/protocol'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type LoopbackMesh, loopbackMesh } from './mesh/loopback-mesh.ts'
import { testRequest, testSigner } from './network.ts'

/** What `npm run build` wrote. */
const CLI = fileURLToPath(new URL('../../node/dist/cli.js', import.meta.url))

let home: string
let children: ChildProcess[]
let mesh: LoopbackMesh | undefined
beforeEach(async () => {
  children = []
  home = await mkdtemp(join(tmpdir(), 'lexora-cli-'))
})
afterEach(async () => {
  for (const child of children) child.kill('SIGKILL')
  await mesh?.close()
  mesh = undefined
  await rm(home, { recursive: true })
})

interface Running {
  child: ChildProcess
  out: () => string
  err: () => string
  /** The exit code, or the signal that ended it. */
  ended: Promise<number | string>
}

function run(...args: string[]): Running {
  const child = spawn(process.execPath, [CLI, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env['PATH'] ?? '', HOME: home },
  })
  children.push(child)
  let out = ''
  let err = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text))
  const ended = once(child, 'close').then(([code, signal]) => (code ?? signal) as number | string)
  return { child, out: () => out, err: () => err, ended }
}

/** The ready line, or a failure that shows what was said instead. */
async function ready(running: Running): Promise<{ peerId: string; addresses: string[] }> {
  const [line] = (await Promise.race([
    once(running.child.stdout ?? running.child, 'data'),
    running.ended.then((code) => {
      throw new Error(`ended with ${code}: ${running.err()}`)
    }),
  ])) as [string]
  const said = JSON.parse(line) as { event: string; peerId: string; addresses: string[] }
  expect(said.event).toBe('ready')
  return said
}

describe('lexora-node', () => {
  it('prints its peer id, the same each time, and keeps its key to itself', async () => {
    const first = run('id', '--home', home)
    expect(await first.ended).toBe(0)
    expect(first.out()).toMatch(/^12D3KooW\w{44}\n$/)
    const again = run('--json', 'id', '--home', home)
    expect(await again.ended).toBe(0)
    expect(JSON.parse(again.out())).toEqual({
      v: 1,
      ok: true,
      command: 'id',
      data: { peerId: first.out().trim() },
    })
    await chmod(join(home, 'peer.key'), 0o644)
    const open = run('id', '--home', home)
    expect(await open.ended).toBe(4)
    expect(open.err()).toContain('chmod 600')
  })

  it('tells usage from configuration', async () => {
    const unknown = run('levitate')
    const network = run('start', '--home', home)
    const json = run('--json', 'start', '--home', home, '--slots', '0')
    expect(await unknown.ended).toBe(2)
    expect(await network.ended).toBe(3)
    expect(network.err()).toMatch(/^lexora-node: .*network\.json: there is no such network file\n$/)
    expect(await json.ended).toBe(3)
    expect(JSON.parse(json.out())).toMatchObject({ ok: false, error: { code: 'invalid_request' } })
  })

  it('runs a bootstrap peer before any ledger, and stops it on a signal', async () => {
    const listen = ['--listen', '/ip4/127.0.0.1/tcp/0']
    const bootstrap = run('bootstrap', '--home', home, ...listen)
    const { peerId, addresses } = await ready(bootstrap)
    expect(addresses[0]).toMatch(new RegExp(`^/ip4/127\\.0\\.0\\.1/tcp/\\d+/p2p/${peerId}$`))
    const taken = (addresses[0] ?? '').replace(/\/p2p\/.*/, '')
    const second = run('bootstrap', '--home', join(home, 'second'), '--listen', taken)
    expect(await second.ended).toBe(8)
    expect(second.err()).toContain('is taken by another program')
    bootstrap.child.kill('SIGTERM')
    expect(await bootstrap.ended).toBe(0)
  })

  it('serves a request, then drains; no word of prompt or answer is left anywhere', async () => {
    mesh = await loopbackMesh()
    const gateway = await mesh.gateway()
    const { network } = mesh.config(home)
    await writeFile(join(home, 'network.json'), JSON.stringify(network))
    const fake = ['--engine', 'fake', '--log-level', 'debug']
    const node = run('start', '--home', home, ...fake)
    const { peerId } = await ready(node)
    expect(gateway.sessions[0]?.remotePeer).toBe(peerId)

    const { payload } = testRequest(
      { ledger: mesh.ledger.signer, gateway: gateway.signer, provider: testSigner() },
      { chat: { messages: [{ role: 'user', content: 'CANARY-7261' }] } },
    )
    const call = gateway.sessions[0]?.call(INFER_METHOD, payload, {
      firstFrameTimeoutMs: 10_000,
      maxResponseBytes: 1_000_000,
    })
    let completionTokens = 0
    for await (const { kind, payload: bytes } of call?.frames ?? []) {
      if (kind === 'end') completionTokens = inferTerminalCodec.decode(bytes).usage.completionTokens
    }
    expect(completionTokens).toBeGreaterThan(0)

    const second = run('start', '--home', home, ...fake)
    expect(await second.ended).toBe(8)
    expect(second.err()).toContain('another process uses the receipt outbox')

    node.child.kill('SIGTERM')
    expect(await node.ended).toBe(0)
    expect(gateway.goodbyes).toEqual([peerId])
    expect(node.err()).toContain('request finished')
    expect(node.err() + node.out()).not.toContain('CANARY')
    for (const file of await readdir(home, { recursive: true, withFileTypes: true })) {
      if (!file.isFile()) continue
      const content = await readFile(join(file.parentPath, file.name))
      expect(content.includes('CANARY'), file.name).toBe(false)
    }
  })

  it('ends with its cause when the ledger does not know it', async () => {
    mesh = await loopbackMesh()
    mesh.ledger.admits = () => false
    const { network } = mesh.config(home)
    await writeFile(join(home, 'network.json'), JSON.stringify(network))
    const node = run('start', '--home', home, '--engine', 'fake', '--log-level', 'silent')
    expect(await node.ended).toBe(4)
    expect(node.err()).toBe(
      'lexora-node: the ledger does not admit this peer (not_a_member): pass --enrol TOKEN\n',
    )
  })
})
