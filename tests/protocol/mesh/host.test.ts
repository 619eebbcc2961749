import { afterEach, describe, expect, it } from 'vitest'
import type { LexoraError } from '../../../protocol/src/errors.ts'
import {
  createMeshHost,
  type MeshHost,
  type MeshHostOptions,
} from '../../../protocol/src/mesh/host.ts'
import { generateKey } from '../../../protocol/src/mesh/key-file.ts'
import type { FoundProvider } from '../../../protocol/src/mesh/rendezvous.ts'
import type { Session } from '../../../protocol/src/mesh/session.ts'
import { bytes, closed, NOTHING, text } from './session-pair.ts'

const PROTOCOL = '/lexora/test/1.0.0'
const LOOPBACK = ['/ip4/127.0.0.1/tcp/0']
const TOPIC = '/lexora/test/load'

const hosts: MeshHost[] = []
afterEach(async () => {
  await Promise.all(hosts.splice(0).map((host) => host.stop()))
})

async function startHost(options: Partial<MeshHostOptions> = {}): Promise<MeshHost> {
  const host = await makeHost(options)
  await host.start()
  return host
}

async function makeHost(options: Partial<MeshHostOptions> = {}): Promise<MeshHost> {
  const host = await createMeshHost(
    {},
    {
      privateKey: await generateKey(),
      listen: LOOPBACK,
      bootstrap: [],
      dhtServer: true,
      topics: [TOPIC],
      ...options,
    },
  )
  hosts.push(host)
  return host
}

const plain = {
  hello: () => bytes('hello'),
  accept: () => ({ requests: {}, notices: {} }),
}

async function collect(found: AsyncIterable<FoundProvider>): Promise<FoundProvider[]> {
  const all: FoundProvider[] = []
  for await (const provider of found) all.push(provider)
  return all
}

describe('sessions between hosts', () => {
  it('carry requests both ways over a connection that only one end can dial', async () => {
    const gateway = await startHost()
    const provider = await startHost({ listen: [], dhtServer: false })
    expect(provider.addresses()).toEqual([])
    const inbound: Session[] = []
    await gateway.serveSessions(PROTOCOL, {
      ...plain,
      accept: (remotePeer, hello) => ({
        requests: { who: () => Promise.resolve(bytes(`${remotePeer} ${text(hello)}`)) },
        notices: {},
      }),
      onSession: (session) => inbound.push(session),
    })
    const session = await provider.openSession(
      { peerId: gateway.peerId, addresses: gateway.addresses() },
      PROTOCOL,
      {
        ...plain,
        accept: () => ({ requests: { infer: () => Promise.resolve(bytes('token')) }, notices: {} }),
      },
    )
    const who = await session.request('who', NOTHING, { timeoutMs: 5_000 })
    expect(text(who)).toBe(`${provider.peerId} hello`)
    const [back] = inbound
    expect(back?.remotePeer).toBe(provider.peerId)
    expect(text((await back?.request('infer', NOTHING, { timeoutMs: 5_000 })) ?? NOTHING)).toBe(
      'token',
    )
  })

  it('open towards a peer without addresses over the connection that it dialled', async () => {
    const gateway = await startHost()
    const provider = await startHost({
      listen: [],
      dhtServer: false,
      bootstrap: gateway.addresses(),
    })
    await provider.serveSessions(PROTOCOL, plain)
    await expect.poll(() => gateway.connectedPeers()).toContain(provider.peerId)
    const session = await gateway.openSession({ peerId: provider.peerId }, PROTOCOL, plain)
    expect(session.direction).toBe('outbound')
    expect(text(session.remoteHello)).toBe('hello')
  })

  it('say what went wrong', async () => {
    const [near, far, gone] = [await startHost(), await startHost(), await startHost()]
    const target = { peerId: far.peerId, addresses: far.addresses() }
    const goneTarget = { peerId: gone.peerId, addresses: gone.addresses() }
    await gone.stop()
    const code = (opening: Promise<Session>): Promise<string> =>
      opening.then(
        () => 'opened',
        (error: unknown) => (error as LexoraError).code,
      )
    expect(await code(near.openSession(target, '/lexora/none/1', plain))).toBe(
      'unsupported_version',
    )
    expect(await code(near.openSession(goneTarget, PROTOCOL, plain))).toBe('session_closed')
    expect(await code(near.openSession({ peerId: 'nonsense' }, PROTOCOL, plain))).toBe('malformed')
    const signal = AbortSignal.abort()
    expect(await code(near.openSession(target, PROTOCOL, { ...plain, signal }))).toBe('cancelled')
  })

  it('end with session_closed when the other host stops', async () => {
    const [near, far] = [await startHost(), await startHost()]
    await far.serveSessions(PROTOCOL, {
      ...plain,
      accept: () => ({ requests: { deaf: () => new Promise(() => {}) }, notices: {} }),
    })
    const target = { peerId: far.peerId, addresses: far.addresses() }
    const session = await near.openSession(target, PROTOCOL, plain)
    const disconnected: string[] = []
    near.onPeerDisconnect((peerId) => disconnected.push(peerId))
    const ended = closed(session)
    const pending = session.request('deaf', NOTHING, { timeoutMs: 20_000 })
    const failed = expect(pending).rejects.toMatchObject({ code: 'session_closed' })
    await far.stop()
    await far.stop()
    await failed
    expect(await ended).toMatchObject({ code: 'session_closed' })
    await expect.poll(() => disconnected).toContain(far.peerId)
  })

  it('carry more than a stream window in both directions', async () => {
    const [near, far] = [await startHost(), await startHost()]
    const part = new Uint8Array(200_000).fill(1)
    await far.serveSessions(PROTOCOL, {
      ...plain,
      accept: () => ({
        requests: {
          image: async (_payload, context) => {
            for (let index = 0; index < 100; index += 1) {
              context.send(part)
              await context.settled()
            }
            return NOTHING
          },
        },
        notices: {},
      }),
    })
    const target = { peerId: far.peerId, addresses: far.addresses() }
    const session = await near.openSession(target, PROTOCOL, plain)
    const call = session.call('image', NOTHING, {
      firstFrameTimeoutMs: 5_000,
      maxResponseBytes: 100 * part.length,
    })
    let received = 0
    for await (const frame of call.frames) received += frame.payload.length
    expect(received).toBe(100 * part.length)
  })
})

