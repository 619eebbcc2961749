import { randomBytes } from 'node:crypto'
import {
  CLOCK_SKEW_MS,
  gatewayAnnouncementCodec,
  loadAnnouncementCodec,
  type Signer,
} from '@lexora/protocol'
import { describe, expect, it } from 'vitest'
import { createAnnouncements } from '../../../node/src/mesh/announcements.ts'
import { testCertificate, testNetwork, testSigner } from '../network.ts'

const network = testNetwork()
const ledgerPeerId = network.ledger.peerId
const clock = (): number => Date.now()
const judge = (announcersMax = 10): ReturnType<typeof createAnnouncements> =>
  createAnnouncements(clock, { ledgerPeerId, announcersMax })

function gatewaySays(
  sequence: number,
  bend: { by?: Signer; certificate?: Uint8Array; sentAtMs?: number } = {},
): Uint8Array {
  const by = bend.by ?? network.gateway
  return gatewayAnnouncementCodec.encode({
    certificate: bend.certificate ?? testCertificate(network.ledger, by.peerId, 'gateway'),
    sequence,
    sentAtMs: bend.sentAtMs ?? Date.now(),
    addresses: ['/ip4/127.0.0.1/tcp/1'],
  })
}

function providerSays(
  sequence: number,
  bend: { bootId?: Uint8Array; sentAtMs?: number; peerId?: string } = {},
): Uint8Array {
  const peerId = bend.peerId ?? network.provider.peerId
  return loadAnnouncementCodec.encode({
    certificate: testCertificate(network.ledger, network.provider.peerId, 'provider'),
    load: {
      peerId,
      bootId: bend.bootId ?? new Uint8Array(8),
      sequence,
      sentAtMs: bend.sentAtMs ?? Date.now(),
      draining: false,
      models: [],
    },
  })
}

describe('announcements: gateways', () => {
  const from = network.gateway.peerId

  it('accepts what a gateway says of itself, once, and what is newer', () => {
    const announcements = judge()
    expect(announcements.gateway(from, gatewaySays(5))).toBe('accept')
    expect(announcements.gateway(from, gatewaySays(5))).toBe('ignore')
    expect(announcements.gateway(from, gatewaySays(4))).toBe('ignore')
    expect(announcements.gateway(from, gatewaySays(6))).toBe('accept')
  })

  it('rejects what no honest peer sends', () => {
    const announcements = judge()
    const provider = testCertificate(network.ledger, from, 'provider')
    const selfMade = testCertificate(testSigner(), from, 'gateway')
    const other = testSigner().peerId
    const cases: [string, string, Uint8Array][] = [
      ['random bytes', from, randomBytes(100)],
      ['no bytes', from, new Uint8Array(0)],
      ['another peer’s words', other, gatewaySays(1)],
      ['a provider as a gateway', from, gatewaySays(1, { certificate: provider })],
      ['a certificate of another ledger', from, gatewaySays(1, { certificate: selfMade })],
      ['bytes for a certificate', from, gatewaySays(1, { certificate: randomBytes(90) })],
    ]
    for (const [name, author, bytes] of cases) {
      expect(announcements.gateway(author, bytes), name).toBe('reject')
    }
    // None of it kept the true gateway from being heard.
    expect(announcements.gateway(from, gatewaySays(1))).toBe('accept')
  })

  it('ignores what is late or early', () => {
    const announcements = judge()
    const late = gatewaySays(1, { sentAtMs: Date.now() - CLOCK_SKEW_MS - 1_000 })
    const early = gatewaySays(1, { sentAtMs: Date.now() + CLOCK_SKEW_MS + 1_000 })
    expect(announcements.gateway(from, late)).toBe('ignore')
    expect(announcements.gateway(from, early)).toBe('ignore')
  })

  it('checks a certificate again when it is another', () => {
    const announcements = judge()
    expect(announcements.gateway(from, gatewaySays(1))).toBe('accept')
    const forged = gatewaySays(2, { certificate: testCertificate(testSigner(), from, 'gateway') })
    expect(announcements.gateway(from, forged)).toBe('reject')
    expect(announcements.gateway(from, gatewaySays(2))).toBe('accept')
  })

  it('remembers a bounded number of peers', () => {
    const announcements = judge(2)
    const gateways = [testSigner(), testSigner(), testSigner()]
    for (const by of gateways) {
      expect(announcements.gateway(by.peerId, gatewaySays(1, { by }))).toBe('accept')
    }
    const [first, , last] = gateways
    if (first === undefined || last === undefined) throw new Error('three were made')
    expect(announcements.gateway(last.peerId, gatewaySays(1, { by: last }))).toBe('ignore')
    expect(announcements.gateway(first.peerId, gatewaySays(1, { by: first }))).toBe('accept')
  })
})

describe('announcements: load', () => {
  const from = network.provider.peerId

  it('follows the sequence within a start and the time over a restart', () => {
    const announcements = judge()
    const nowMs = Date.now()
    const bootId = randomBytes(8)
    expect(announcements.load(from, providerSays(9, { sentAtMs: nowMs }))).toBe('accept')
    expect(announcements.load(from, providerSays(8, { sentAtMs: nowMs + 5 }))).toBe('ignore')
    const restarted = providerSays(1, { bootId, sentAtMs: nowMs + 10 })
    expect(announcements.load(from, restarted)).toBe('accept')
    // The old start cannot come back.
    expect(announcements.load(from, providerSays(10, { sentAtMs: nowMs }))).toBe('ignore')
  })

  it('lets nobody speak for another peer', () => {
    const announcements = judge()
    const other = testSigner().peerId
    expect(announcements.load(from, providerSays(1, { peerId: other }))).toBe('reject')
    expect(announcements.load(other, providerSays(1))).toBe('reject')
  })

  it('judges form, author and order where no ledger is known', () => {
    const announcements = createAnnouncements(clock, {})
    expect(announcements.load(from, providerSays(1))).toBe('accept')
    expect(announcements.load(from, providerSays(1))).toBe('ignore')
    expect(announcements.load(testSigner().peerId, providerSays(1))).toBe('reject')
    expect(announcements.load(from, randomBytes(50))).toBe('reject')
  })
})
