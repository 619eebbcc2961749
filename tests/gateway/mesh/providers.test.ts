import {
  CAPABILITY_NOTICE,
  type CapabilityRecord,
  createSigner,
  GOODBYE_NOTICE,
  helloCodec,
  issueCertificate,
  LOAD_NOTICE,
  type LoadHeartbeat,
  loadCodec,
  SERVE_PROTOCOL,
  type Signer,
  sealCapability,
} from '@lexora/protocol'
import { afterEach, describe, expect, it } from 'vitest'
import { createProviders, type Providers } from '../../../gateway/src/mesh/providers.ts'
import { createDirectory, type Directory } from '../../../gateway/src/routing/directory.ts'
import { createMeshHost, type MeshHost } from '../../../protocol/src/mesh/host.ts'
import { generateKey, seedOfKey } from '../../../protocol/src/mesh/key-file.ts'
import type { Session } from '../../../protocol/src/mesh/session.ts'
import { codeOf, load, MODEL, modelLoad, newSigner, offer, record, testLog } from '../fixture.ts'

const ledger = newSigner()
const hosts: MeshHost[] = []
afterEach(async () => {
  await Promise.all(hosts.splice(0).map((host) => host.stop()))
})

async function startHost(listen: string[]): Promise<{ host: MeshHost; signer: Signer }> {
  const privateKey = await generateKey()
  const host = await createMeshHost(
    {},
    { privateKey, listen, bootstrap: [], dhtServer: false, topics: [] },
  )
  hosts.push(host)
  await host.start()
  return { host, signer: createSigner(seedOfKey(privateKey)) }
}

function certificate(peerId: string, role: 'provider' | 'gateway', serial = 1): Uint8Array {
  const nowMs = Date.now()
  const times = { notBeforeMs: nowMs, notAfterMs: nowMs + 3_600_000 }
  return issueCertificate(ledger, { peerId, role, accountRef: '', serial, ...times })
}

/** A gateway's host with its provider sessions. */
interface Gateway {
  host: MeshHost
  directory: Directory
  providers: Providers
  /** Set to let it have none. */
  held: { certificate: Uint8Array | undefined }
}

async function startGateway(): Promise<Gateway> {
  const { host } = await startHost(['/ip4/127.0.0.1/tcp/0'])
  const clock = Date.now
  const directory = createDirectory({ clock })
  const held: Gateway['held'] = { certificate: certificate(host.peerId, 'gateway') }
  const providers = createProviders(
    { host, directory, log: testLog().log, clock, certificate: () => held.certificate },
    { ledgerPeerId: ledger.peerId, software: 'test' },
  )
  await providers.serve()
  return { host, directory, providers, held }
}

/** A provider's host, and what it says of itself. */
class Provider {
  readonly host: MeshHost
  readonly signer: Signer

  constructor({ host, signer }: { host: MeshHost; signer: Signer }) {
    this.host = host
    this.signer = signer
  }

  record(changes: Partial<CapabilityRecord> = {}): Uint8Array {
    return sealCapability(
      this.signer,
      record(this.signer.peerId, {
        certificate: certificate(this.signer.peerId, 'provider'),
        expiresAtMs: Date.now() + 300_000,
        ...changes,
      }),
    )
  }

  hello(changes: { capability?: Uint8Array | undefined; load?: LoadHeartbeat } = {}): Uint8Array {
    const capability = 'capability' in changes ? changes.capability : this.record()
    return helloCodec.encode({
      certificate: certificate(this.signer.peerId, 'provider'),
      software: 'test',
      ...(capability === undefined ? {} : { capability }),
      ...(changes.load === undefined ? {} : { load: changes.load }),
    })
  }

  dial(gateway: Gateway, hello: Uint8Array = this.hello()): Promise<Session> {
    const target = { peerId: gateway.host.peerId, addresses: gateway.host.addresses() }
    return this.host.openSession(target, SERVE_PROTOCOL, {
      hello: () => hello,
      accept: () => ({ requests: {}, notices: {} }),
    })
  }

