import { LexoraError } from '@lexora/protocol'
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import type { Logger } from 'pino'
import type { GatewayBackend } from './backend.ts'
import {
  keyHandler,
  livenessHandler,
  modelHandler,
  modelsHandler,
  readinessHandler,
} from './catalogue-routes.ts'
import { type ChatRouteOptions, chatHandler } from './chat-route.ts'
import { answerBrokenRequests } from './client-errors.ts'
import { type Clock, systemClock } from './clock.ts'
import * as limits from './constants.ts'
import { errorObject, HttpRefusal, isOurFault, toApiError, unsupportedMediaType } from './errors.ts'
import { readJsonBodies } from './json-body.ts'
import { requiredApiKeyHash } from './keys.ts'
import { keepRecord, logFault } from './request-record.ts'

/** What the HTTP edge uses. */
export interface HttpAppComponents {
  backend: GatewayBackend
  log: Logger
  /** A new, unique `req_…` id. It is the answer's `x-request-id`. */
  newRequestId(): string
  /** The machine's clock by default. */
  clock?: Clock
}

/** Limits of the HTTP edge. Defaults and their reasons are in constants.ts. */
export interface HttpAppOptions extends Partial<ChatRouteOptions> {
  /** Largest request body in bytes. Default 1 MiB. */
  bodyBytesMax?: number
  /** Chat requests at once. Default 1,024. */
  chatsInFlightMax?: number
  /** Open connections. Default 4,096. */
  connectionsMax?: number
  /** Time in ms to receive a whole request. Default 30 s. */
  requestReceiveMs?: number
}

type Handler = (request: FastifyRequest, reply: FastifyReply) => Promise<unknown>
type Check = (request: FastifyRequest, reply: FastifyReply) => void

interface Route {
  method: 'GET' | 'POST'
  path: string
  handler: Handler
  /** Runs before the body is read; refuses by throwing. */
  check?: Check
}

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const

/** Makes the HTTP edge: OpenAI's REST API over a backend. It listens when the caller says so. */
export function createHttpApp(
  components: HttpAppComponents,
  options: HttpAppOptions = {},
): FastifyInstance {
  const { backend, log, newRequestId, clock = systemClock } = components
  const receiveMs = options.requestReceiveMs ?? limits.REQUEST_RECEIVE_MS
  const app = fastify({
    // Fastify's own lines hold URLs and parser messages. Ours are written by request-record.ts.
    logger: false,
    genReqId: newRequestId,
    bodyLimit: options.bodyBytesMax ?? limits.BODY_BYTES_MAX,
    requestTimeout: receiveMs,
    keepAliveTimeout: limits.KEEP_ALIVE_MS,
    // Its 503 is not in OpenAI's shape; the onRequest hook answers instead.
    return503OnClosing: false,
    routerOptions: { ignoreTrailingSlash: true },
    frameworkErrors: (error, request, reply) => {
      keepRecord(request, reply, { clock, log })
      reply.header('x-request-id', request.id)
      sendError(request, reply, error)
    },
    clientErrorHandler: answerBrokenRequests(newRequestId),
    http: {
      noDelay: true,
      // Node swaps the two limits if that of the headers, 60 s by default, is the larger.
      headersTimeout: receiveMs,
      requestTimeout: receiveMs,
      // Node looks for late requests at this interval, so one lives for at most twice the limit.
      connectionsCheckingInterval: receiveMs,
    },
  })
  app.server.maxConnections = options.connectionsMax ?? limits.CONNECTIONS_MAX
  readJsonBodies(app)

  let closing = false
  app.addHook('preClose', (done) => {
    closing = true
    done()
  })
  app.addHook('onRequest', (request, reply, done) => {
    keepRecord(request, reply, { clock, log })
    reply.header('x-request-id', request.id)
    done(refusalOf(request, closing))
  })
  app.addHook('onSend', (request, reply, _payload, done) => {
    reply.header('openai-processing-ms', clock.now() - request.record.startedAtMs)
    done()
  })
  app.setErrorHandler((error, request, reply) => {
    if (isOurFault(error)) logFault(log, request.id, error)
    sendError(request, reply, error)
  })
  // Never reached, since the onRequest hook refuses first; fastify's own answer would echo the URL.
  app.setNotFoundHandler((request, reply) => sendError(request, reply, unknownRoute()))

  addRoutes(app, [
    {
      method: 'POST',
      path: '/v1/chat/completions',
      handler: chatHandler({ backend, log, clock }, chatOptions(options)),
      check: admission(options.chatsInFlightMax ?? limits.CHATS_IN_FLIGHT_MAX),
    },
    { method: 'GET', path: '/v1/models', handler: modelsHandler(backend) },
    { method: 'GET', path: '/v1/models/*', handler: modelHandler(backend) },
    { method: 'GET', path: '/v1/key', handler: keyHandler(backend) },
    { method: 'GET', path: '/v1/health', handler: readinessHandler(backend) },
    { method: 'GET', path: '/readyz', handler: readinessHandler(backend) },
    { method: 'GET', path: '/livez', handler: livenessHandler },
  ])
  return app
}

