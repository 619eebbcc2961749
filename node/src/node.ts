import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import {
  BOOT_ID_BYTES,
  CAPABILITY_NOTICE,
  GATEWAY_TOPIC,
  LexoraError,
  LOAD_NOTICE,
  LOAD_TOPICS,
  loadCodec,
  modelRendezvous,
  REVOCATION_NOTICE,
  revocationNoticeCodec,
} from '@lexora/protocol'
import {
  createLedgerClient,
  createMeshHost,
  type LedgerClient,
  type MeshHost,
} from '@lexora/protocol/mesh'
import type { Logger } from 'pino'
import { type Capability, createCapability, hardwareName } from './capability.ts'
import { createHeartbeats, type Heartbeats } from './capacity/heartbeat.ts'
import { createLoadFeed } from './capacity/load-feed.ts'
import { createSlots, type Slots } from './capacity/slots.ts'
import type { NodeConfig } from './config.ts'
import { DRAIN_TIMEOUT_MS, STOP_TIMEOUT_MS } from './constants.ts'
import { createEngineSet, type EngineSet } from './engine-set.ts'
import type { Engine } from './engines/engine.ts'
import { type Identity, loadIdentity } from './identity.ts'
import { createAnnouncements } from './mesh/announcements.ts'
import { createGatewaySearch } from './mesh/gateway-search.ts'
import { createGateways, type Gateways } from './mesh/gateways.ts'
import { createLoadGossip, type LoadGossip } from './mesh/load-gossip.ts'
import { createClaims } from './outbox/claims.ts'
import { claimAt } from './outbox/ledger-claim.ts'
import { type Outbox, openOutbox } from './outbox/outbox.ts'
import { createServe } from './serving/serve.ts'
import { createVoucherMemory } from './serving/vouchers.ts'
import { SOFTWARE } from './software.ts'

/** What the composition root is given. */
export interface NodeParts {
  log: Logger
  /** One or more, each with models of its own; not started yet. */
  engines: readonly Engine[]
  /** Told if the ledger refuses this node: waiting will not help. */
  onRefused: (error: LexoraError) => void
  /** Unix time in ms. Default: the system's. */
  clock?: () => number
}

/** A running provider node. */
export interface ProviderNode {
  readonly peerId: string
  /** Where it can be dialled; empty for a node that only dials out. */
  addresses(): string[]
  /** Models served. */
  models(): string[]
  /** Gateways with an open session. */
  readonly gateways: number
  /** Receipts that the ledger has not settled. */
  readonly receipts: number
  /** Resolves once the node is a member and has a session with a gateway: from then on it earns. */
  readonly ready: Promise<void>
  /** Takes nothing new and waits for what runs, at most so long; true when nothing runs any more. */
  drain(timeoutMs?: number): Promise<boolean>
  /** Drains, says goodbye and closes everything in reverse order; with `now`, running answers end as failed. */
  stop(options?: { now?: boolean }): Promise<void>
}

/** Undoes what was started, in reverse order. */
type Closers = (() => unknown)[]

/** The parts that everything else stands on. */
interface Ground {
  log: Logger
  clock: () => number
  config: NodeConfig
  identity: Identity
  outbox: Outbox
  host: MeshHost
  engines: EngineSet
  slots: Slots
  heartbeats: Heartbeats
}

/**
 * Builds and starts a provider node: the only place where its parts meet. Throws `conflict` for a home in use, and
 * what the key file, the mesh host and the engines throw.
 */
export async function startNode(parts: NodeParts, config: NodeConfig): Promise<ProviderNode> {
  const closers: Closers = []
  const close = async (): Promise<void> => {
    for (let undo = closers.pop(); undo !== undefined; undo = closers.pop()) await undo()
  }
  try {
    const ground = await layGround(parts, config, closers)
    return openForBusiness(ground, parts, { closers, close })
  } catch (error) {
    await close()
    throw error
  }
}

/** Key, outbox (whose lock keeps a second process out), engines and the mesh host. */
async function layGround(parts: NodeParts, config: NodeConfig, closers: Closers): Promise<Ground> {
  const { log } = parts
  const clock = parts.clock ?? ((): number => Date.now())
  const identity = await loadIdentity(config.home)
  const outbox = await openOutbox(clock, { path: join(config.home, 'outbox') })
  closers.push(() => outbox.close())
  const host = await createMeshHost(
    { log: log.child({ part: 'mesh' }) },
    {
      privateKey: identity.privateKey,
      listen: config.listen,
      announce: config.announce,
      dhtServer: config.listen.length > 0,
      topics: [...LOAD_TOPICS, GATEWAY_TOPIC],
      bootstrap: config.network.bootstrap,
      userAgent: SOFTWARE,
    },
  )
  const engines = createEngineSet(parts.engines)
  closers.push(() => engines.stop())
  // The host first: it joins the mesh while the models load.
  closers.push(() => host.stop())
  await host.start()
  await engines.start()
  const slots = createSlots(engines.models())
  const heartbeats = createHeartbeats(
    { slots, clock },
    { peerId: host.peerId, bootId: randomBytes(BOOT_ID_BYTES) },
  )
  return { log, clock, config, identity, outbox, host, engines, slots, heartbeats }
}

