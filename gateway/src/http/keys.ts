import { createHash } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import { LexoraError } from '@lexora/protocol'

const BEARER = /^bearer +([^\s]+)$/i

/**
 * SHA-256 of the request's API key (`authorization: Bearer …`, or `x-api-key`), or undefined where it sends none.
 * Throws `invalid_api_key` for an authorization that is not a bearer token.
 */
export function apiKeyHash(headers: IncomingHttpHeaders): Uint8Array | undefined {
  const key = apiKey(headers)
  return key === undefined ? undefined : createHash('sha256').update(key).digest()
}

/** As {@link apiKeyHash}, but a key must be there: throws `invalid_api_key` where it is not. */
export function requiredApiKeyHash(headers: IncomingHttpHeaders): Uint8Array {
  const hash = apiKeyHash(headers)
  if (hash !== undefined) return hash
  throw new LexoraError(
    'invalid_api_key',
    'No API key was sent. Send it in the header "Authorization: Bearer <key>".',
  )
}

function apiKey(headers: IncomingHttpHeaders): string | undefined {
  const plain = headers['x-api-key']
  if (typeof plain === 'string' && plain.trim() !== '') return plain.trim()
  const authorization = headers.authorization?.trim() ?? ''
  // A client without a key sends the scheme alone.
  if (authorization === '' || /^bearer$/i.test(authorization)) return undefined
  const token = BEARER.exec(authorization)?.[1]
  if (token !== undefined) return token
  throw new LexoraError(
    'invalid_api_key',
    'The Authorization header is not "Bearer <key>" with an API key.',
  )
}
