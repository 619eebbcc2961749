import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { LexoraError } from '@lexora/protocol'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { type GatewayFlags, readConfig } from '../../gateway/src/config.ts'
import { newSigner } from './fixture.ts'

const VARIABLES = [
  'LEXORA_GATEWAY_HOME',
  'LEXORA_NETWORK',
  'LEXORA_GATEWAY_HTTP_HOST',
  'LEXORA_GATEWAY_HTTP_PORT',
  'LEXORA_GATEWAY_LISTEN',
  'LEXORA_GATEWAY_ANNOUNCE',
  'LEXORA_ENROL_TOKEN',
  'LEXORA_LOG_LEVEL',
]
const ledger = { peerId: newSigner().peerId, addresses: ['/ip4/127.0.0.1/tcp/1'] }
const network = { name: 'test', ledger, bootstrap: [] }

let folder: string
let networkFile: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lexora-config-'))
  networkFile = join(folder, 'network.json')
  await writeFile(networkFile, JSON.stringify(network))
})
afterAll(() => rm(folder, { recursive: true, force: true }))
afterEach(() => vi.unstubAllEnvs())

function environment(values: Record<string, string>): void {
  for (const name of VARIABLES) vi.stubEnv(name, values[name])
}

async function refusal(flags: GatewayFlags): Promise<string> {
  const error = await readConfig(flags).then(
    () => new Error('it was read'),
    (thrown: unknown) => thrown as LexoraError,
  )
  expect(error).toMatchObject({ code: 'invalid_request' })
  return error.message
}

describe('readConfig()', () => {
  it('needs a home and a network file; the rest has defaults', async () => {
    environment({})
    expect(await readConfig({ home: '/h', network: networkFile })).toEqual({
      home: '/h',
      network,
      http: { host: '127.0.0.1', port: 8080 },
      listen: ['/ip4/0.0.0.0/tcp/4001'],
      announce: [],
      logLevel: 'info',
    })
  })

  it('reads the environment, and a flag before it', async () => {
    environment({
      LEXORA_GATEWAY_HOME: '/env',
      LEXORA_NETWORK: networkFile,
      LEXORA_GATEWAY_HTTP_HOST: '0.0.0.0',
      LEXORA_GATEWAY_HTTP_PORT: '9000',
      LEXORA_GATEWAY_LISTEN: '/ip4/0.0.0.0/tcp/1, /ip4/0.0.0.0/tcp/2/ws,',
      LEXORA_GATEWAY_ANNOUNCE: '/dns4/a/tcp/1',
      LEXORA_ENROL_TOKEN: 'token',
      LEXORA_LOG_LEVEL: 'debug',
    })
    expect(await readConfig({})).toEqual({
      home: '/env',
      network,
      http: { host: '0.0.0.0', port: 9000 },
      listen: ['/ip4/0.0.0.0/tcp/1', '/ip4/0.0.0.0/tcp/2/ws'],
      announce: ['/dns4/a/tcp/1'],
      enrolmentToken: 'token',
      logLevel: 'debug',
    })
    const flags: GatewayFlags = {
      home: '/flag',
      httpHost: '::1',
      httpPort: '0',
      listen: ['/ip4/1.2.3.4/tcp/9'],
      enrol: 'other',
      logLevel: 'silent',
    }
    expect(await readConfig(flags)).toMatchObject({
      home: '/flag',
      http: { host: '::1', port: 0 },
      listen: ['/ip4/1.2.3.4/tcp/9'],
      announce: ['/dns4/a/tcp/1'],
      enrolmentToken: 'other',
      logLevel: 'silent',
    })
  })

  it('takes an empty variable for none', async () => {
    environment(Object.fromEntries(VARIABLES.map((name) => [name, ''])))
    expect(await readConfig({ home: '/h', network: networkFile })).toMatchObject({
      http: { host: '127.0.0.1', port: 8080 },
      listen: ['/ip4/0.0.0.0/tcp/4001'],
      logLevel: 'info',
    })
    expect(await refusal({ home: '', network: networkFile })).toContain('no home folder')
  })

  it('names every problem at once, in the operator’s terms', async () => {
    environment({ LEXORA_GATEWAY_HTTP_PORT: '70000' })
    const message = await refusal({ listen: ['localhost:1'], announce: ['x'], logLevel: 'loud' })
    expect(message.split('; ')).toEqual([
      'no home folder: pass --home DIR or set LEXORA_GATEWAY_HOME',
      'no network file: pass --network FILE or set LEXORA_NETWORK',
      '--http-port must be a whole number from 0 to 65535',
      '--listen must be a multiaddress such as /ip4/0.0.0.0/tcp/4001',
      '--announce must be a multiaddress',
      '--log-level must be one of debug, info, warn, error, silent',
    ])
  })

  it.each(['abc', '-1', '65536', '80.5', '1e3', '0x50', ' 80', 'Infinity', '999999999999'])(
    'refuses the port %s',
    async (httpPort) => {
      environment({})
      const flags = { home: '/h', network: networkFile, httpPort }
      expect(await refusal(flags)).toBe('--http-port must be a whole number from 0 to 65535')
    },
  )

  it.each<[string, string | undefined, string]>([
    ['none', undefined, 'there is no such file'],
    ['no JSON', '{', 'it is not JSON'],
    ['no network', '{"name":"x"}', 'the network file is not valid: ledger must be an object'],
    [
      'a bad ledger',
      JSON.stringify({ ...network, ledger: { ...ledger, peerId: 'nobody' } }),
      'the network file is not valid: ',
    ],
  ])('names a network file that is %s', async (name, content, why) => {
    environment({})
    const path = join(folder, `${name}.json`)
    if (content !== undefined) await writeFile(path, content)
    const message = await refusal({ home: '/h', network: path })
    expect(message).toContain(`${path}: ${why}`)
  })

  it('names a network file that is a folder', async () => {
    environment({})
    const message = await refusal({ home: '/h', network: folder })
    expect(message).toBe(`${folder}: it cannot be read`)
  })
})