function chatOptions(options: HttpAppOptions): ChatRouteOptions {
  return {
    outputTokensDefault: options.outputTokensDefault ?? limits.OUTPUT_TOKENS_DEFAULT,
    headHoldMs: options.headHoldMs ?? limits.HEAD_HOLD_MS,
    pingMs: options.pingMs ?? limits.PING_MS,
    stallMs: options.stallMs ?? limits.STALL_MS,
    lingerMs: options.lingerMs ?? limits.LINGER_MS,
    bufferBytesMax: options.bufferBytesMax ?? limits.STREAM_BUFFER_BYTES_MAX,
  }
}

/** Adds every route, its alias without `/v1`, and a 405 for its other methods. */
function addRoutes(app: FastifyInstance, routes: readonly Route[]): void {
  for (const { method, path, handler, check } of routes) {
    const allowed = method === 'GET' ? ['GET', 'HEAD'] : [method]
    for (const url of new Set([path, path.replace(/^\/v1(?=\/)/, '')])) {
      app.route({ method, url, handler, ...(check && { onRequest: hook(check) }) })
      app.route({
        method: METHODS.filter((other) => !allowed.includes(other)),
        url,
        onRequest: hook(() => {
          const message = `This URL answers ${allowed.join(' and ')} only.`
          throw new HttpRefusal(405, 'method_not_allowed', message, { allow: allowed.join(', ') })
        }),
        handler: async () => undefined,
      })
    }
  }
}

function hook(check: Check) {
  return (request: FastifyRequest, reply: FastifyReply, done: (error?: Error) => void): void => {
    try {
      check(request, reply)
      done()
    } catch (error) {
      done(error as Error)
    }
  }
}

/** What can be refused before any route looks at the request. */
function refusalOf(request: FastifyRequest, closing: boolean): Error | undefined {
  if (closing) {
    return new HttpRefusal(503, 'shutting_down', 'This gateway is shutting down.', {
      'retry-after': '1',
      connection: 'close',
    })
  }
  if (request.is404) return unknownRoute()
  const encoding = request.headers['content-encoding']
  return encoding === undefined || encoding === 'identity' ? undefined : unsupportedMediaType()
}

/** Lets in who sends a key, up to a number at once: nobody else makes us read a body. */
function admission(inFlightMax: number): Check {
  let inFlight = 0
  return (request, reply) => {
    requiredApiKeyHash(request.headers)
    if (inFlight >= inFlightMax) {
      throw new LexoraError('provider_busy', 'This gateway is full at the moment. Try again soon.')
    }
    inFlight += 1
    reply.raw.once('close', () => {
      inFlight -= 1
    })
  }
}

function unknownRoute(): HttpRefusal {
  return new HttpRefusal(404, 'not_found', 'There is nothing at this URL.')
}

function sendError(request: FastifyRequest, reply: FastifyReply, thrown: unknown): void {
  const error = toApiError(thrown)
  request.record.code = error.code
  reply
    .code(error.status)
    .headers(error.headers)
    .type('application/json')
    .send(JSON.stringify({ error: errorObject(error) }))
}
