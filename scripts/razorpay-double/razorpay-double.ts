import { createHmac } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type Answer, type Call, createApi, refusal } from './api.ts'
import { createShop, type DoubleEvent, type Shop } from './shop.ts'

/** Something that goes wrong with the next request whose method and path fit. */
export interface Fault {
  /** E.g. `POST /v1/orders`; the beginning is enough. */
  request: string
  /** An answer with this status, or none at all. */
  answer: number | 'hang'
  /** The work is done all the same. */
  isDone?: boolean
}

/** What the double is set up with: the same secrets as whoever talks to it. */
export interface DoubleOptions {
  keyId: string
  keySecret: string
  webhookSecret: string
  /** Where events go; without it they wait in {@link RazorpayDouble.events}. */
  webhookUrl?: string
  port?: number
}

/** Razorpay's HTTP API with real signatures, for tests and demonstrations. */
export interface RazorpayDouble {
  shop: Shop
  /** Events in the order in which they happened: deliver them twice, in another order, late or never. */
  events: DoubleEvent[]
  /** Method and path of every request. */
  requests: string[]
  url(): string
  faultNext(fault: Fault): void
  /** From now on events are signed with it. */
  rotateWebhookSecret(secret: string): void
  sign(event: DoubleEvent): string
  /** What a browser brings back from the checkout page. */
  signCheckout(orderId: string, paymentId: string): string
  /** Sends an event; resolves with the status. */
  deliver(event: DoubleEvent, webhookUrl: string): Promise<number>
  start(): Promise<void>
  stop(): Promise<void>
}

const BODY_BYTES_MAX = 1024 ** 2

/** Makes a double; it listens on loopback only. */
export function createRazorpayDouble(options: DoubleOptions): RazorpayDouble {
  const events: DoubleEvent[] = []
  const requests: string[] = []
  const faults: Fault[] = []
  let { webhookSecret } = options
  const { keyId, keySecret } = options

  const shop = createShop((event) => {
    events.push(event)
    if (options.webhookUrl === undefined) return
    // Nobody listens yet, or any more: the reconciler finds what was missed.
    deliver(event, options.webhookUrl).catch(() => undefined)
  })
  const answer = createApi(shop, signCheckout)
  const server = createServer((request, response) => {
    serve(request, response).catch(() => response.destroy())
  })

  function sign(event: DoubleEvent): string {
    return hmac(webhookSecret, event.body)
  }

  function signCheckout(orderId: string, paymentId: string): string {
    return hmac(keySecret, `${orderId}|${paymentId}`)
  }

  async function deliver(event: DoubleEvent, webhookUrl: string): Promise<number> {
    const headers = {
      'content-type': 'application/json',
      'x-razorpay-event-id': event.eventId,
      'x-razorpay-signature': sign(event),
    }
    const signal = AbortSignal.timeout(5_000)
    const answer = await fetch(webhookUrl, { method: 'POST', body: event.body, headers, signal })
    return answer.status
  }

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const call = await readCall(request)
    const line = `${call.method} ${call.path}`
    requests.push(line)
    const index = faults.findIndex((fault) => line.startsWith(fault.request))
    const [fault] = index === -1 ? [] : faults.splice(index, 1)
    const isPublic = call.path.startsWith('/checkout/')
    const wanted = `Basic ${Buffer.from(`${keyId}:${keySecret}`).toString('base64')}`
    if (!isPublic && request.headers.authorization !== wanted) {
      return send(response, refusal(401, 'Authentication failed'))
    }
    if (fault === undefined) return send(response, answer(call))
    if (fault.isDone === true) answer(call)
    if (fault.answer === 'hang') return
    send(response, refusal(fault.answer, 'as the test asked'))
  }

  return {
    shop,
    events,
    requests,
    url: () => `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    faultNext: (fault) => void faults.push(fault),
    rotateWebhookSecret(secret) {
      webhookSecret = secret
    },
    sign,
    signCheckout,
    deliver,
    async start() {
      server.listen(options.port ?? 0, '127.0.0.1')
      await once(server, 'listening')
    },
    async stop() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

async function readCall(request: IncomingMessage): Promise<Call> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of request) {
    length += (chunk as Buffer).byteLength
    if (length > BODY_BYTES_MAX) throw new Error('the body is too long')
    chunks.push(chunk as Buffer)
  }
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://127.0.0.1')
  const text = Buffer.concat(chunks).toString('utf8')
  const key = request.headers['x-refund-idempotency']
  return {
    method: request.method ?? 'GET',
    path: pathname,
    query: searchParams,
    body: text === '' ? {} : (JSON.parse(text) as Record<string, unknown>),
    idempotencyKey: typeof key === 'string' ? key : undefined,
  }
}

function send(response: ServerResponse, { status, body, isPage = false }: Answer): void {
  response.writeHead(status, { 'content-type': isPage ? 'text/html' : 'application/json' })
  response.end(isPage ? String(body) : JSON.stringify(body))
}

function hmac(secret: string, content: string): string {
  return createHmac('sha256', secret).update(content).digest('hex')
}
