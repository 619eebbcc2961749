import { type ErrorCode, errorCodeOf, LexoraError } from '@lexora/protocol'
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import type { Logger } from 'pino'
import { z } from 'zod'
import type { LoggedIn } from '../../accounts/login-desk.ts'
import type { PeopleDesk } from '../../accounts/people-desk.ts'
import { errorAnswer, REQUEST_BYTES_MAX } from '../../admin/admin-message.ts'
import { isLook, plain, runOperation } from '../../admin/operations.ts'
import type { LedgerService } from '../../service.ts'

/** A request's head and body must arrive within this time. */
const REQUEST_TIMEOUT_MS = 10_000
const CONNECTIONS_MAX = 64
/** Names of this machine: a page of another site that resolves its own name to us sends that name. */
const LOOPBACK = /^(127\.0\.0\.1|localhost|\[::1\])(:\d+)?$/
/** Writes into folders of the machine: only for who is on it. */
const LOCAL_OPERATIONS: ReadonlySet<string> = new Set(['backup'])

const STATUSES: Partial<Record<ErrorCode, number>> = {
  invalid_request: 400,
  malformed: 400,
  forbidden: 403,
  account_suspended: 403,
  not_found: 404,
  unknown_method: 404,
  conflict: 409,
  rate_limited: 429,
  storage_full: 503,
  ledger_unavailable: 503,
}

const loginSchema = z.strictObject({ email: z.string().max(254), password: z.string().max(1_024) })
const operationSchema = z.strictObject({
  input: z.unknown().optional(),
  reason: z.string().trim().min(1).max(128).optional(),
})

/** What the app uses. */
export interface AdminAppComponents {
  service: LedgerService
  log: Pick<Logger, 'info' | 'error'>
}

/**
 * Operators' HTTP: `POST /v1/login`, `POST /v1/logout`, `GET /v1/session`, and `POST /v1/operations/<name>` with
 * `{"input": …, "reason": "…"}`, the same operations as on the command line. Only people with an operator's account
 * get in, and nothing is changed without a reason. Answers are those of the admin socket.
 */
export function createAdminApp({ service, log }: AdminAppComponents): FastifyInstance {
  const app = fastify({
    bodyLimit: REQUEST_BYTES_MAX,
    requestTimeout: REQUEST_TIMEOUT_MS,
    logger: false,
  })
  app.server.maxConnections = CONNECTIONS_MAX
  app.addHook('onRequest', async (request, reply) => {
    void reply.header('cache-control', 'no-store').header('x-content-type-options', 'nosniff')
    if (!LOOPBACK.test(request.headers.host ?? '')) {
      throw new LexoraError('forbidden', 'this is for the machine itself')
    }
  })
  app.setErrorHandler((error, _request, reply) => refuse(reply, error, log))
  app.setNotFoundHandler((_request, reply) =>
    refuse(reply, new LexoraError('not_found', 'there is nothing here'), log),
  )

  app.post('/v1/login', async (request) => {
    const { email, password } = read(loginSchema, request.body)
    const { token, ...session } = await peopleOf(service).logIn({ email, password, label: 'admin' })
    // Said only to who has the right password, and the session is ended again.
    await requireOperator(service, session)
    log.info({ actor: session.account.accountId }, 'operator logged in')
    return answer({ token, ...session })
  })
  app.get('/v1/session', async (request) => answer(await sessionOf(service, request)))
  app.post('/v1/logout', async (request) => {
    const { account, sessionId } = await sessionOf(service, request)
    await peopleOf(service).endSession(account.accountId, sessionId)
    return answer({})
  })
  app.post<{ Params: { name: string } }>('/v1/operations/:name', async (request) => {
    const { account } = await sessionOf(service, request)
    const { name } = request.params
    const { input = {}, reason } = read(operationSchema, request.body)
    if (LOCAL_OPERATIONS.has(name)) {
      throw new LexoraError('forbidden', 'this is done at the machine itself')
    }
    if (reason === undefined && !isLook(name)) {
      throw new LexoraError('invalid_request', 'reason: say why')
    }
    const note = { actor: account.accountId, reason: reason ?? 'look' }
    log.info({ operation: name, actor: note.actor }, 'operator command')
    return answer(await runOperation(service, name, input, note))
  })
  return app
}

function answer(data: unknown): unknown {
  return { v: 1, ok: true, data: plain(data) }
}

function refuse(reply: FastifyReply, error: unknown, log: AdminAppComponents['log']): FastifyReply {
  // Fastify's own: a body that is too long or is no JSON.
  const status = error instanceof Error && 'statusCode' in error ? Number(error.statusCode) : 500
  const isClients = !(error instanceof LexoraError) && status >= 400 && status < 500
  const known = isClients ? new LexoraError('malformed', 'the request cannot be read') : error
  if (!(known instanceof LexoraError)) log.error({ err: error }, 'operator command failed')
  const own = STATUSES[errorCodeOf(known)] ?? 500
  return reply.status(isClients ? status : own).send(errorAnswer(known))
}

function read<T>(schema: z.ZodType<T>, body: unknown): T {
  const parsed = schema.safeParse(body)
  if (parsed.success) return parsed.data
  throw new LexoraError('invalid_request', 'the body is not as expected')
}

async function sessionOf(service: LedgerService, request: FastifyRequest): Promise<LoggedIn> {
  const [, token] = /^Bearer (\S{1,128})$/.exec(request.headers.authorization ?? '') ?? []
  if (token === undefined) throw new LexoraError('forbidden', 'log in first')
  const session = await peopleOf(service).session(token)
  await requireOperator(service, session)
  return session
}

async function requireOperator(
  service: LedgerService,
  { account, sessionId }: LoggedIn,
): Promise<void> {
  if (account.kind === 'operator' && account.state === 'active') return
  await peopleOf(service).endSession(account.accountId, sessionId)
  throw new LexoraError('forbidden', 'this is for operators')
}

function peopleOf({ people }: LedgerService): PeopleDesk {
  if (people !== undefined) return people
  throw new LexoraError('ledger_unavailable', 'nobody can log in at this ledger')
}
