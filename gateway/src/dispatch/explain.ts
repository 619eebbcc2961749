import { formatUsd, LexoraError } from '@lexora/protocol'

/**
 * Puts an error that came over a wire into the client's own terms. A peer's text is never repeated: only its code and
 * its checked facts. Codes that mean nothing to a client pass unchanged and are hidden at the HTTP edge.
 */
export function explain(error: LexoraError, model: string): LexoraError {
  const message = messageFor(error, model)
  return message === undefined
    ? error
    : new LexoraError(error.code, message, { facts: error.facts, cause: error })
}

function messageFor(error: LexoraError, model: string): string | undefined {
  switch (error.code) {
    case 'invalid_api_key':
      return 'The API key is not valid. Check that it was copied whole, or make a new one.'
    case 'api_key_revoked':
      return 'The API key was revoked. Make a new one.'
    case 'api_key_expired':
      return 'The API key has expired. Make a new one.'
    case 'account_suspended':
      return 'The account of this API key is suspended.'
    case 'model_not_found':
      return `The model '${model}' does not exist on this network. GET /v1/models lists those that do.`
    case 'context_length_exceeded':
      return contextMessage(error)
    case 'insufficient_credit':
      return creditMessage(error)
    case 'credit_reserved':
      return 'The credit is set aside for requests that are running now. Try again when one of them has ended.'
    case 'ledger_unavailable':
      return 'Requests cannot be authorised at the moment. Nothing was charged. Try again soon.'
    case 'storage_full':
      return 'New requests cannot be accepted at the moment. Nothing was charged. Try again later.'
    default:
      return undefined
  }
}

function contextMessage({ facts }: LexoraError): string {
  const { contextTokens, promptTokens } = facts
  if (typeof contextTokens !== 'number' || typeof promptTokens !== 'number') {
    return 'The messages are longer than the model’s context.'
  }
  return `The model’s context holds ${contextTokens} tokens, but the messages alone are ${promptTokens}. Send fewer or shorter messages.`
}

function creditMessage({ facts }: LexoraError): string {
  const cost = amount(facts['costNanoUsd'])
  const balance = amount(facts['balanceNanoUsd'])
  const fits = facts['maxTokensThatFit']
  const head = 'There is not enough credit for this request.'
  const sum =
    cost === undefined || balance === undefined
      ? ''
      : ` It may cost up to ${cost}; ${balance} are left.`
  const advice =
    typeof fits === 'number' && fits > 0
      ? ` With max_tokens of ${fits} or less it fits.`
      : ' Add credit to the account and try again.'
  return head + sum + advice
}

function amount(fact: unknown): string | undefined {
  return typeof fact === 'string' && /^-?\d{1,30}$/.test(fact) ? formatUsd(BigInt(fact)) : undefined
}
