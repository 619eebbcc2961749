import { type ErrorCode, type ErrorFacts, formatUsd, LexoraError } from '@lexora/protocol'

/** Facts that a client may see beside the message: whole numbers, whoever said them. */
const CLIENT_FACTS = ['promptTokens', 'contextTokens', 'retryAfterMs'] as const

/**
 * Puts an error that came over a wire into the client's own terms. A peer's text is never repeated: only its code and
 * its checked facts. Codes that mean nothing to a client keep their message and are hidden at the HTTP edge.
 */
export function explain(error: LexoraError, model: string): LexoraError {
  const code = OURS.has(error.code) ? 'ledger_unavailable' : error.code
  const message = MESSAGES[code]?.(error, model) ?? error.message
  return new LexoraError(code, message, { facts: clientFacts(error), cause: error })
}

/** The ledger does not take this gateway for a member: that is no fault of the client's key. */
const OURS: ReadonlySet<ErrorCode> = new Set(['not_a_member', 'forbidden'])

function clientFacts({ facts }: LexoraError): ErrorFacts {
  const counts = CLIENT_FACTS.map((name) => [name, count(facts[name])] as const)
  return Object.fromEntries(
    counts.filter((fact): fact is [CountName, number] => fact[1] !== undefined),
  )
}

type CountName = (typeof CLIENT_FACTS)[number]

function count(fact: unknown): number | undefined {
  return Number.isSafeInteger(fact) && (fact as number) >= 0 ? (fact as number) : undefined
}

type Message = (error: LexoraError, model: string) => string

const MESSAGES: Partial<Record<ErrorCode, Message>> = {
  invalid_api_key: () =>
    'The API key is not valid. Check that it was copied whole, or make a new one.',
  api_key_revoked: () => 'The API key was revoked. Make a new one.',
  api_key_expired: () => 'The API key has expired. Make a new one.',
  account_suspended: () => 'The account of this API key is suspended.',
  model_not_found: (_error, model) =>
    `The model '${model}' does not exist on this network. GET /v1/models lists those that do.`,
  invalid_request: unfit,
  unsupported_parameter: unfit,
  request_too_large: () => 'The request is too large for this network.',
  context_length_exceeded: contextMessage,
  model_not_allowed: (_error, model) =>
    `This API key may not use the model '${model}'. Use another key, or change the key's models.`,
  insufficient_credit: creditMessage,
  key_limit_reached: limitMessage,
  credit_reserved: () =>
    'The credit is set aside for requests that are running now. Try again when one of them has ended.',
  ledger_unavailable: () =>
    'Requests cannot be authorised at the moment. Nothing was charged. Try again soon.',
  storage_full: () =>
    'New requests cannot be accepted at the moment. Nothing was charged. Try again later.',
}

function unfit(_error: LexoraError, model: string): string {
  return `The model '${model}' cannot serve this request as it is. Check its parameters and messages.`
}

function contextMessage({ facts }: LexoraError): string {
  const contextTokens = count(facts['contextTokens'])
  const promptTokens = count(facts['promptTokens'])
  if (contextTokens === undefined || promptTokens === undefined) {
    return 'The messages are longer than the model’s context.'
  }
  return `The model’s context holds ${contextTokens} tokens, but the messages alone are ${promptTokens}. Send fewer or shorter messages.`
}

function creditMessage({ facts }: LexoraError): string {
  const cost = amount(facts['costNanoUsd'])
  const balance = amount(facts['balanceNanoUsd'])
  const fits = count(facts['maxTokensThatFit'])
  const head = 'There is not enough credit for this request.'
  const sum =
    cost === undefined || balance === undefined
      ? ''
      : ` It may cost up to ${cost}; ${balance} are left.`
  const advice =
    fits !== undefined && fits > 0
      ? ` With max_tokens of ${fits} or less it fits.`
      : ' Add credit to the account and try again.'
  return head + sum + advice + freeTierMessage(facts['freeTier'])
}

const FREE_TIER: Readonly<Record<string, string>> = {
  not_verified: ' Verify your mail address to get the daily free allowance.',
  shared:
    ' The daily free allowance is already used from this device or address; ask support to look at it.',
  refused: ' The daily free allowance is not available for this account.',
  exhausted: ' Today’s free allowance for everybody is used up; it comes back at midnight UTC.',
}

function freeTierMessage(fact: unknown): string {
  return typeof fact === 'string' && Object.hasOwn(FREE_TIER, fact) ? (FREE_TIER[fact] ?? '') : ''
}

function limitMessage({ facts }: LexoraError): string {
  const cost = amount(facts['costNanoUsd'])
  const left = amount(facts['balanceNanoUsd'])
  const fits = count(facts['maxTokensThatFit'])
  const span = SPANS.find((each) => each === facts['limit'])
  const head = `The API key's spend limit${span === undefined ? '' : ` of this ${span}`} is reached.`
  const sum =
    cost === undefined || left === undefined
      ? ''
      : ` This request may cost up to ${cost}; ${left} of the limit are left.`
  const advice =
    fits !== undefined && fits > 0 ? ` With max_tokens of ${fits} or less it fits.` : ''
  return head + sum + advice
}

const SPANS = ['day', 'week', 'month'] as const

function amount(fact: unknown): string | undefined {
  return typeof fact === 'string' && /^-?\d{1,30}$/.test(fact) ? formatUsd(BigInt(fact)) : undefined
}