  load(changes: Partial<LoadHeartbeat> = {}): LoadHeartbeat {
    return load(this.signer.peerId, { sentAtMs: Date.now(), ...changes })
  }
}

async function startProvider(): Promise<Provider> {
  return new Provider(await startHost([]))
}

describe('a provider that dials in', () => {
  it('is a candidate at once, with its load, until its session ends', async () => {
    const gateway = await startGateway()
    const provider = await startProvider()
    const own = provider.load({ models: [modelLoad({ slotsBusy: 3 })] })
    const session = await provider.dial(gateway, provider.hello({ load: own }))
    await expect.poll(() => gateway.directory.size).toBe(1)
    expect(gateway.directory.candidates(MODEL)).toMatchObject([
      { peerId: provider.signer.peerId, slotsBusy: 3 },
    ])
    session.close()
    await expect.poll(() => gateway.directory.size).toBe(0)
  })

  it('pushes its load and its record; what it says of others is ignored', async () => {
    const gateway = await startGateway()
    const provider = await startProvider()
    const session = await provider.dial(gateway)
    await expect.poll(() => gateway.directory.size).toBe(1)
    const busy = (peerId: string, slotsBusy: number): Uint8Array =>
      loadCodec.encode(load(peerId, { models: [modelLoad({ slotsBusy })] }))
    session.notify(LOAD_NOTICE, busy(newSigner().peerId, 4))
    session.notify(LOAD_NOTICE, new Uint8Array([255]))
    const stranger = newSigner()
    const foreign = record(stranger.peerId, { sequence: 9, expiresAtMs: Date.now() + 300_000 })
    session.notify(CAPABILITY_NOTICE, sealCapability(stranger, foreign))
    session.notify(LOAD_NOTICE, busy(provider.signer.peerId, 2))
    await expect.poll(() => gateway.directory.candidates(MODEL)[0]?.slotsBusy).toBe(2)
    const models = [offer(), offer({ id: 'second/model' })]
    session.notify(CAPABILITY_NOTICE, provider.record({ sequence: 2, models }))
    await expect.poll(() => [...gateway.directory.models().keys()]).toEqual([MODEL, 'second/model'])
    expect(gateway.directory.get(provider.signer.peerId)?.record.sequence).toBe(2)
  })

  it('says goodbye: no new work goes there, though its session is open', async () => {
    const gateway = await startGateway()
    const provider = await startProvider()
    const session = await provider.dial(gateway)
    await expect.poll(() => gateway.directory.size).toBe(1)
    session.notify(GOODBYE_NOTICE, new Uint8Array(0))
    await expect.poll(() => gateway.directory.size).toBe(0)
    expect(session.isOpen).toBe(true)
    session.notify(LOAD_NOTICE, loadCodec.encode(provider.load({ sequence: 5 })))
    session.close()
    await expect.poll(() => gateway.host.connectedPeers().length).toBe(1)
    expect(gateway.directory.size).toBe(0)
  })

  it('stays while one of two sessions is open', async () => {
    const gateway = await startGateway()
    const provider = await startProvider()
    const sessions = [await provider.dial(gateway), await provider.dial(gateway)]
    await expect.poll(() => gateway.directory.size).toBe(1)
    const first = gateway.directory.get(provider.signer.peerId)?.session
    sessions[1]?.close()
    await expect.poll(() => gateway.directory.get(provider.signer.peerId)?.session).not.toBe(first)
    expect(gateway.directory.get(provider.signer.peerId)?.session.isOpen).toBe(true)
    sessions[0]?.close()
    await expect.poll(() => gateway.directory.size).toBe(0)
  })

  it.each<[string, (provider: Provider) => Uint8Array, string]>([
    ['shows no record', (provider) => provider.hello({ capability: undefined }), 'not_a_member'],
    [
      'shows another peer’s record',
      (provider) => {
        const other = newSigner()
        const own = { certificate: certificate(other.peerId, 'provider') }
        const expiresAtMs = Date.now() + 300_000
        const sealed = sealCapability(other, record(other.peerId, { ...own, expiresAtMs }))
        return provider.hello({ capability: sealed })
      },
      'signature_invalid',
    ],
    [
      'shows an old record',
      (provider) =>
        provider.hello({ capability: provider.record({ expiresAtMs: 1_600_000_000_000 }) }),
      'expired',
    ],
    [
      'is no provider',
      (provider) => {
        const own = { certificate: certificate(provider.signer.peerId, 'gateway') }
        return provider.hello({ capability: provider.record(own) })
      },
      'not_a_member',
    ],
    ['speaks nonsense', () => new Uint8Array([255, 255]), 'malformed'],
  ])('is told that it is refused if it %s', async (_name, hello, code) => {
    const gateway = await startGateway()
    const provider = await startProvider()
    expect(await codeOf(provider.dial(gateway, hello(provider)))).toBe(code)
    expect(gateway.directory.size).toBe(0)
  })

  it('is refused by a gateway that is no member yet', async () => {
    const gateway = await startGateway()
    gateway.held.certificate = undefined
    const provider = await startProvider()
    expect(await codeOf(provider.dial(gateway))).not.toBe('resolved')
    await expect.poll(() => gateway.directory.size).toBe(0)
  })
})