function openForBusiness(
  ground: Ground,
  parts: NodeParts,
  ending: { closers: Closers; close: () => Promise<void> },
): ProviderNode {
  const { host, slots, engines, outbox } = ground
  const { closers, close } = ending
  const ledger = connectLedger(ground, parts, (serials) => {
    gateways.revoke(serials)
  })
  const capability = describe(ground, ledger, (record) => {
    gateways.broadcast(CAPABILITY_NOTICE, record)
  })
  const gateways = meetGateways(ground, capability)
  const gossip = createLoadGossip(
    { host, heartbeat: () => ground.heartbeats.next(), certificate: () => ledger.certificate() },
    engines.models().map(({ id }) => id),
  )
  const ready = new Promise<void>((resolve) => {
    gateways.onSession(() => resolve())
  })
  const pushLoad = (): void => {
    gateways.broadcast(LOAD_NOTICE, loadCodec.encode(ground.heartbeats.next()))
  }
  beginWork(ground, { ledger, capability, gateways, gossip, pushLoad }, closers)

  async function drain(timeoutMs: number = DRAIN_TIMEOUT_MS): Promise<boolean> {
    slots.drain()
    pushLoad()
    gossip.announce()
    return slots.idle(AbortSignal.timeout(timeoutMs))
  }

  async function stop({ now = false }: { now?: boolean } = {}): Promise<void> {
    await drain(now ? 0 : DRAIN_TIMEOUT_MS)
    // What still runs ends as failed, with a receipt for what was sent.
    await engines.stop()
    await slots.idle(AbortSignal.timeout(STOP_TIMEOUT_MS))
    // The last terminal frames leave with this turn's write, before the goodbye.
    await nextTurn()
    await close()
  }

  let stopping: Promise<void> | undefined
  return {
    peerId: host.peerId,
    addresses: () => host.addresses(),
    models: () => engines.models().map(({ id }) => id),
    get gateways() {
      return gateways.connected
    },
    get receipts() {
      return outbox.size
    },
    ready,
    drain,
    stop(options) {
      stopping ??= stop(options)
      return stopping
    },
  }
}

function connectLedger(
  { host, log, clock, config }: Ground,
  { onRefused }: NodeParts,
  revoke: (serials: number[]) => void,
): LedgerClient {
  const { enrolmentToken } = config
  const ledger = createLedgerClient(
    { host, log: log.child({ part: 'ledger' }), clock },
    {
      ledger: config.network.ledger,
      role: 'provider',
      software: SOFTWARE,
      notices: {
        [REVOCATION_NOTICE]: (payload) => {
          revoke(revocationNoticeCodec.decode(payload).serials)
        },
      },
      ...(enrolmentToken === undefined ? {} : { enrolmentToken }),
    },
  )
  ledger.onRefused(onRefused)
  return ledger
}

function describe(
  { identity, engines, host, clock }: Ground,
  ledger: LedgerClient,
  push: (record: Uint8Array) => void,
): Capability {
  return createCapability(
    {
      signer: identity.signer,
      models: () => engines.models(),
      addresses: () => host.addresses(),
      certificate: () => ledger.certificate(),
      push,
      clock,
    },
    { software: SOFTWARE, hardware: hardwareName() },
  )
}

function meetGateways(ground: Ground, capability: Capability): Gateways {
  const { host, log, clock, config, slots, heartbeats } = ground
  const ledgerPeerId = config.network.ledger.peerId
  const serve = createServe(
    {
      slots,
      vouchers: createVoucherMemory(clock),
      find: (model) => ground.engines.find(model),
      outbox: ground.outbox,
      signer: ground.identity.signer,
      log: log.child({ part: 'serving' }),
      clock,
    },
    { ledgerPeerId },
  )
  return createGateways(
    {
      host,
      serve,
      announcements: createAnnouncements(clock, { ledgerPeerId }),
      hello() {
        const hello = capability.hello(heartbeats.next())
        if (hello !== undefined) return hello
        throw new LexoraError('not_a_member', 'this provider has no membership certificate')
      },
      log: log.child({ part: 'gateways' }),
      clock,
    },
    { ledgerPeerId },
  )
}

/** Starts what runs by itself: at once what needs the ledger only, and with the first certificate the rest. */
function beginWork(
  { host, engines, slots, outbox, log, clock }: Ground,
  parts: {
    ledger: LedgerClient
    capability: Capability
    gateways: Gateways
    gossip: LoadGossip
    pushLoad: () => void
  },
  closers: Closers,
): void {
  const { ledger, capability, gateways, gossip } = parts
  const search = createGatewaySearch({ host, gateways })
  const feed = createLoadFeed({ slots, push: parts.pushLoad })
  const claims = createClaims({
    outbox,
    claim: claimAt(ledger),
    log: log.child({ part: 'claims' }),
    clock,
  })
  let joined = false
  ledger.onCertificate(() => {
    capability.renew()
    if (joined) return
    joined = true
    join()
  })

  function join(): void {
    for (const { id } of engines.models()) closers.push(host.keepProvided(modelRendezvous(id)))
    gossip.start()
    feed.start()
    search.start()
    gateways.start().catch((error: unknown) => {
      log.error({ err: error }, 'gateways cannot be served')
    })
  }

  closers.push(
    () => claims.stop(),
    () => ledger.stop(),
    // An answer that its engine did not end ends with its session, and leaves a receipt.
    () => slots.idle(AbortSignal.timeout(STOP_TIMEOUT_MS)),
    () => gateways.stop(),
    () => {
      capability.stop()
      search.stop()
      gossip.stop()
      feed.stop()
    },
  )
  ledger.start()
  claims.start()
}
