import { createHash } from 'node:crypto'
import { type ErrorCode, errorCodeOf } from '@lexora/protocol'
import fastify, { type FastifyInstance } from 'fastify'
import type { Logger } from 'pino'

/** A webhook is a few KB. */
const BODY_BYTES_MAX = 1024 ** 2
/** The sender gives up after five seconds and comes again. */
const REQUEST_TIMEOUT_MS = 5_000

/** What this edge needs of the ledger. */
export interface PaymentEvents {
  receivePaymentEvent(message: {
    body: Uint8Array
    signature: string
    eventId: string
  }): Promise<{ repeated: boolean }>
}

/** The ledger's door for payment companies. */
export interface HttpEdge {
  start(): Promise<void>
  stop(): Promise<void>
  /** E.g. `http://127.0.0.1:4180`; empty before it listens. */
  url(): string
}

/** What a sender is told; everything else is 500, so that it comes again. */
const STATUSES: Partial<Record<ErrorCode, number>> = {
  signature_invalid: 401,
  malformed: 400,
  invalid_request: 400,
  expired: 400,
  conflict: 409,
  not_found: 404,
  ledger_unavailable: 503,
}

/** An HTTP server on a listener of its own, with nothing for operators on it. */
export function createHttpEdge(
  components: { service: PaymentEvents; log: Pick<Logger, 'info' | 'warn'> },
  options: { host: string; port: number },
): HttpEdge {
  const { service, log } = components
  const app = fastify({
    bodyLimit: BODY_BYTES_MAX,
    requestTimeout: REQUEST_TIMEOUT_MS,
    forceCloseConnections: true,
  })
  // Signatures are over the bytes as they came, so nothing may parse them before.
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))
  app.setErrorHandler((error, _request, reply) => {
    const code = errorCodeOf(error)
    const own = (error as { statusCode?: number }).statusCode
    const status = STATUSES[code] ?? own ?? 500
    if (status >= 500) log.warn({ err: error }, 'a webhook was not taken')
    return reply.code(status).send({ error: { code } })
  })
  addRoutes(app, service)
  return {
    async start() {
      await app.listen(options)
      log.info({ url: urlOf(app) }, 'webhooks are taken')
    },
    stop: () => app.close(),
    url: () => urlOf(app),
  }
}

function addRoutes(app: FastifyInstance, service: PaymentEvents): void {
  app.get('/health', () => ({ ok: true }))
  app.post('/webhooks/razorpay', async (request) => {
    const { body, headers } = request
    const bytes = Buffer.isBuffer(body) ? body : Buffer.alloc(0)
    // Without an id of its own, the same bytes are the same event.
    const eventId =
      header(headers['x-razorpay-event-id']) ?? createHash('sha256').update(bytes).digest('hex')
    const signature = header(headers['x-razorpay-signature']) ?? ''
    return service.receivePaymentEvent({ body: bytes, signature, eventId })
  })
}

function header(value: string | string[] | undefined): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}

function urlOf(app: FastifyInstance): string {
  const address = app.server.address()
  if (address === null || typeof address === 'string') return ''
  const host = address.family === 'IPv6' ? `[${address.address}]` : address.address
  return `http://${host}:${address.port}`
}
