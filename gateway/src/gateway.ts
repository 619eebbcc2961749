import { randomBytes } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { createSigner, GATEWAY_TOPIC, LexoraError, LOAD_TOPICS } from '@lexora/protocol'
import { createLedgerClient, createMeshHost, loadOrCreateKey, seedOfKey } from '@lexora/protocol/mesh'
import type { FastifyInstance } from 'fastify'
import type { Logger } from 'pino'
import { createBackend } from './backend.ts'
import { createLeases } from './billing/leases.ts'
import { createLedger } from './billing/ledger.ts'
import { createPriceBook } from './billing/price-book.ts'
import { createSettlements } from './billing/settlements.ts'
import type { GatewayConfig } from './config.ts'
import { createDispatcher } from './dispatch/dispatcher.ts'
import { createHttpApp } from './http/app.ts'
import { createDiscovery } from './mesh/discovery.ts'
import { createProviders } from './mesh/providers.ts'
import { createDirectory } from './routing/directory.ts'

/** What this build calls itself to peers. */
const SOFTWARE = 'lexora-gateway/0.1.0'

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
export async function startGateway(components: GatewayComponents, config: GatewayConfig): Promise<Gateway> {
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

/** Starts the parts from the bottom up; `closers` gathers what undoes it. */
async function assemble(
  { log, onRefused }: GatewayComponents,
  config: GatewayConfig,
  closers: (() => unknown)[],
): Promise<Omit<Gateway, 'stop'>> {
  const clock = (): number => Date.now()
  await mkdir(config.home, { recursive: true, mode: 0o700 })
  const privateKey = await loadOrCreateKey(join(config.home, 'peer.key'))
  const signer = createSigner(seedOfKey(privateKey))

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
  await host.start()

  const { peerId: ledgerPeerId } = config.network.ledger
  const prices = createPriceBook({ log })
  const client = createLedgerClient(
    { host, log: log.child({ part: 'ledger' }), clock },
    {
      ledger: config.network.ledger,
      role: 'gateway',
      software: SOFTWARE,
      notices: prices.notices,
      ...(config.enrolmentToken === undefined ? {} : { enrolmentToken: config.enrolmentToken }),
    },
  )
  const ledger = createLedger(client)
  const settlements = createSettlements(
    { ledger, log: log.child({ part: 'settlements' }) },
    { path: join(config.home, 'settlements') },
  )
  await settlements.start()
  closers.push(() => settlements.stop())
  client.onRefused(onRefused)
  client.onCertificate(() => prices.refresh(ledger))
  closers.push(() => client.stop())
  client.start()

  const leases = createLeases({ ledger, log })
  leases.start()
  closers.push(() => leases.stop())

  const directory = createDirectory({ clock })
  const providers = createProviders(
    { host, directory, log: log.child({ part: 'providers' }), clock, certificate: () => client.certificate() },
    { ledgerPeerId, software: SOFTWARE },
  )
  await providers.serve()
  const discovery = createDiscovery(
    {
      host,
      directory,
      providers,
      log,
      clock,
      certificate: () => client.certificate(),
      models: () => prices.current()?.models.map(({ model }) => model) ?? [],
    },
    { ledgerPeerId },
  )
  closers.push(() => discovery.stop())
  client.onCertificate(() => discovery.start())

  const random = (): number => Math.random()
  const dispatcher = createDispatcher({ ledger, directory, settlements, leases, signer, clock, random, log })
  const backend = createBackend({
    ledger,
    dispatcher,
    directory,
    prices: () => prices.current(),
    hasCertificate: () => client.certificate() !== undefined,
    clock,
  })
  const app = createHttpApp({ backend, log: log.child({ part: 'http' }), newRequestId })
  closers.push(() => app.close())
  const url = await listen(app, config.http)
  return { peerId: host.peerId, addresses: () => host.addresses(), url }
}

function newRequestId(): string {
  return `req_${randomBytes(16).toString('hex')}`
}

async function listen(app: FastifyInstance, address: GatewayConfig['http']): Promise<string> {
  try {
    return await app.listen(address)
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw cause
    throw new LexoraError('conflict', `port ${address.port} on ${address.host} is taken by another program`, { cause })
  }
}
