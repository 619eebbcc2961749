import { createSigner } from '@lexora/protocol'
import { createMeshHost, loadOrCreateKey, type MeshHost, seedOfKey } from '@lexora/protocol/mesh'
import type { Logger } from 'pino'
import type { LedgerService } from '../service.ts'
import { createLedgerServer, type LedgerServer } from './server.ts'

/** What this build calls itself to peers. */
const SOFTWARE = 'lexora-ledger/0.1.0'

/** What the edge uses. */
export interface MeshEdgeComponents {
  service: LedgerService
  log: Logger
  /** Unix time in ms. */
  clock: () => number
}

/** Where the ledger is found. */
export interface MeshEdgeOptions {
  /** The ledger's identity and the network's root of trust: whoever has this file is the ledger. */
  keyFile: string
  /** Multiaddresses to listen on, and to tell others instead. */
  listen: readonly string[]
  announce?: readonly string[]
}

/** The ledger's place in the mesh. */
export interface MeshEdge {
  /** Throws what the key file and the mesh host throw. */
  start(): Promise<void>
  stop(): Promise<void>
  /** The ledger's peer id, for network files; empty before `start`. */
  readonly peerId: string
  addresses(): string[]
}

/** Makes the edge. The ledger joins no DHT and no gossip: everybody has its address in the network file. */
export function createMeshEdge(components: MeshEdgeComponents, options: MeshEdgeOptions): MeshEdge {
  const { service, log, clock } = components
  let running: { host: MeshHost; server: LedgerServer } | undefined

  return {
    async start() {
      const privateKey = await loadOrCreateKey(options.keyFile)
      const host = await createMeshHost(
        { log: log.child({ part: 'mesh' }) },
        {
          privateKey,
          listen: options.listen,
          announce: options.announce ?? [],
          dhtServer: false,
          topics: [],
          bootstrap: [],
          userAgent: SOFTWARE,
        },
      )
      const signer = createSigner(seedOfKey(privateKey))
      const server = createLedgerServer({ host, service, signer, clock }, { software: SOFTWARE })
      running = { host, server }
      await server.start()
      await host.start()
    },
    async stop() {
      running?.server.stop()
      await running?.host.stop()
      running = undefined
    },
    get peerId() {
      return running?.host.peerId ?? ''
    },
    addresses: () => running?.host.addresses() ?? [],
  }
}
