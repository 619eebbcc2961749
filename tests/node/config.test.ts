import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { readBootstrapConfig, readHome, readNodeConfig } from '../../node/src/config.ts'
import { testSigner } from './network.ts'

const NETWORK = {
  name: 'test',
  ledger: { peerId: testSigner().peerId, addresses: ['/ip4/127.0.0.1/tcp/1'] },
  bootstrap: [],
}

let home: string
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'lexora-config-'))
  await writeFile(join(home, 'network.json'), JSON.stringify(NETWORK))
  const variables = ['HOME', 'NETWORK', 'ENROL_TOKEN', 'MODELS', 'SLOTS', 'THREADS', 'LISTEN']
  for (const name of variables) vi.stubEnv(`LEXORA_${name}`, undefined)
})
afterEach(async () => {
  vi.unstubAllEnvs()
  await rm(home, { recursive: true })
})

describe('readNodeConfig()', () => {
  it('has defaults for all but the home: bundled model, dial out only', async () => {
    const config = await readNodeConfig({ home })
    expect(config).toMatchObject({
      home,
      network: NETWORK,
      engine: { kind: 'llama', slots: 2, threads: 'measure', gpu: 'auto' },
      listen: [],
      logLevel: 'info',
    })
    expect(config.models).toEqual([
      { id: 'lexora-tiny-chat', path: expect.stringMatching(/models.lexora-tiny-chat\.gguf$/) },
    ])
    expect(config).not.toHaveProperty('enrolmentToken')
  })

  it('takes the flag before the environment before the default', async () => {
    vi.stubEnv('LEXORA_HOME', home)
    vi.stubEnv('LEXORA_SLOTS', '3')
    vi.stubEnv('LEXORA_THREADS', '5')
    vi.stubEnv('LEXORA_MODELS', '/a/one.gguf, two=/b/other.gguf')
    vi.stubEnv('LEXORA_ENROL_TOKEN', 'lxe_environment')
    const config = await readNodeConfig({ slots: '8', enrol: 'lxe_flag' })
    expect(config.engine).toMatchObject({ slots: 8, threads: 5 })
    expect(config.enrolmentToken).toBe('lxe_flag')
    expect(config.models).toEqual([
      { id: 'one', path: '/a/one.gguf' },
      { id: 'two', path: '/b/other.gguf' },
    ])
  })

  it('runs the fake engine only where the command line says so', async () => {
    vi.stubEnv('LEXORA_ENGINE', 'fake')
    expect((await readNodeConfig({ home })).engine.kind).toBe('llama')
    const config = await readNodeConfig({ home, engine: 'fake', fakeTokenDelay: '5' })
    expect(config.engine).toEqual({ kind: 'fake', slots: 2, tokenDelayMs: 5 })
    expect(config.models).toEqual([{ id: 'fake', path: 'fake' }])
  })

  it('names every problem at once', async () => {
    const flags = { home, slots: 'many', threads: '0', engine: 'steam', listen: ['4001'] }
    const error = await readNodeConfig(flags).catch((reason: unknown) => reason)
    expect(error).toMatchObject({ code: 'invalid_request' })
    for (const flag of ['--slots', '--threads', '--engine', '--listen']) {
      expect((error as Error).message).toContain(flag)
    }
  })

  it('refuses two models of one id', async () => {
    const model = ['/a/same.gguf', 'same=/b/other.gguf']
    await expect(readNodeConfig({ home, model })).rejects.toThrow('--model ID=FILE')
  })

  it.each([
    ['no such file', undefined, 'there is no such network file'],
    ['not JSON', '{', 'is not JSON'],
    ['no ledger', '{"name":"x","bootstrap":[]}', 'ledger'],
  ])('says what is wrong with the network file: %s', async (_name, content, message) => {
    const network = join(home, 'other.json')
    if (content !== undefined) await writeFile(network, content)
    const reading = readNodeConfig({ home, network })
    await expect(reading).rejects.toMatchObject({ code: 'invalid_request' })
    await expect(reading).rejects.toThrow(message)
    await expect(reading).rejects.toThrow(network)
  })
})

describe('readBootstrapConfig()', () => {
  it('needs no network file, since it runs before a ledger does', async () => {
    const config = await readBootstrapConfig({ home })
    expect(config).toEqual({
      home,
      listen: ['/ip4/0.0.0.0/tcp/4001'],
      announce: [],
      logLevel: 'info',
    })
  })
})

describe('readHome()', () => {
  it('is a folder of the user’s where none is named', () => {
    expect(readHome({})).toMatch(/\.lexora.node$/)
  })
})
