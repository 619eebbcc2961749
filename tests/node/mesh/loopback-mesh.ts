import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  CAPABILITY_NOTICE,
  type CapabilityRecord,
  type ClaimState,
  certificateResponseCodec,
  checkCapability,
  checkReceipt,
  claimRequestCodec,
  claimResponseCodec,
  createSigner,
  GATEWAY_RENDEZVOUS,
  GATEWAY_TOPIC,
  GOODBYE_NOTICE,
  gatewayAnnouncementCodec,
  helloCodec,
  INFER_REQUEST_BYTES_MAX,
  LEDGER_METHODS,
  LEDGER_PROTOCOL,
  LexoraError,
  LOAD_NOTICE,
  LOAD_TOPICS,
  type LoadHeartbeat,
  loadCodec,
  type Receipt,
  SERVE_PROTOCOL,
  type Signer,
} from '@lexora/protocol'
import {
  createMeshHost,
  generateKey,
  type MeshHost,
  type Session,
  seedOfKey,
} from '@lexora/protocol/mesh'
import { type Logger, pino } from 'pino'
import { type Bootstrap, startBootstrap } from '../../../node/src/bootstrap.ts'
import type { NodeConfig } from '../../../node/src/config.ts'
import type { Engine } from '../../../node/src/engines/engine.ts'
import { createFakeEngine } from '../../../node/src/engines/fake-engine.ts'
import { type ProviderNode, startNode } from '../../../node/src/node.ts'
import { testCertificate } from '../network.ts'

const LOOPBACK = ['/ip4/127.0.0.1/tcp/0']
const TOPICS = [...LOAD_TOPICS, GATEWAY_TOPIC]
const nothing = new Uint8Array(0)

/** A ledger that admits everybody and answers claims as told. */
export interface TestLedger {
  host: MeshHost
  signer: Signer
  claims: { holdId: string; receipt: Receipt }[]
  /** Serials given out, by peer. */
  serials: Map<string, number>
  admits: (peerId: string) => boolean
  claimState: ClaimState
  /** Sessions of members. */
  sessions: Session[]
}

export interface TestGateway {
  host: MeshHost
  signer: Signer
  /** Sessions that providers opened, with what they said. */
  sessions: Session[]
  records: CapabilityRecord[]
  loads: LoadHeartbeat[]
  goodbyes: string[]
  stop(): Promise<void>
}

/** Everything a provider needs around it, on loopback; what is made is undone by `close`. */
export interface LoopbackMesh {
  bootstrap: Bootstrap
  ledger: TestLedger
  config(home: string): NodeConfig
  gateway(options?: { provides?: boolean; certified?: boolean }): Promise<TestGateway>
  host(): Promise<{ host: MeshHost; signer: Signer }>
  node(
    engine?: Engine,
    options?: Partial<NodeConfig>,
  ): Promise<ProviderNode & { home: string; refusals: LexoraError[] }>
  close(): Promise<void>
}

export async function loopbackMesh(): Promise<LoopbackMesh> {
  const undo: (() => unknown)[] = []
  const log: Logger = pino({ level: 'silent' })
  const homes = await mkdtemp(join(tmpdir(), 'lexora-mesh-'))
  undo.push(() => rm(homes, { recursive: true }))
  const bootstrap = await startBootstrap(
    { log, onRefused: () => {} },
    { home: join(homes, 'bootstrap'), listen: LOOPBACK, announce: [], logLevel: 'silent' },
  )
  undo.push(() => bootstrap.stop())

  async function host(): Promise<{ host: MeshHost; signer: Signer }> {
    const privateKey = await generateKey()
    const made = await createMeshHost(
      {},
      {
        privateKey,
        listen: LOOPBACK,
        dhtServer: true,
        topics: TOPICS,
        bootstrap: bootstrap.addresses(),
      },
    )
    undo.push(() => made.stop())
    await made.start()
    return { host: made, signer: createSigner(seedOfKey(privateKey)) }
  }

  const ledger = await serveLedger(await host())
  const config = (home: string): NodeConfig => ({
    home,
    network: {
      name: 'test',
      ledger: { peerId: ledger.host.peerId, addresses: ledger.host.addresses() },
      bootstrap: bootstrap.addresses(),
    },
    models: [],
    engine: { kind: 'fake', slots: 2, tokenDelayMs: 0 },
    listen: [],
    announce: [],
    logLevel: 'silent',
  })
  let nodes = 0
  return {
    bootstrap,
    ledger,
    host,
    config,
    async gateway({ provides = true, certified = true } = {}) {
      const peer = await host()
      const gateway = await serveGateway(peer, ledger, certified)
      if (provides) undo.push(peer.host.keepProvided(GATEWAY_RENDEZVOUS))
      return gateway
    },
    async node(engine = createFakeEngine({}, { slots: 2, answerTokens: 20 }), options = {}) {
      nodes += 1
      const home = join(homes, `node-${nodes}`)
      const refusals: LexoraError[] = []
      const node = await startNode(
        { log, engines: [engine], onRefused: (error) => void refusals.push(error) },
        { ...config(home), ...options },
      )
      undo.push(() => node.stop({ now: true }))
      return Object.assign(node, { home, refusals })
    },
    async close() {
      for (let step = undo.pop(); step !== undefined; step = undo.pop()) await step()
    },
  }
}

