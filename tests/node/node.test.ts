import {
  GATEWAY_TOPIC,
  helloCodec,
  INFER_METHOD,
  type InferTerminal,
  inferEventCodec,
  inferTerminalCodec,
  loadAnnouncementCodec,
  loadTopic,
  modelRendezvous,
  openReceipt,
  REVOCATION_NOTICE,
  revocationNoticeCodec,
  SERVE_PROTOCOL,
} from '@lexora/protocol'
import type { Session } from '@lexora/protocol/mesh'
import { pino } from 'pino'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createFakeEngine } from '../../node/src/engines/fake-engine.ts'
import { startNode } from '../../node/src/node.ts'
import {
  gatewayAnnouncement,
  type LoopbackMesh,
  loopbackMesh,
  type TestGateway,
} from './mesh/loopback-mesh.ts'
import { testCertificate, testRequest, testSigner } from './network.ts'

let mesh: LoopbackMesh
beforeEach(async () => {
  mesh = await loopbackMesh()
})
afterEach(async () => {
  await mesh.close()
})

const SOON = { timeout: 15_000, interval: 20 }

function requestFor(gateway: TestGateway): ReturnType<typeof testRequest> {
  return testRequest({
    ledger: mesh.ledger.signer,
    gateway: gateway.signer,
    provider: testSigner(),
  })
}

async function infer(
  session: Session | undefined,
  payload: Uint8Array,
  onTokens: () => void = () => {},
): Promise<InferTerminal> {
  if (session === undefined) throw new Error('no session')
  const call = session.call(INFER_METHOD, payload, {
    firstFrameTimeoutMs: 10_000,
    maxResponseBytes: 1_000_000,
  })
  for await (const frame of call.frames) {
    if (frame.kind === 'end') return inferTerminalCodec.decode(frame.payload)
    if (inferEventCodec.decode(frame.payload).kind === 'tokens') onTokens()
  }
  throw new Error('no end')
}

