import { noise } from '@chainsafe/libp2p-noise'
import { type GossipSub, gossipsub } from '@libp2p/gossipsub'
import { type Identify, identify } from '@libp2p/identify'
import type { Ed25519PrivateKey, Libp2p } from '@libp2p/interface'
import { type KadDHT, kadDHT, passthroughMapper } from '@libp2p/kad-dht'
import { type Ping, ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { createLibp2p } from 'libp2p'
import { GOSSIP_LIMITS, HOST_LIMITS } from './limits.ts'

/** The services of a Lexora libp2p node. */
export type MeshServices = {
  identify: Identify
  ping: Ping
  dht: KadDHT
  pubsub: GossipSub
}

/** A libp2p node with the services of the mesh. */
export type MeshNode = Libp2p<MeshServices>

/** How to set libp2p up. */
export interface MeshNodeOptions {
  /** This peer's identity. */
  readonly privateKey: Ed25519PrivateKey
  /** Multiaddresses to listen on; none for a peer that only dials. */
  readonly listen: readonly string[]
  /** Multiaddresses to tell others instead of those listened on. Default: none. */
  readonly announce?: readonly string[]
  /** Whether this peer answers DHT queries; others must be able to dial it. */
  readonly dhtServer: boolean
  /** Gossip topics that this peer publishes to or subscribes to. */
  readonly topics: readonly string[]
  /** Sent to every peer by identify, e.g. `lexora-node/0.1.0`. */
  readonly userAgent?: string
  /** Open connections. Default 1,000. */
  readonly connectionsMax?: number
}

/** The DHT's protocol: a network of its own beside IPFS. */
const DHT_PROTOCOL = '/lexora/kad/1.0.0'

/** Sets a libp2p node up and does not start it. */
export async function createMeshNode(options: MeshNodeOptions): Promise<MeshNode> {
  return createLibp2p<MeshServices>({
    start: false,
    privateKey: options.privateKey,
    addresses: { listen: [...options.listen], announce: [...(options.announce ?? [])] },
    ...(options.userAgent === undefined ? {} : { nodeInfo: { userAgent: options.userAgent } }),
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [
      yamux({
        maxInboundStreams: HOST_LIMITS.muxerStreamsMax,
        maxOutboundStreams: HOST_LIMITS.muxerStreamsMax,
        streamOptions: {
          maxStreamWindowSize: HOST_LIMITS.streamWindowBytesMax,
          maxReadBufferLength: HOST_LIMITS.streamReadBufferBytesMax,
          maxWriteBufferLength: HOST_LIMITS.streamWriteBufferBytesMax,
        },
      }),
    ],
    connectionManager: {
      maxConnections: options.connectionsMax ?? HOST_LIMITS.connectionsMax,
      inboundConnectionThreshold: HOST_LIMITS.inboundConnectionsPerSecondPerAddress,
      maxIncomingPendingConnections: HOST_LIMITS.inboundConnectionsPendingMax,
      dialTimeout: HOST_LIMITS.dialMs,
    },
    connectionMonitor: {
      pingInterval: HOST_LIMITS.pingIntervalMs,
      pingTimeout: {
        minTimeout: HOST_LIMITS.pingTimeoutMinMs,
        maxTimeout: HOST_LIMITS.pingTimeoutMaxMs,
      },
    },
    // Private and loopback addresses are where home machines, test meshes and office networks live.
    connectionGater: { denyDialMultiaddr: () => false },
    peerStore: { maxAddressAge: HOST_LIMITS.addressAgeMs, maxPeerAge: HOST_LIMITS.peerAgeMs },
    services: {
      identify: identify(),
      ping: ping(),
      dht: kadDHT({
        protocol: DHT_PROTOCOL,
        // Said outright: when left open, libp2p makes every peer without a public address a client.
        clientMode: !options.dhtServer,
        peerInfoMapper: passthroughMapper,
        // A query on an empty table ends at once and is tried again by us, instead of waiting for ever.
        allowQueryWithZeroPeers: true,
        // All queries wait for the first self-query, which libp2p starts after a second.
        initialQuerySelfInterval: 100,
        maxInboundStreams: HOST_LIMITS.dhtStreamsMax,
        maxOutboundStreams: HOST_LIMITS.dhtStreamsMax,
      }),
      pubsub: meshGossip(options.topics),
    },
  })
}

function meshGossip(topics: readonly string[]): ReturnType<typeof gossipsub> {
  const entries = GOSSIP_LIMITS.rpcEntriesMax
  return gossipsub({
    globalSignaturePolicy: 'StrictSign',
    allowedTopics: [...topics],
    // Publishing is how a provider speaks of itself: nobody listening is no error.
    allowPublishToZeroTopicPeers: true,
    emitSelf: false,
    doPX: false,
    D: GOSSIP_LIMITS.meshDegree,
    Dlo: GOSSIP_LIMITS.meshDegreeLow,
    Dhi: GOSSIP_LIMITS.meshDegreeHigh,
    // gossipsub requires both to fit the smaller mesh.
    Dscore: 2,
    Dout: 1,
    maxInboundDataLength: GOSSIP_LIMITS.rpcBytesMax,
    maxOutboundBufferSize: GOSSIP_LIMITS.outboundBufferBytesMax,
    maxTopicBytesPerPeer: 128 * 1024,
    decodeRpcLimits: {
      maxSubscriptions: entries,
      maxMessages: entries,
      maxIhaveMessageIDs: 8 * entries,
      maxIwantMessageIDs: 8 * entries,
      maxIdontwantMessageIDs: 8 * entries,
      maxControlMessages: entries,
      maxPeerInfos: 0,
    },
    // Peers behind one NAT share an address, and all of a mesh on loopback do: libp2p's penalty for more than ten
    // would mute a household. Admission is by certificate, not by address.
    scoreParams: { IPColocationFactorWeight: 0 },
  })
}