async function serveLedger(peer: { host: MeshHost; signer: Signer }): Promise<TestLedger> {
  let serial = 0
  const ledger: TestLedger = {
    ...peer,
    claims: [],
    serials: new Map(),
    admits: () => true,
    claimState: 'settled',
    sessions: [],
  }
  const hello = (): Uint8Array => helloCodec.encode({ certificate: nothing, software: 'test' })
  await peer.host.serveSessions(LEDGER_PROTOCOL, {
    hello,
    onSession: (session) => void ledger.sessions.push(session),
    accept: (peerId) => ({
      notices: {},
      requests: {
        async [LEDGER_METHODS.renewCertificate]() {
          if (!ledger.admits(peerId)) throw new LexoraError('not_a_member', 'unknown peer')
          serial += 1
          ledger.serials.set(peerId, serial)
          const certificate = testCertificate(peer.signer, peerId, 'provider', serial)
          return certificateResponseCodec.encode({ certificate })
        },
        async [LEDGER_METHODS.claim](payload) {
          const { holdId, receipt } = claimRequestCodec.decode(payload)
          const checked = checkReceipt(receipt)
          if (!checked.signedByProvider) throw new LexoraError('receipt_invalid', 'not theirs')
          ledger.claims.push({ holdId, receipt: checked.receipt })
          return claimResponseCodec.encode({ state: ledger.claimState })
        },
      },
    }),
  })
  return ledger
}

async function serveGateway(
  peer: { host: MeshHost; signer: Signer },
  ledger: TestLedger,
  certified: boolean,
): Promise<TestGateway> {
  const { host, signer } = peer
  const issuer = certified ? ledger.signer : signer
  const certificate = testCertificate(issuer, host.peerId, 'gateway', 1_000_000)
  const gateway: TestGateway = {
    host,
    signer,
    sessions: [],
    records: [],
    loads: [],
    goodbyes: [],
    stop: () => host.stop(),
  }
  const read = (peerId: string, sealed: Uint8Array): void => {
    const check = { ledgerPeerId: ledger.host.peerId, nowMs: Date.now(), peerId }
    gateway.records.push(checkCapability(sealed, check).record)
  }
  await host.serveSessions(SERVE_PROTOCOL, {
    limits: { frameBytesMax: INFER_REQUEST_BYTES_MAX + 1_024 },
    hello: () => helloCodec.encode({ certificate, software: 'test' }),
    onSession: (session) => void gateway.sessions.push(session),
    accept: (peerId, hello) => {
      const { capability, load } = helloCodec.decode(hello)
      read(peerId, capability ?? nothing)
      if (load !== undefined) gateway.loads.push(load)
      return {
        requests: {},
        notices: {
          [LOAD_NOTICE]: (payload) => void gateway.loads.push(loadCodec.decode(payload)),
          [CAPABILITY_NOTICE]: (payload) => {
            read(peerId, payload)
          },
          [GOODBYE_NOTICE]: () => void gateway.goodbyes.push(peerId),
        },
      }
    },
  })
  return gateway
}

/** What a gateway says on the gateway topic. */
export function gatewayAnnouncement(gateway: MeshHost, certificate: Uint8Array): Uint8Array {
  const sentAtMs = Date.now()
  return gatewayAnnouncementCodec.encode({
    certificate,
    sequence: sentAtMs,
    sentAtMs,
    addresses: gateway.addresses(),
  })
}
