import { randomBytes } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import {
  createSigner,
  GATEWAY_TOPIC,
  LexoraError,
  LOAD_TOPICS,
  type Signer,
} from '@lexora/protocol'
import {
  createLedgerClient,
  createMeshHost,
  type LedgerClient,
  loadOrCreateKey,
  type MeshHost,
  seedOfKey,
} from '@lexora/protocol/mesh'
import type { FastifyInstance } from 'fastify'
import type { Logger } from 'pino'
import { createBackend } from './backend.ts'
import { createLeases, type Leases } from './billing/leases.ts'
import { createLedger, type Ledger } from './billing/ledger.ts'
import { createPriceBook, type PriceBook } from './billing/price-book.ts'
import { createSettlements, type Settlements } from './billing/settlements.ts'
import type { GatewayConfig } from './config.ts'
import { createDispatcher } from './dispatch/dispatcher.ts'
import { createHttpApp } from './http/app.ts'
import { createDiscovery } from './mesh/discovery.ts'
import { createProviders } from './mesh/providers.ts'
import { createRevocations, type Revocations } from './mesh/revocations.ts'
import { createDirectory, type Directory } from './routing/directory.ts'
import { SOFTWARE } from './software.ts'

/** A running gateway. */
export interface Gateway {
  readonly peerId: string
  /** Where peers can dial it. */
  addresses(): string[]
  /** Where clients find it, e.g. `http://127.0.0.1:8080`. */
  readonly url: string
  /** Finishes what runs, then closes everything in reverse order. May be called twice. */
  stop(): Promise<void>
}

/** What the composition root is given. */
export interface GatewayComponents {
  log: Logger
  /** Told if the ledger refuses this gateway: waiting will not help. */
  onRefused: (error: LexoraError) => void
}

/**
 * Builds and starts a gateway: the only place where its parts meet.
 * Throws `conflict` for a taken port or a home in use, and what the key file or the mesh host throw.
 */
export async function startGateway(
  components: GatewayComponents,
  config: GatewayConfig,
): Promise<Gateway> {
  const closers: (() => unknown)[] = []
  const stop = async (): Promise<void> => {
    for (let close = closers.pop(); close !== undefined; close = closers.pop()) await close()
  }
  try {
    return { ...(await assemble(components, config, closers)), stop }
  } catch (error) {
    await stop()
    throw error
  }
}

/** Undoes what was started, in reverse order. */
type Closers = (() => unknown)[]

/** The parts that speak to the network: the mesh host, the ledger and what is kept for it. */
interface NetworkParts {
  signer: Signer
  host: MeshHost
  client: LedgerClient
  ledger: Ledger
  settlements: Settlements
  leases: Leases
  prices: PriceBook
  revocations: Revocations
}

const clock = (): number => Date.now()
const random = (): number => Math.random()

async function assemble(
  components: GatewayComponents,
  config: GatewayConfig,
  closers: Closers,
): Promise<Omit<Gateway, 'stop'>> {
  const { log } = components
  const parts = await startNetworkParts(components, config, closers)
  const { client, ledger, prices, host } = parts
  const directory = await startDirectory(
    parts,
    { log, ledgerPeerId: config.network.ledger.peerId },
    closers,
  )
  const dispatcher = createDispatcher({ ...parts, directory, clock, random, log })
  parts.revocations.onKeysRevoked((keyHashes) => dispatcher.revokeKeys(keyHashes))
  const backend = createBackend({
    ledger,
    dispatcher,
    directory,
    prices: () => prices.current(),
    hasCertificate: () => client.certificate() !== undefined,
    clock,
  })
  client.start()
  const app = createHttpApp({ backend, log: log.child({ part: 'http' }), newRequestId })
  closers.push(() => app.close())
  const url = await listen(app, config.http)
  return { peerId: host.peerId, addresses: () => host.addresses(), url }
}

/** Everything below the directory; the ledger client is made but not started. */
async function startNetworkParts(
  { log, onRefused }: GatewayComponents,
  config: GatewayConfig,
  closers: Closers,
): Promise<NetworkParts> {
  await mkdir(config.home, { recursive: true, mode: 0o700 })
  const privateKey = await loadOrCreateKey(join(config.home, 'peer.key'))
  const host = await createMeshHost(
    { log: log.child({ part: 'mesh' }) },
    {
      privateKey,
      listen: config.listen,
      announce: config.announce,
      dhtServer: true,
      topics: [...LOAD_TOPICS, GATEWAY_TOPIC],
      bootstrap: config.network.bootstrap,
      userAgent: SOFTWARE,
    },
  )
  closers.push(() => host.stop())

  const prices = createPriceBook({ log })
  const revocations = createRevocations()
  const { enrolmentToken } = config
  const client = createLedgerClient(
    { host, log: log.child({ part: 'ledger' }), clock },
    {
      ledger: config.network.ledger,
      role: 'gateway',
      software: SOFTWARE,
      notices: { ...prices.notices, ...revocations.notices },
      ...(enrolmentToken === undefined ? {} : { enrolmentToken }),
    },
  )
  closers.push(() => client.stop())
  const ledger = createLedger(client)
  client.onRefused(onRefused)
  client.onCertificate(() => prices.refresh(ledger))

  const settlements = createSettlements(
    { ledger, log: log.child({ part: 'settlements' }) },
    { path: join(config.home, 'settlements') },
  )
  // The outbox's lock keeps a second process with the same peer id out of the mesh.
  await settlements.start()
  client.onCertificate(() => settlements.wake())
  closers.push(() => settlements.stop())
  await host.start()
  const leases = createLeases({ ledger, log })
  leases.start()
  closers.push(() => leases.stop())
  return {
    signer: createSigner(seedOfKey(privateKey)),
    host,
    client,
    ledger,
    settlements,
    leases,
    prices,
    revocations,
  }
}

/** The live directory: providers that dial in, and those that discovery finds once this gateway is a member. */
async function startDirectory(
  { host, client, prices, revocations }: NetworkParts,
  { log, ledgerPeerId }: { log: Logger; ledgerPeerId: string },
  closers: Closers,
): Promise<Directory> {
  const certificate = (): Uint8Array | undefined => client.certificate()
  const models = (): string[] => prices.current()?.models.map(({ model }) => model) ?? []
  const directory = createDirectory({ clock })
  const providers = createProviders(
    { host, directory, log: log.child({ part: 'providers' }), clock, certificate },
    { ledgerPeerId, software: SOFTWARE },
  )
  revocations.onRevoked((serials) => providers.revoke(serials))
  await providers.serve()
  const discovery = createDiscovery(
    { host, directory, providers, log, clock, certificate, models },
    { ledgerPeerId },
  )
  closers.push(() => discovery.stop())
  client.onCertificate(() => discovery.start())
  return directory
}

function newRequestId(): string {
  return `req_${randomBytes(16).toString('hex')}`
}

async function listen(app: FastifyInstance, address: GatewayConfig['http']): Promise<string> {
  try {
    return await app.listen(address)
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw cause
    throw new LexoraError(
      'conflict',
      `port ${address.port} on ${address.host} is taken by another program`,
      { cause },
    )
  }
}