describe('the mesh', () => {
  it('finds providers through a bootstrap peer', async () => {
    const bootstrap = await startHost()
    const joins = { bootstrap: bootstrap.addresses() }
    const provider = await startHost(joins)
    const seeker = await startHost({ ...joins, dhtServer: false, listen: [] })
    const stop = provider.keepProvided('role:gateway')
    await expect
      .poll(() => collect(seeker.findProviders('role:gateway', { limit: 1 })), { timeout: 10_000 })
      .toEqual([{ peerId: provider.peerId, addresses: expect.any(Array) as string[] }])
    stop()
    const [found] = await collect(seeker.findProviders('role:gateway'))
    expect(found?.addresses.some((address) => address.startsWith('/ip4/127.0.0.1/tcp/'))).toBe(true)
    expect(await collect(seeker.findProviders('role:nobody'))).toEqual([])
    expect(await provider.provide('model:tiny')).toBeGreaterThan(0)
  })

  it('finds providers again when the bootstrap peer has lost its memory', async () => {
    const privateKey = await generateKey()
    const first = await startHost({ privateKey })
    const joins = { bootstrap: first.addresses() }
    const listen = joins.bootstrap.map((address) => address.replace(/\/p2p\/.*$/, ''))
    // A DHT client, so that nobody but the bootstrap peer holds the record.
    const provider = await startHost({ ...joins, dhtServer: false })
    provider.keepProvided('role:gateway')
    const find = async (): Promise<string[]> => {
      const seeker = await startHost({ ...joins, dhtServer: false, listen: [] })
      await expect.poll(() => seeker.connectedPeers()).toContain(first.peerId)
      const found = await collect(seeker.findProviders('role:gateway', { limit: 1 }))
      await seeker.stop()
      return found.map(({ peerId }) => peerId)
    }
    await expect.poll(find, { timeout: 10_000 }).toEqual([provider.peerId])
    await first.stop()
    await startHost({ privateKey, listen })
    await expect.poll(find, { timeout: 20_000 }).toEqual([provider.peerId])
  })

  it('takes what was asked of a host before its start', async () => {
    const host = await makeHost()
    const heard: string[] = []
    host.subscribe(TOPIC, {
      validate: () => 'accept',
      handle: (_from, message) => heard.push(text(message)),
    })
    await host.serveSessions(PROTOCOL, plain)
    host.keepProvided('role:gateway')
    expect(host.addresses()).toEqual([])
    await host.start()
    const peer = await startHost({ bootstrap: host.addresses() })
    await peer.openSession({ peerId: host.peerId, addresses: host.addresses() }, PROTOCOL, plain)
    await expect.poll(() => peer.publish(TOPIC, bytes('hi')), { timeout: 10_000 }).toBe(1)
    await expect.poll(() => heard).toContain('hi')
    await expect
      .poll(async () => (await collect(peer.findProviders('role:gateway'))).length, {
        timeout: 10_000,
      })
      .toBe(1)
  })

  it('is joined when the bootstrap peer starts late, and again when it comes back', async () => {
    const privateKey = await generateKey()
    const first = await startHost({ privateKey })
    const addresses = first.addresses()
    const listen = addresses.map((address) => address.replace(/\/p2p\/.*$/, ''))
    await first.stop()
    const peer = await startHost({ bootstrap: addresses, listen: [], dhtServer: false })
    const second = await startHost({ privateKey, listen })
    await expect.poll(() => peer.connectedPeers(), { timeout: 10_000 }).toContain(second.peerId)
    await second.stop()
    await expect.poll(() => peer.connectedPeers(), { timeout: 10_000 }).toEqual([])
    const third = await startHost({ privateKey, listen })
    await expect.poll(() => peer.connectedPeers(), { timeout: 10_000 }).toContain(third.peerId)
  })

  it('refuses a bootstrap address without a peer', async () => {
    const privateKey = await generateKey()
    const options = { privateKey, listen: [], dhtServer: false, topics: [] }
    for (const address of ['/ip4/127.0.0.1/tcp/1', 'nonsense']) {
      await expect(createMeshHost({}, { ...options, bootstrap: [address] })).rejects.toMatchObject({
        code: 'invalid_request',
        message: expect.stringContaining(address) as string,
      })
    }
  })

  it('hears gossip from a peer that does not subscribe, judged first', async () => {
    const listener = await startHost()
    const speaker = await startHost({
      bootstrap: listener.addresses(),
      listen: [],
      dhtServer: false,
    })
    const judged: string[] = []
    const heard: string[] = []
    const unsubscribe = listener.subscribe(TOPIC, {
      validate: (from, message) => {
        judged.push(text(message))
        if (text(message) === 'throw') throw new Error('validator')
        return from === speaker.peerId && text(message) !== 'bad' ? 'accept' : 'ignore'
      },
      handle: (from, message) => {
        heard.push(`${from} ${text(message)}`)
        throw new Error('a handler that throws harms nobody')
      },
    })
    expect(await listener.publish(TOPIC, bytes('to nobody'))).toBe(0)
    await expect.poll(() => speaker.publish(TOPIC, bytes('one')), { timeout: 10_000 }).toBe(1)
    for (const message of ['bad', 'throw', 'two']) await speaker.publish(TOPIC, bytes(message))
    await expect.poll(() => heard).toContain(`${speaker.peerId} two`)
    expect(judged).toEqual(['one', 'bad', 'throw', 'two'])
    expect(heard).toEqual([`${speaker.peerId} one`, `${speaker.peerId} two`])
    expect(() => listener.subscribe(TOPIC, { validate: () => 'accept', handle: () => {} })).toThrow(
      expect.objectContaining({ code: 'conflict' }),
    )
    unsubscribe()
    await expect(speaker.publish('/other', NOTHING)).rejects.toMatchObject({
      code: 'invalid_request',
    })
    await expect(speaker.publish(TOPIC, new Uint8Array(20_000))).rejects.toMatchObject({
      code: 'frame_too_large',
    })
  })

  it('takes in more new peers from one address than libp2p would', async () => {
    const hub = await startHost()
    await hub.serveSessions(PROTOCOL, plain)
    const target = { peerId: hub.peerId, addresses: hub.addresses() }
    const peers = await Promise.all(
      Array.from({ length: 12 }, () => startHost({ listen: [], dhtServer: false })),
    )
    // Each dials once: one that the hub turned away would throw.
    const sessions = await Promise.all(
      peers.map((peer) => peer.openSession(target, PROTOCOL, plain)),
    )
    expect(sessions.every((session) => session.isOpen)).toBe(true)
  })
})
