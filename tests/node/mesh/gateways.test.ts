import { helloCodec, LexoraError } from '@lexora/protocol'
import type { OpenOptions, Session } from '@lexora/protocol/mesh'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import {
  GATEWAY_DIAL_FAILURES_MAX,
  GATEWAY_DIALS_MAX,
  GATEWAY_REDIAL_MAX_MS,
} from '../../../node/src/constants.ts'
import { createAnnouncements } from '../../../node/src/mesh/announcements.ts'
import { createGateways, type Gateways } from '../../../node/src/mesh/gateways.ts'
import { testCertificate, testNetwork, testSigner } from '../network.ts'

const network = testNetwork()
const clock = (): number => Date.now()

/** A session that stays open until it is closed. */
function testSession(remotePeer: string): Session & { end: () => void } {
  const listeners: ((error: LexoraError | undefined) => void)[] = []
  let isOpen = true
  const end = (): void => {
    if (!isOpen) return
    isOpen = false
    for (const listener of listeners) listener(undefined)
  }
  const certificate = testCertificate(network.ledger, remotePeer, 'gateway')
  return {
    remotePeer,
    direction: 'outbound',
    get isOpen() {
      return isOpen
    },
    remoteHello: helloCodec.encode({ certificate, software: 'test' }),
    call: () => {
      throw new Error('not used')
    },
    request: () => Promise.reject(new Error('not used')),
    notify: () => {},
    onClose: (listener) => {
      listeners.push(listener)
      return () => {}
    },
    close: end,
    end,
  }
}

interface Dial {
  peerId: string
  addresses: readonly string[]
  /** Ends the dial: with the gateway's hello, or with an error. */
  succeed(): Session & { end: () => void }
  fail(code?: 'session_closed' | 'not_a_member'): void
}

let dials: Dial[]
let gateways: Gateways
beforeEach(() => {
  vi.useFakeTimers()
  dials = []
})
afterEach(() => {
  gateways.stop()
  vi.useRealTimers()
})

function make(gatewaysMax?: number): void {
  gateways = createGateways(
    {
      host: {
        subscribe: () => () => {},
        serveSessions: () => Promise.resolve(),
        openSession: ({ peerId, addresses = [] }, _protocol, options: OpenOptions) =>
          new Promise((resolve, reject) => {
            dials.push({
              peerId,
              addresses,
              succeed() {
                const session = testSession(peerId)
                options.accept(peerId, session.remoteHello)
                options.onSession?.(session)
                resolve(session)
                return session
              },
              fail(code = 'session_closed') {
                reject(new LexoraError(code, 'scripted'))
              },
            })
          }),
      },
      hello: () => new Uint8Array(0),
      serve: () => Promise.reject(new Error('not used')),
      announcements: createAnnouncements(clock, { ledgerPeerId: network.ledger.peerId }),
      log: { debug: () => {}, info: () => {} },
      clock,
    },
    { ledgerPeerId: network.ledger.peerId, ...(gatewaysMax === undefined ? {} : { gatewaysMax }) },
  )
}

const peerIds = (count: number): string[] =>
  Array.from({ length: count }, () => testSigner().peerId)

describe('createGateways()', () => {
  it('dials what it learns of, once, and again when the session ends', async () => {
    make()
    const [peerId = ''] = peerIds(1)
    gateways.learn(peerId, ['/ip4/127.0.0.1/tcp/1'])
    gateways.learn(peerId, ['/ip4/127.0.0.1/tcp/1'])
    await vi.advanceTimersByTimeAsync(1)
    expect(dials).toMatchObject([{ peerId, addresses: ['/ip4/127.0.0.1/tcp/1'] }])
    const session = dials[0]?.succeed()
    await vi.advanceTimersByTimeAsync(60_000)
    expect(dials).toHaveLength(1)
    expect(gateways.connected).toBe(1)
    session?.end()
    expect(gateways.connected).toBe(0)
    await vi.advanceTimersByTimeAsync(500)
    expect(dials).toHaveLength(2)
  })

  it('dials a bounded number at once', async () => {
    make()
    for (const peerId of peerIds(20)) gateways.learn(peerId, [])
    await vi.advanceTimersByTimeAsync(1)
    expect(dials).toHaveLength(GATEWAY_DIALS_MAX)
    for (const dial of dials) dial.succeed()
    await vi.advanceTimersByTimeAsync(1_000)
    expect(dials).toHaveLength(2 * GATEWAY_DIALS_MAX)
  })

  it('redials less and less often, then forgets a gateway that cannot be reached', async () => {
    make()
    const [peerId = ''] = peerIds(1)
    gateways.learn(peerId, [])
    const startMs = Date.now()
    let failed = 0
    while (Date.now() < startMs + 3_600_000) {
      await vi.advanceTimersByTimeAsync(100)
      for (; failed < dials.length; failed += 1) dials[failed]?.fail()
    }
    expect(dials).toHaveLength(GATEWAY_DIAL_FAILURES_MAX)
    gateways.learn(peerId, [])
    await vi.advanceTimersByTimeAsync(1)
    expect(dials).toHaveLength(GATEWAY_DIAL_FAILURES_MAX + 1)
  })

  it('does not hammer a peer that is no gateway', async () => {
    make()
    const [peerId = ''] = peerIds(1)
    gateways.learn(peerId, [])
    await vi.advanceTimersByTimeAsync(1)
    dials[0]?.fail('not_a_member')
    await vi.advanceTimersByTimeAsync(GATEWAY_REDIAL_MAX_MS - 1_000)
    expect(dials).toHaveLength(1)
    await vi.advanceTimersByTimeAsync(1_000)
    expect(dials).toHaveLength(2)
  })

  it('knows a bounded number of gateways and gives up the worst for a new one', async () => {
    make(2)
    const [good = '', bad = '', third = '', fourth = ''] = peerIds(4)
    gateways.learn(good, [])
    gateways.learn(bad, [])
    await vi.advanceTimersByTimeAsync(1)
    dials[0]?.succeed()
    gateways.learn(third, [])
    await vi.advanceTimersByTimeAsync(1)
    expect(dials.map(({ peerId }) => peerId)).toEqual([good, bad])
    dials[1]?.fail()
    await vi.advanceTimersByTimeAsync(1)
    gateways.learn(third, [])
    await vi.advanceTimersByTimeAsync(1)
    expect(dials.map(({ peerId }) => peerId)).toEqual([good, bad, third])
    dials[2]?.succeed()
    gateways.learn(fourth, [])
    await vi.advanceTimersByTimeAsync(60_000)
    expect(dials).toHaveLength(3)
    expect(gateways.connected).toBe(2)
  })

  it('closes its sessions when it stops, and dials nobody any more', async () => {
    make()
    const [peerId = ''] = peerIds(1)
    gateways.learn(peerId, [])
    await vi.advanceTimersByTimeAsync(1)
    const session = dials[0]?.succeed()
    gateways.stop()
    expect(session?.isOpen).toBe(false)
    gateways.learn(peerId, [])
    await vi.advanceTimersByTimeAsync(60_000)
    expect(dials).toHaveLength(1)
  })
})
