import {
  GATEWAY_RENDEZVOUS,
  GATEWAY_TOPIC,
  gatewayAnnouncementCodec,
  issueCertificate,
  LexoraError,
  LOAD_TOPICS,
  loadAnnouncementCodec,
  type MemberRole,
  modelRendezvous,
} from '@lexora/protocol'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createDiscovery, type Discovery } from '../../../gateway/src/mesh/discovery.ts'
import { createDirectory, type Directory } from '../../../gateway/src/routing/directory.ts'
import type { GossipSubscriber } from '../../../protocol/src/mesh/gossip.ts'
import type { MeshHost } from '../../../protocol/src/mesh/host.ts'
import type { FoundProvider } from '../../../protocol/src/mesh/rendezvous.ts'
import type { SessionTarget } from '../../../protocol/src/mesh/session-hub.ts'
import {
  idleSession,
  load,
  MODEL,
  NOW,
  newSigner,
  record,
  type TestClock,
  testClock,
  testLog,
} from '../fixture.ts'

const ledger = newSigner()
const provider = newSigner()

function certificate(peerId: string, role: MemberRole): Uint8Array {
  const times = { notBeforeMs: NOW, notAfterMs: NOW + 3_600_000 }
  return issueCertificate(ledger, { peerId, role, accountRef: '', serial: 1, ...times })
}

/** A host that only writes down what it is asked. */
class FakeHost {
  readonly peerId = newSigner().peerId
  readonly subscribers = new Map<string, GossipSubscriber>()
  readonly provided: string[] = []
  readonly published: Uint8Array[] = []
  readonly lookUps: { key: string; signal: AbortSignal | undefined }[] = []
  found: FoundProvider[] = []
  /** Awaited before a look-up's first hit. */
  gate: Promise<void> = Promise.resolve()

  addresses = (): string[] => ['/ip4/127.0.0.1/tcp/1']
  keepProvided = (key: string): (() => void) => {
    this.provided.push(key)
    return () => void this.provided.splice(this.provided.indexOf(key), 1)
  }
  subscribe = (topic: string, subscriber: GossipSubscriber): (() => void) => {
    this.subscribers.set(topic, subscriber)
    return () => void this.subscribers.delete(topic)
  }
  publish = async (topic: string, bytes: Uint8Array): Promise<number> => {
    expect(topic).toBe(GATEWAY_TOPIC)
    this.published.push(bytes)
    return 1
  }
  findProviders = (
    key: string,
    { signal }: { signal?: AbortSignal } = {},
  ): AsyncIterable<FoundProvider> => {
    this.lookUps.push({ key, signal })
    const { gate, found } = this
    return (async function* () {
      await gate
      yield* found
    })()
  }
}

let host: FakeHost
let directory: Directory
let clock: TestClock
let met: SessionTarget[]
let discovery: Discovery
let held: Uint8Array | undefined

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  host = new FakeHost()
  clock = testClock()
  directory = createDirectory({ clock })
  met = []
  held = certificate(host.peerId, 'gateway')
  discovery = createDiscovery(
    {
      host: host as unknown as MeshHost,
      directory,
      providers: {
        serve: () => Promise.resolve(),
        meet: (target) => {
          met.push(target)
          return Promise.reject(new LexoraError('session_closed', 'nobody there'))
        },
        revoke: () => undefined,
      },
      log: testLog().log,
      clock,
      certificate: () => held,
      models: () => [MODEL, 'other/model'],
    },
    { ledgerPeerId: ledger.peerId },
  )
})
afterEach(() => {
  discovery.stop()
  vi.useRealTimers()
})

function announcement(changes: {
  certificate?: Uint8Array
  peerId?: string
  sentAtMs?: number
}): Uint8Array {
  const { peerId = provider.peerId, sentAtMs = clock() } = changes
  return loadAnnouncementCodec.encode({
    certificate: changes.certificate ?? certificate(provider.peerId, 'provider'),
    load: load(peerId, { sentAtMs }),
  })
}

function judge(bytes: Uint8Array): string {
  try {
    return host.subscribers.get(LOAD_TOPICS[0] ?? '')?.validate(provider.peerId, bytes) ?? 'none'
  } catch (error) {
    return (error as LexoraError).code
  }
}

