import type { PeerId } from '@libp2p/interface'
import { LexoraError } from '../errors.ts'
import { parsePeerId } from './addresses.ts'
import { createBootstrapSupervisor } from './bootstrap.ts'
import { createGossip, type Gossip } from './gossip.ts'
import { createMeshNode, type MeshNode, type MeshNodeOptions } from './libp2p-node.ts'
import { HOST_LIMITS } from './limits.ts'
import { type MeshLog, silentLog } from './log.ts'
import { createRendezvous, type Rendezvous } from './rendezvous.ts'
import { createSessionHub, type SessionHub } from './session-hub.ts'

/** What a mesh host uses. */
export interface MeshHostComponents {
  /** Default: writes nothing. */
  readonly log?: MeshLog
}

/** How a mesh host is set up. */
export interface MeshHostOptions extends MeshNodeOptions {
  /** Addresses of bootstrap peers, each ending in `/p2p/<peer id>`. */
  readonly bootstrap: readonly string[]
}

/** One peer of the mesh: its connections, sessions, rendezvous and gossip. */
export interface MeshHost {
  /** This peer's id. */
  readonly peerId: string
  /** Where others can dial this peer, each with its id. Empty before `start` and for a peer that only dials. */
  addresses(): string[]
  /** Throws `conflict` where an address is taken and `invalid_request` where it cannot be listened on. */
  start(): Promise<void>
  /** Closes sessions and connections; may be called twice. */
  stop(): Promise<void>
  connectedPeers(): string[]
  /** See {@link SessionHub.serve}. */
  readonly serveSessions: SessionHub['serve']
  /** See {@link SessionHub.open}. */
  readonly openSession: SessionHub['open']
  /** See {@link Rendezvous.provide}. */
  readonly provide: Rendezvous['provide']
  /** See {@link Rendezvous.findProviders}. */
  readonly findProviders: Rendezvous['findProviders']
  /** See {@link Rendezvous.keepProvided}. */
  readonly keepProvided: Rendezvous['keepProvided']
  /** See {@link Gossip.publish}. */
  readonly publish: Gossip['publish']
  /** See {@link Gossip.subscribe}. */
  readonly subscribe: Gossip['subscribe']
  /** Calls the listener with the id of each peer whose last connection ended. Returns an unsubscribe. */
  onPeerDisconnect(listener: (peerId: string) => void): () => void
}

/** Sets a mesh host up; `start` brings it to life. Throws LexoraError `invalid_request` for a bad bootstrap address. */
export async function createMeshHost(
  components: MeshHostComponents,
  options: MeshHostOptions,
): Promise<MeshHost> {
  const log = components.log ?? silentLog()
  const node = await createMeshNode(options)
  const selfPeerId = node.peerId.toString()
  const sessions = createSessionHub({ node, log })
  const rendezvous = createRendezvous({ dht: node.services.dht, selfPeerId, log })
  const gossip = createGossip({ pubsub: node.services.pubsub, log }, options.topics)
  const bootstrap = createBootstrapSupervisor(
    {
      dial: (addresses, signal) => node.dial(addresses, { signal }),
      isConnected: (peerId) => node.getConnections(parsePeerId(peerId)).length > 0,
      selfPeerId,
      log,
    },
    options.bootstrap,
  )
  const unsubscribes = [
    listenToPeers(node, { event: 'peer:identify', log }, (peerId) => {
      rendezvous.wake(bootstrap.has(peerId))
    }),
    listenToPeers(node, { event: 'peer:disconnect', log }, bootstrap.wake),
  ]
  let stopped: Promise<void> | undefined

  async function stopAll(): Promise<void> {
    for (const unsubscribe of unsubscribes) unsubscribe()
    bootstrap.stop()
    rendezvous.stop()
    sessions.stop()
    gossip.stop()
    await withinDeadline(Promise.resolve(node.stop()), log)
  }

  return {
    peerId: selfPeerId,
    addresses: () => node.getMultiaddrs().map(String),
    async start() {
      try {
        await node.start()
      } catch (cause) {
        refuseToListen(options.listen, cause)
      }
      gossip.start()
      bootstrap.start()
    },
    stop() {
      stopped ??= stopAll()
      return stopped
    },
    connectedPeers: () => connectedPeers(node),
    serveSessions: sessions.serve,
    openSession: sessions.open,
    provide: rendezvous.provide,
    findProviders: rendezvous.findProviders,
    keepProvided: rendezvous.keepProvided,
    publish: gossip.publish,
    subscribe: gossip.subscribe,
    onPeerDisconnect: (listener) =>
      listenToPeers(node, { event: 'peer:disconnect', log }, listener),
  }
}

/** libp2p's own error is a page long; the operator needs the address and what to change. */
function refuseToListen(listen: readonly string[], cause: unknown): never {
  const where = listen.join(', ')
  if (String(cause).includes('EADDRINUSE')) {
    const message = `${where} is taken by another program: stop it or pass another --listen`
    throw new LexoraError('conflict', message, { cause })
  }
  const message = `cannot listen on ${where}: pass another --listen`
  throw new LexoraError('invalid_request', message, { cause })
}

function connectedPeers(node: MeshNode): string[] {
  return node.getPeers().map(String)
}

function listenToPeers(
  node: MeshNode,
  source: { event: 'peer:disconnect' | 'peer:identify'; log: MeshLog },
  listener: (peerId: string) => void,
): () => void {
  const { event, log } = source
  const onEvent = (occurrence: CustomEvent<PeerId | { peerId: PeerId }>): void => {
    const { detail } = occurrence
    try {
      listener(('peerId' in detail ? detail.peerId : detail).toString())
    } catch (error) {
      log.error({ err: error, event }, 'peer listener failed')
    }
  }
  node.addEventListener(event, onEvent)
  return () => {
    node.removeEventListener(event, onEvent)
  }
}

/** libp2p waits for its peers when it stops; the process should not wait for ever. */
async function withinDeadline(stopping: Promise<void>, log: MeshLog): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const deadline = new Promise<void>((resolve) => {
    timer = setTimeout(() => {
      log.warn({ timeoutMs: HOST_LIMITS.stopMs }, 'the mesh host took too long to stop')
      resolve()
    }, HOST_LIMITS.stopMs)
  })
  const stopped = stopping.catch((error: unknown) => {
    log.warn({ err: error }, 'the mesh host did not stop cleanly')
  })
  await Promise.race([stopped, deadline])
  clearTimeout(timer)
}
