import { createServer, type Server } from 'node:net'
import { MeshError, messageOf } from './mesh-error.ts'

/** Where everything listens, on loopback only. */
export const LOOPBACK = '127.0.0.1'

/** One port of the mesh. */
export interface PortUse {
  port: number
  /** What listens there, for people. */
  use: string
  /** The flag that chooses another. */
  flag: string
}

/** The ports of one mesh. Gateways by their index. */
export interface MeshPorts {
  bootstrap: number
  ledger: number
  gatewayPeers: number[]
  gatewayHttp: number[]
}

/** Ports in a row from two bases: bootstrap, ledger and the gateways' peer ports; and the gateways' HTTP. */
export function fixedPorts(base: number, httpBase: number, gateways: number): MeshPorts {
  return {
    bootstrap: base,
    ledger: base + 1,
    gatewayPeers: Array.from({ length: gateways }, (_, index) => base + 2 + index),
    gatewayHttp: Array.from({ length: gateways }, (_, index) => httpBase + index),
  }
}

/** Ports that nobody uses now. */
export async function freePorts(gateways: number): Promise<MeshPorts> {
  const servers: Server[] = []
  try {
    // All are held open until the last is known, so that none is given twice.
    for (let count = 0; count < 2 + 2 * gateways; count += 1) servers.push(await listen(0))
    const [bootstrap = 0, ledger = 0, ...rest] = servers.map(portOf)
    return {
      bootstrap,
      ledger,
      gatewayPeers: rest.slice(0, gateways),
      gatewayHttp: rest.slice(gateways),
    }
  } finally {
    await Promise.all(servers.map(close))
  }
}

/** Throws {@link MeshError} for the first port that is taken, naming it, what it is for, and the flag. */
export async function requirePorts(ports: MeshPorts): Promise<void> {
  for (const { port, use, flag } of uses(ports)) {
    try {
      await close(await listen(port))
    } catch (cause) {
      const why = cause instanceof Error && 'code' in cause ? cause.code : undefined
      const problem =
        why === 'EADDRINUSE'
          ? 'is taken by another program'
          : `cannot be used (${messageOf(cause)})`
      throw new MeshError(
        `port ${port}, for ${use}, ${problem}; choose other ports with ${flag} NUMBER`,
        { cause },
      )
    }
  }
}

function uses(ports: MeshPorts): PortUse[] {
  const mesh = '--base-port'
  return [
    { port: ports.bootstrap, use: 'the bootstrap peer', flag: mesh },
    { port: ports.ledger, use: 'the ledger', flag: mesh },
    ...ports.gatewayPeers.map((port, index) => ({
      port,
      use: `the peers of gateway-${index + 1}`,
      flag: mesh,
    })),
    ...ports.gatewayHttp.map((port, index) => ({
      port,
      use: `the API of gateway-${index + 1}`,
      flag: '--http-port',
    })),
  ]
}

function listen(port: number): Promise<Server> {
  const server = createServer()
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ port, host: LOOPBACK, exclusive: true }, () => resolve(server))
  })
}

function portOf(server: Server): number {
  const address = server.address()
  return typeof address === 'object' && address !== null ? address.port : 0
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
  })
}