describe('being found', () => {
  it('provides the role and says where it is, with a rising number', async () => {
    discovery.start()
    discovery.start()
    expect(host.provided).toEqual([GATEWAY_RENDEZVOUS])
    await vi.advanceTimersByTimeAsync(1_000)
    const said = host.published.map((bytes) => gatewayAnnouncementCodec.decode(bytes))
    expect(said.map(({ sequence }) => sequence)).toEqual([NOW + 1, NOW + 2])
    expect(said[0]).toMatchObject({ sentAtMs: NOW, addresses: ['/ip4/127.0.0.1/tcp/1'] })
  })

  it('says it often at first, when few listen yet, and then every 15 s', async () => {
    discovery.start()
    const counts = [host.published.length]
    for (let seconds = 0; seconds < 60; seconds += 1) {
      await vi.advanceTimersByTimeAsync(1_000)
      counts.push(host.published.length)
    }
    const saidAt = counts.flatMap((count, second) =>
      count > (counts[second - 1] ?? 0) ? [second] : [],
    )
    expect(saidAt).toEqual([0, 1, 3, 7, 15, 30, 45, 60])
  })

  it('says nothing without a certificate', async () => {
    held = undefined
    discovery.start()
    await vi.advanceTimersByTimeAsync(15_000)
    expect(host.published).toEqual([])
  })
})

describe('heartbeats in gossip', () => {
  it.each<[string, () => Uint8Array, string]>([
    ['of a member, fresh', () => announcement({}), 'accept'],
    ['of another peer than its author', () => announcement({ peerId: host.peerId }), 'reject'],
    ['from long ago', () => announcement({ sentAtMs: NOW - 60_001 }), 'ignore'],
    ['from the future', () => announcement({ sentAtMs: NOW + 60_001 }), 'ignore'],
    [
      'of a gateway',
      () => announcement({ certificate: certificate(provider.peerId, 'gateway') }),
      'not_a_member',
    ],
    [
      'with another peer’s certificate',
      () => announcement({ certificate: certificate(host.peerId, 'provider') }),
      'not_a_member',
    ],
    ['that cannot be read', () => new Uint8Array([255]), 'malformed'],
  ])('%s', (_name, bytes, verdict) => {
    discovery.start()
    expect(judge(bytes())).toBe(verdict)
  })

  it('of an unknown provider: it is met, once a minute at most; of a known one: not', async () => {
    discovery.start()
    const hear = (): void =>
      host.subscribers.get(LOAD_TOPICS[3] ?? '')?.handle(provider.peerId, announcement({}))
    hear()
    hear()
    expect(met).toEqual([{ peerId: provider.peerId }])
    clock.advance(60_000)
    hear()
    expect(met.length).toBe(2)
    clock.advance(60_000)
    directory.add(idleSession(provider.peerId), record(provider.peerId), undefined)
    hear()
    expect(met.length).toBe(2)
  })
})

describe('looking up', () => {
  it('asks for every model that is sold and meets who is found, each once', async () => {
    const addresses = ['/ip4/127.0.0.1/tcp/9']
    host.found = [{ peerId: provider.peerId, addresses }]
    discovery.start()
    await vi.advanceTimersByTimeAsync(0)
    expect(host.lookUps.map(({ key }) => key)).toEqual([
      modelRendezvous(MODEL),
      modelRendezvous('other/model'),
    ])
    expect(met).toEqual([{ peerId: provider.peerId, addresses }])
    await vi.advanceTimersByTimeAsync(1_000)
    expect(host.lookUps.length).toBe(4)
    await vi.advanceTimersByTimeAsync(600_000)
    // After 1, 3, 7, 15 and 31 s, and every 30 s from then on.
    expect(host.lookUps.length).toBe(2 * (1 + 5 + 19))
  })

  it('does not begin again while it still walks', async () => {
    let open = (): void => {}
    host.gate = new Promise((resolve) => {
      open = resolve
    })
    discovery.start()
    await vi.advanceTimersByTimeAsync(120_000)
    expect(host.lookUps.length).toBe(1)
    open()
    await vi.advanceTimersByTimeAsync(1_000)
    expect(host.lookUps.length).toBe(4)
  })
})

describe('stop()', () => {
  it('undoes everything, and a stopped one does not start again', async () => {
    discovery.start()
    await vi.advanceTimersByTimeAsync(0)
    discovery.stop()
    discovery.stop()
    expect(host.provided).toEqual([])
    expect(host.subscribers.size).toBe(0)
    expect(vi.getTimerCount()).toBe(0)
    expect(host.lookUps[0]?.signal?.aborted).toBe(true)
    const { length } = host.published
    discovery.start()
    await vi.advanceTimersByTimeAsync(60_000)
    expect(host.published.length).toBe(length)
  })
})