describe('meet()', () => {
  it('opens a session over a connection that the provider made, once', async () => {
    const gateway = await startGateway()
    const provider = await startProvider()
    const opened: Session[] = []
    await provider.host.serveSessions(SERVE_PROTOCOL, {
      hello: () => provider.hello(),
      accept: () => ({ requests: {}, notices: {} }),
      onSession: (session) => void opened.push(session),
    })
    const plain = { hello: () => new Uint8Array(0), accept: () => ({ requests: {}, notices: {} }) }
    await gateway.host.serveSessions('/lexora/test/1.0.0', plain)
    const target = { peerId: gateway.host.peerId, addresses: gateway.host.addresses() }
    await provider.host.openSession(target, '/lexora/test/1.0.0', plain)
    await gateway.providers.meet({ peerId: provider.signer.peerId })
    await gateway.providers.meet({ peerId: provider.signer.peerId })
    expect(opened.length).toBe(1)
    expect(gateway.directory.has(provider.signer.peerId)).toBe(true)
  })

  it('says why it could not', async () => {
    const gateway = await startGateway()
    const peerId = newSigner().peerId
    const addresses = ['/ip4/127.0.0.1/tcp/1']
    expect(await codeOf(gateway.providers.meet({ peerId, addresses }))).toBe('session_closed')
  })
})

describe('a provider whose membership is revoked', () => {
  it('loses its session, is no candidate any more and cannot come back', async () => {
    const gateway = await startGateway()
    const [bad, good] = [await startProvider(), await startProvider()]
    const certified = certificate(bad.signer.peerId, 'provider', 7)
    const hello = bad.hello({ capability: bad.record({ certificate: certified }) })
    const session = await bad.dial(gateway, hello)
    await good.dial(gateway)
    await expect.poll(() => gateway.directory.size).toBe(2)

    gateway.providers.revoke([7, 8])
    await expect.poll(() => session.isOpen).toBe(false)
    expect(gateway.directory.candidates(MODEL).map(({ peerId }) => peerId)).toEqual([
      good.signer.peerId,
    ])
    expect(await codeOf(bad.dial(gateway, hello))).toBe('not_a_member')
    expect(gateway.directory.size).toBe(1)
  })

  it('is remembered among the latest of very many', async () => {
    const gateway = await startGateway()
    const provider = await startProvider()
    gateway.providers.revoke(Array.from({ length: 20_000 }, (_, index) => index + 2))
    gateway.providers.revoke([1])
    expect(await codeOf(provider.dial(gateway))).toBe('not_a_member')
  })
})
