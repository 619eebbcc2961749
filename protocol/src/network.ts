import {
  ADDRESS_LENGTH_MAX,
  ADDRESSES_MAX,
  PEER_ID_LENGTH_MAX,
  SHORT_TEXT_LENGTH_MAX,
} from './constants.ts'
import { LexoraError } from './errors.ts'
import { publicKeyOf } from './peer-id.ts'
import { list, refuse, text } from './wire/check.ts'

/** What every member of one network is configured with, out of band: whom to trust and where to begin. */
export interface NetworkConfig {
  name: string
  /** The pinned ledger: its peer id holds its public key, which signs certificates and vouchers. */
  ledger: { peerId: string; addresses: string[] }
  /** Multiaddresses of bootstrap peers, each ending in `/p2p/<peer id>`. */
  bootstrap: string[]
}

/**
 * Reads a network file's parsed JSON. Throws `invalid_request` naming the field, since this is an operator's file and
 * not a peer's message.
 */
export function parseNetworkConfig(json: unknown): NetworkConfig {
  try {
    const root = object(json, 'network file')
    const ledger = object(root['ledger'], 'ledger')
    const peerId = text(
      string(ledger['peerId'], 'ledger.peerId'),
      'ledger.peerId',
      PEER_ID_LENGTH_MAX,
    )
    publicKeyOf(peerId)
    return {
      name: text(string(root['name'], 'name'), 'name', SHORT_TEXT_LENGTH_MAX),
      ledger: { peerId, addresses: addresses(ledger['addresses'], 'ledger.addresses', 1) },
      bootstrap: addresses(root['bootstrap'], 'bootstrap', 0),
    }
  } catch (cause) {
    if (!(cause instanceof LexoraError)) throw cause
    throw new LexoraError('invalid_request', `the network file is not valid: ${cause.message}`, {
      cause,
    })
  }
}

function object(value: unknown, field: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    refuse(field, 'must be an object')
  return value as Record<string, unknown>
}

function string(value: unknown, field: string): string {
  return typeof value === 'string' ? value : refuse(field, 'must be a text')
}

function addresses(value: unknown, field: string, min: number): string[] {
  if (!Array.isArray(value)) refuse(field, 'must be a list of multiaddresses')
  return list(value as unknown[], field, ADDRESSES_MAX, min).map((item) => {
    const address = text(string(item, field), field, ADDRESS_LENGTH_MAX)
    return address.startsWith('/')
      ? address
      : refuse(field, 'must hold multiaddresses such as /ip4/127.0.0.1/tcp/4001')
  })
}
