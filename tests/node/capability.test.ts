import {
  CAPABILITY_LIFETIME_MS,
  type CapabilityRecord,
  checkCapability,
  helloCodec,
} from '@lexora/protocol'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { type Capability, createCapability } from '../../node/src/capability.ts'
import { createFakeEngine } from '../../node/src/engines/fake-engine.ts'
import { testCertificate, testNetwork } from './network.ts'

const network = testNetwork()
const { peerId } = network.provider
const engine = createFakeEngine({}, { slots: 3 })

let capability: Capability
let pushed: CapabilityRecord[]
let certificate: Uint8Array | undefined

function open(sealed: Uint8Array | undefined): CapabilityRecord {
  const check = { ledgerPeerId: network.ledger.peerId, nowMs: Date.now(), peerId }
  return checkCapability(sealed ?? new Uint8Array(), check).record
}

beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] })
  pushed = []
  certificate = testCertificate(network.ledger, peerId, 'provider')
  await engine.start()
  capability = createCapability(
    {
      signer: network.provider,
      models: () => engine.models(),
      addresses: () => [],
      certificate: () => certificate,
      push: (record) => void pushed.push(open(record)),
      clock: () => Date.now(),
    },
    { software: 'lexora-node/test', hardware: 'a machine' },
  )
})
afterEach(() => {
  capability.stop()
  vi.useRealTimers()
})

describe('createCapability()', () => {
  it('says what the engines serve, in a record that gateways accept', () => {
    expect(open(capability.current())).toMatchObject({
      peerId,
      software: 'lexora-node/test',
      models: [{ id: 'fake', slots: 3, priceMultiplierBasisPoints: 10_000 }],
    })
  })

  it('is silent without a certificate', () => {
    certificate = undefined
    expect(capability.current()).toBeUndefined()
    capability.renew()
    expect(pushed).toHaveLength(0)
    const load = { peerId, bootId: new Uint8Array(8), sequence: 1, sentAtMs: Date.now() }
    expect(capability.hello({ ...load, draining: false, models: [] })).toBeUndefined()
  })

  it('is renewed and pushed at each half life, with a rising sequence', () => {
    capability.renew()
    for (let half = 0; half < 3; half += 1) vi.advanceTimersByTime(CAPABILITY_LIFETIME_MS / 2)
    expect(pushed).toHaveLength(4)
    const sequences = pushed.map(({ sequence }) => sequence)
    expect(new Set(sequences).size).toBe(4)
    expect(sequences).toEqual(sequences.toSorted((a, b) => a - b))
    capability.stop()
    vi.advanceTimersByTime(CAPABILITY_LIFETIME_MS)
    expect(pushed).toHaveLength(4)
  })

  it('carries a new certificate at once, and is the same until something changes', () => {
    const first = capability.current()
    expect(capability.current()).toBe(first)
    certificate = testCertificate(network.ledger, peerId, 'provider')
    const second = capability.current()
    expect(Buffer.from(open(second).certificate)).toEqual(Buffer.from(certificate))
    expect(open(second).sequence).toBeGreaterThan(open(first).sequence)
  })

  it('comes in the hello with certificate and load', () => {
    const load = {
      peerId,
      bootId: new Uint8Array(8),
      sequence: 4,
      sentAtMs: Date.now(),
      draining: false,
      models: [],
    }
    const hello = helloCodec.decode(capability.hello(load) ?? new Uint8Array())
    expect(open(hello.capability).peerId).toBe(peerId)
    expect(hello.load?.sequence).toBe(4)
    expect(Buffer.from(hello.certificate)).toEqual(Buffer.from(certificate ?? []))
  })
})
