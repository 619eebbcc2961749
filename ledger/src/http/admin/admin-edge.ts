import { LexoraError } from '@lexora/protocol'
import type { FastifyInstance } from 'fastify'
import type { AdminAppComponents } from './admin-app.ts'

/** Where operators' HTTP listens. */
export interface AdminAddress {
  host: string
  port: number
}

/** Operators' HTTP on a listener of its own. */
export interface AdminEdge {
  /** Throws `invalid_request` for an address that others can reach, `conflict` for a port that is taken. */
  start(): Promise<void>
  stop(): Promise<void>
  /** Empty before `start`. */
  readonly url: string
}

/** Addresses that only this machine reaches: operators elsewhere come through a tunnel of their own. */
const LOOPBACK: ReadonlySet<string> = new Set(['127.0.0.1', '::1', 'localhost'])

/** Makes the listener. */
export function createAdminEdge(components: AdminAppComponents, address: AdminAddress): AdminEdge {
  let app: FastifyInstance | undefined
  let url = ''
  return {
    async start() {
      if (!LOOPBACK.has(address.host)) {
        throw new LexoraError('invalid_request', 'operators’ HTTP listens on loopback only')
      }
      // Fastify takes a tenth of a second to load: commands that serve nothing do without.
      const { createAdminApp } = await import('./admin-app.ts')
      app = createAdminApp(components)
      try {
        url = await app.listen(address)
      } catch (cause) {
        if ((cause as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw cause
        throw new LexoraError('conflict', `port ${address.port} is taken`, { cause })
      }
    },
    async stop() {
      await app?.close()
      app = undefined
    },
    get url() {
      return url
    },
  }
}
