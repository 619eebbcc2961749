import { type ErrorCode, type ErrorFacts, LexoraError } from '@lexora/protocol'

type ErrorType =
  | 'invalid_request_error'
  | 'authentication_error'
  | 'permission_error'
  | 'insufficient_quota'
  | 'rate_limit_error'
  | 'server_error'

/** An error as the client gets it: a status, headers, and the fields of OpenAI's error object. */
export interface ApiError {
  status: number
  type: string
  code: string
  /** For people. Never holds what the client sent beyond the names of fields. */
  message: string
  /** Path of the guilty field, e.g. `messages[0].role`. */
  param: string | null
  headers: Readonly<Record<string, string>>
  /** Counts that stand beside the four fields. */
  counts: Readonly<Record<string, number>>
}

interface Rule {
  status: number
  type: ErrorType
  /** Present where trying again may help: the wait that is advised if the error's facts name none. */
  retryAfterMs?: number
  /** Overrides what SDKs do by the status alone. */
  shouldRetry?: boolean
  /** The field at fault where the error's facts name none. */
  param?: string
}

const INVALID: Rule = { status: 400, type: 'invalid_request_error' }
const UNAUTHENTICATED: Rule = { status: 401, type: 'authentication_error' }
const DENIED: Rule = { status: 403, type: 'permission_error' }
const BAD_PROVIDER: Rule = { status: 502, type: 'server_error' }
/** Codes between peers: the client can do nothing about them and learns nothing of them. */
const INTERNAL: Rule = { status: 500, type: 'server_error' }

const unavailable = (retryAfterMs: number): Rule => ({
  status: 503,
  type: 'server_error',
  retryAfterMs,
})

/** The one place that says what a code means over HTTP. */
const RULES: Readonly<Record<ErrorCode, Rule>> = {
  invalid_request: INVALID,
  unsupported_parameter: INVALID,
  model_not_found: { status: 404, type: 'invalid_request_error', param: 'model' },
  context_length_exceeded: { ...INVALID, param: 'messages' },
  request_too_large: { status: 413, type: 'invalid_request_error' },

  invalid_api_key: UNAUTHENTICATED,
  api_key_revoked: UNAUTHENTICATED,
  api_key_expired: UNAUTHENTICATED,
  account_suspended: DENIED,
  forbidden: DENIED,
  model_not_allowed: { ...DENIED, param: 'model' },
  not_a_member: INTERNAL,
  enrolment_refused: INTERNAL,

  // SDKs retry a 429 and not a 402; the first of these two is final, the second is over when a running request ends.
  insufficient_credit: { status: 402, type: 'insufficient_quota', shouldRetry: false },
  key_limit_reached: { status: 402, type: 'insufficient_quota', shouldRetry: false },
  credit_reserved: {
    status: 402,
    type: 'insufficient_quota',
    shouldRetry: true,
    retryAfterMs: 1_000,
  },
  voucher_invalid: INTERNAL,
  hold_not_found: INTERNAL,
  hold_closed: INTERNAL,
  receipt_invalid: INTERNAL,

  // A provider that has just gone is replaced by the directory within seconds.
  no_provider: unavailable(5_000),
  provider_busy: unavailable(1_000),
  provider_draining: unavailable(1_000),
  rate_limited: { status: 429, type: 'rate_limit_error', retryAfterMs: 1_000 },

  provider_lost: BAD_PROVIDER,
  provider_fault: BAD_PROVIDER,
  // The ledger restarts and verifies its journal in about this time.
  ledger_unavailable: unavailable(2_000),
  storage_full: unavailable(30_000),
  timeout: { status: 504, type: 'server_error' },
  // A client that cancelled reads nothing; one that reads this was cut by us, which only a shutdown does.
  cancelled: unavailable(1_000),

  malformed: INTERNAL,
  frame_too_large: INTERNAL,
  unsupported_version: INTERNAL,
  signature_invalid: INTERNAL,
  expired: INTERNAL,
  session_closed: INTERNAL,
  unknown_method: INTERNAL,

  not_found: { status: 404, type: 'invalid_request_error' },
  conflict: INTERNAL,
  internal: INTERNAL,
}

const INTERNAL_MESSAGE =
  'Something went wrong in this gateway. The request was not completed. Please try again.'

/** A refusal that only HTTP knows, such as a wrong method. */
export class HttpRefusal extends Error {
  readonly status: number
  readonly code: string
  readonly headers: Readonly<Record<string, string>>

