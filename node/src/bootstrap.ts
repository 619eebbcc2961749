import { GATEWAY_TOPIC, type LexoraError, LOAD_TOPICS } from '@lexora/protocol'
import { createLedgerClient, createMeshHost } from '@lexora/protocol/mesh'
import type { Logger } from 'pino'
import type { BootstrapConfig } from './config.ts'
import { loadIdentity } from './identity.ts'
import { createAnnouncements } from './mesh/announcements.ts'
import { SOFTWARE } from './software.ts'

/** A running bootstrap peer. */
export interface Bootstrap {
  readonly peerId: string
  /** Where others join through it. */
  addresses(): string[]
  /** Leaves the mesh; may be called twice. */
  stop(): Promise<void>
}

/** What the composition root is given. */
export interface BootstrapParts {
  log: Logger
  /** Told if the ledger refuses this peer: waiting will not help. */
  onRefused: (error: LexoraError) => void
}

/**
 * Starts a bootstrap peer: a stable address that answers DHT queries and hands gossip on. It works before any ledger
 * does; with a network file it also judges gossip by certificates, and with a token it becomes a member.
 */
export async function startBootstrap(
  { log, onRefused }: BootstrapParts,
  config: BootstrapConfig,
): Promise<Bootstrap> {
  const clock = (): number => Date.now()
  const { privateKey } = await loadIdentity(config.home)
  const topics = [...LOAD_TOPICS, GATEWAY_TOPIC]
  const host = await createMeshHost(
    { log: log.child({ part: 'mesh' }) },
    {
      privateKey,
      listen: config.listen,
      announce: config.announce,
      dhtServer: true,
      topics,
      bootstrap: config.network?.bootstrap ?? [],
      userAgent: SOFTWARE,
    },
  )
  const ledger = config.network?.ledger
  const announcements = createAnnouncements(
    clock,
    ledger === undefined ? {} : { ledgerPeerId: ledger.peerId },
  )
  await host.start()
  for (const topic of topics) {
    const judge = topic === GATEWAY_TOPIC ? announcements.gateway : announcements.load
    // Listening is handing on: the messages themselves are of no use here.
    host.subscribe(topic, { validate: judge, handle: () => {} })
  }
  const { enrolmentToken } = config
  const client =
    ledger === undefined || enrolmentToken === undefined
      ? undefined
      : createLedgerClient(
          { host, log: log.child({ part: 'ledger' }), clock },
          { ledger, role: 'bootstrap', software: SOFTWARE, enrolmentToken },
        )
  client?.onRefused(onRefused)
  client?.start()
  return {
    peerId: host.peerId,
    addresses: () => host.addresses(),
    async stop() {
      client?.stop()
      await host.stop()
    },
  }
}