describe('a provider node', () => {
  it('finds a gateway in the DHT, says what it serves, answers, and says goodbye', async () => {
    const gateway = await mesh.gateway()
    const startedAtMs = performance.now()
    const node = await mesh.node()
    await node.ready
    expect(performance.now() - startedAtMs).toBeLessThan(10_000)
    expect(node.gateways).toBe(1)
    expect(node.addresses()).toEqual([])
    expect(gateway.records[0]).toMatchObject({
      peerId: node.peerId,
      models: [{ id: 'fake', slots: 2, modality: 'text' }],
    })
    expect(gateway.loads[0]).toMatchObject({ draining: false, models: [{ slotsBusy: 0 }] })

    const { payload, voucher } = requestFor(gateway)
    const terminal = await infer(gateway.sessions[0], payload)
    const { receipt, signedBy } = openReceipt(terminal.receipt)
    expect(signedBy).toBe(node.peerId)
    expect(receipt).toMatchObject({ holdId: voucher.holdId, tokenEnd: 20 })
    expect(node.receipts).toBe(1)

    await vi.waitFor(() => {
      expect(gateway.loads.some(({ models }) => models[0]?.slotsBusy === 1)).toBe(true)
      expect(gateway.loads.at(-1)?.models[0]?.slotsBusy).toBe(0)
    }, SOON)
    const sequences = gateway.loads.map(({ sequence }) => sequence)
    expect(sequences).toEqual(sequences.toSorted((a, b) => a - b))

    await node.stop()
    await vi.waitFor(() => {
      expect(gateway.goodbyes).toEqual([node.peerId])
    }, SOON)
    expect(gateway.loads.at(-1)?.draining).toBe(true)
  })

  it('learns of a gateway that announces itself, and not of one that forges', async () => {
    const known = await mesh.gateway()
    const node = await mesh.node()
    await node.ready
    const hidden = await mesh.gateway({ provides: false })
    const forger = await mesh.gateway({ provides: false, certified: false })
    const forged = testCertificate(forger.signer, forger.host.peerId, 'gateway')
    const stolen = testCertificate(mesh.ledger.signer, hidden.host.peerId, 'gateway')
    const honest = testCertificate(mesh.ledger.signer, hidden.host.peerId, 'gateway')
    await vi.waitFor(async () => {
      await forger.host.publish(GATEWAY_TOPIC, gatewayAnnouncement(forger.host, forged))
      await forger.host.publish(GATEWAY_TOPIC, gatewayAnnouncement(forger.host, stolen))
      await hidden.host.publish(GATEWAY_TOPIC, gatewayAnnouncement(hidden.host, honest))
      expect(node.gateways).toBe(2)
    }, SOON)
    expect(hidden.sessions).toHaveLength(1)
    expect(forger.sessions).toHaveLength(0)
    expect(known.sessions).toHaveLength(1)
  })

  it('dials a gateway that lies about itself, and does not serve it', async () => {
    const liar = await mesh.gateway({ certified: false })
    const gateway = await mesh.gateway()
    const node = await mesh.node()
    await node.ready
    expect(node.gateways).toBe(1)
    expect(gateway.sessions).toHaveLength(1)
    await vi.waitFor(() => {
      expect(liar.records.length + liar.sessions.length).toBeGreaterThan(0)
    }, SOON)
    await vi.waitFor(() => {
      expect(liar.sessions.filter(({ isOpen }) => isOpen)).toHaveLength(0)
    }, SOON)
  })

  it('claims at the ledger what a lost gateway will not settle', async () => {
    const gateway = await mesh.gateway()
    const engine = createFakeEngine({}, { slots: 1, answerTokens: 60, tokenDelayMs: 5 })
    const node = await mesh.node(engine)
    await node.ready
    const { payload, voucher } = requestFor(gateway)
    let tokens = 0
    const answer = infer(gateway.sessions[0], payload, () => {
      tokens += 1
      if (tokens === 5) gateway.sessions[0]?.close()
    })
    await expect(answer).rejects.toMatchObject({ code: 'session_closed' })
    await vi.waitFor(() => {
      expect(mesh.ledger.claims).toHaveLength(1)
      expect(node.receipts).toBe(0)
    }, SOON)
    const [claim] = mesh.ledger.claims
    expect(claim?.holdId).toBe(voucher.holdId)
    expect(claim?.receipt.tokenEnd).toBeGreaterThanOrEqual(5)
    expect(claim?.receipt.tokenEnd).toBeLessThan(60)
    // The session is opened again by itself.
    await vi.waitFor(() => {
      expect(gateway.sessions.filter(({ isOpen }) => isOpen)).toHaveLength(1)
    }, SOON)
  })

  it('finishes what runs before it goes, and takes nothing new', async () => {
    const gateway = await mesh.gateway()
    const engine = createFakeEngine({}, { slots: 2, answerTokens: 40, tokenDelayMs: 5 })
    const node = await mesh.node(engine)
    await node.ready
    const [session] = gateway.sessions
    let stopped: Promise<void> | undefined
    let refused: Promise<unknown> | undefined
    const terminal = await infer(session, requestFor(gateway).payload, () => {
      stopped ??= node.stop()
      refused ??= infer(session, requestFor(gateway).payload).catch((error: unknown) => error)
    })
    expect(terminal).toMatchObject({ finishReason: expect.stringMatching(/stop|length/) })
    expect(await refused).toMatchObject({ code: 'provider_draining' })
    await stopped
    expect(gateway.goodbyes).toEqual([node.peerId])
  })

  it('ends what runs as failed, with a receipt, when it has to go now', async () => {
    const gateway = await mesh.gateway()
    const engine = createFakeEngine({}, { slots: 2, answerTokens: 60, tokenDelayMs: 20 })
    const node = await mesh.node(engine)
    await node.ready
    let stopped: Promise<void> | undefined
    const terminal = await infer(gateway.sessions[0], requestFor(gateway).payload, () => {
      stopped ??= node.stop({ now: true })
    })
    await stopped
    expect(terminal.finishReason).toBe('failed')
    expect(openReceipt(terminal.receipt).receipt.tokenEnd).toBeGreaterThan(0)
  })

  it('is refused by a ledger that does not know it, and says so', async () => {
    mesh.ledger.admits = () => false
    await mesh.gateway()
    const node = await mesh.node()
    await vi.waitFor(() => {
      expect(node.refusals[0]).toMatchObject({ code: 'not_a_member' })
    }, SOON)
    expect(node.gateways).toBe(0)
  })

  it('closes the session of a gateway whose certificate is revoked, and keeps it out', async () => {
    const gateway = await mesh.gateway()
    const node = await mesh.node()
    await node.ready
    const notice = revocationNoticeCodec.encode({ keyHashes: [], serials: [1_000_000] })
    for (const session of mesh.ledger.sessions) session.notify(REVOCATION_NOTICE, notice)
    await vi.waitFor(() => {
      expect(node.gateways).toBe(0)
    }, SOON)
    const certificate = testCertificate(
      mesh.ledger.signer,
      gateway.host.peerId,
      'gateway',
      1_000_000,
    )
    const again = gateway.host.openSession({ peerId: node.peerId }, SERVE_PROTOCOL, {
      hello: () => helloCodec.encode({ certificate, software: 'test' }),
      accept: () => ({ requests: {}, notices: {} }),
    })
    await expect(again).rejects.toMatchObject({ code: 'not_a_member' })
  })

  it('gossips its load to gateways without a session, and publishes without subscribing', async () => {
    const listener = await mesh.host()
    const heard: string[] = []
    listener.host.subscribe(loadTopic('fake'), {
      validate: () => 'accept',
      handle: (from, bytes) => {
        const { load } = loadAnnouncementCodec.decode(bytes)
        if (load.peerId === from) heard.push(from)
      },
    })
    await mesh.gateway()
    const node = await mesh.node()
    await node.ready
    await vi.waitFor(() => {
      expect(heard).toContain(node.peerId)
    }, SOON)
  })

  it('keeps a second process out of its home', async () => {
    await mesh.gateway()
    const node = await mesh.node()
    const second = startNode(
      { log: pino({ level: 'silent' }), engines: [], onRefused: () => {} },
      mesh.config(node.home),
    )
    await expect(second).rejects.toMatchObject({ code: 'conflict' })
  })

  it('is in the DHT under its model where it can be dialled, and answers a gateway that dials', async () => {
    const gateway = await mesh.gateway({ provides: false })
    const node = await mesh.node(undefined, { listen: ['/ip4/127.0.0.1/tcp/0'] })
    const found: string[] = []
    await vi.waitFor(async () => {
      const providers = gateway.host.findProviders(modelRendezvous('fake'), { limit: 1 })
      for await (const { peerId } of providers) found.push(peerId)
      expect(found).toContain(node.peerId)
    }, SOON)
    const certificate = testCertificate(mesh.ledger.signer, gateway.host.peerId, 'gateway')
    const session = await gateway.host.openSession({ peerId: node.peerId }, SERVE_PROTOCOL, {
      hello: () => helloCodec.encode({ certificate, software: 'test' }),
      accept: () => ({ requests: {}, notices: {} }),
    })
    await node.ready
    const terminal = await infer(session, requestFor(gateway).payload)
    expect(terminal.usage.completionTokens).toBe(20)
  })
})