  constructor(
    status: number,
    code: string,
    message: string,
    headers: Readonly<Record<string, string>> = {},
  ) {
    super(message)
    this.name = 'HttpRefusal'
    this.status = status
    this.code = code
    this.headers = headers
  }
}

/** What fastify refuses by itself, in our words: its own may quote the request. */
const FASTIFY_REFUSALS: ReadonlyMap<string, HttpRefusal> = new Map([
  [
    'FST_ERR_CTP_BODY_TOO_LARGE',
    new HttpRefusal(
      413,
      'request_too_large',
      'The request body is larger than this gateway takes.',
    ),
  ],
  ['FST_ERR_CTP_INVALID_MEDIA_TYPE', unsupportedMediaType()],
  ['FST_ERR_BAD_URL', new HttpRefusal(400, 'invalid_request', 'The URL is not well-formed.')],
  ['FST_ERR_MAX_PARAM_LENGTH', new HttpRefusal(414, 'invalid_request', 'The URL is too long.')],
])

const BROKEN_REQUEST = new HttpRefusal(400, 'invalid_request', 'The request could not be read.')

/** 415 for a body that is not plain JSON. */
export function unsupportedMediaType(): HttpRefusal {
  return new HttpRefusal(
    415,
    'unsupported_media_type',
    'Send the request body as JSON, uncompressed, with the header "content-type: application/json".',
  )
}

/** What the client is told about any thrown thing. Only a `LexoraError` and our own refusals speak for themselves. */
export function toApiError(error: unknown): ApiError {
  if (error instanceof LexoraError) return fromLexoraError(error)
  if (error instanceof HttpRefusal) return fromRefusal(error)
  const { code, statusCode } = error as { code?: unknown; statusCode?: unknown }
  const refusal = typeof code === 'string' ? FASTIFY_REFUSALS.get(code) : undefined
  if (refusal !== undefined) return fromRefusal(refusal)
  // fastify marks what a client did wrong while it sent its request: a short body, a reset.
  if (typeof statusCode === 'number' && statusCode >= 400 && statusCode < 500) {
    return fromRefusal(BROKEN_REQUEST)
  }
  return fromLexoraError(new LexoraError('internal', INTERNAL_MESSAGE))
}

/** Whether an error is the gateway's own fault, so that someone must look. */
export function isOurFault(error: unknown): boolean {
  return toApiError(error).status === 500
}

/** The `error` object of OpenAI's error shape. */
export function errorObject(error: ApiError): Record<string, unknown> {
  const { message, type, param, code, counts } = error
  return { message, type, param, code, ...counts }
}

function fromRefusal(refusal: HttpRefusal): ApiError {
  return {
    status: refusal.status,
    type: refusal.status >= 500 ? 'server_error' : 'invalid_request_error',
    code: refusal.code,
    message: refusal.message,
    param: null,
    headers: refusal.headers,
    counts: {},
  }
}

function fromLexoraError(error: LexoraError): ApiError {
  const rule = RULES[error.code]
  const hidden = rule === INTERNAL
  const param = error.facts['param']
  return {
    status: rule.status,
    type: rule.type,
    code: hidden ? 'internal' : error.code,
    message: hidden ? INTERNAL_MESSAGE : error.message,
    param: typeof param === 'string' ? param : (rule.param ?? null),
    headers: headersOf(rule, error.facts),
    counts: error.code === 'context_length_exceeded' ? countsOf(error.facts) : {},
  }
}

function headersOf(rule: Rule, facts: ErrorFacts): Record<string, string> {
  const headers: Record<string, string> = {}
  if (rule.status === 401) headers['www-authenticate'] = 'Bearer'
  if (rule.shouldRetry !== undefined) headers['x-should-retry'] = String(rule.shouldRetry)
  if (rule.retryAfterMs !== undefined) {
    const asked = facts['retryAfterMs']
    const waitMs = typeof asked === 'number' && asked > 0 ? Math.ceil(asked) : rule.retryAfterMs
    headers['retry-after'] = String(Math.ceil(waitMs / 1000))
    headers['retry-after-ms'] = String(waitMs)
  }
  return headers
}

/** llama-server's names for the two counts: tools that trim a conversation read them. */
function countsOf(facts: ErrorFacts): Record<string, number> {
  const counts: Record<string, number> = {}
  const { promptTokens, contextTokens } = facts
  if (typeof promptTokens === 'number') counts['n_prompt_tokens'] = promptTokens
  if (typeof contextTokens === 'number') counts['n_ctx'] = contextTokens
  return counts
}
