import type { PeerId } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import { type Multiaddr, multiaddr } from '@multiformats/multiaddr'
import { LexoraError } from '../errors.ts'

/** Reads a textual peer id. Throws LexoraError `malformed`. */
export function parsePeerId(text: string): PeerId {
  try {
    return peerIdFromString(text)
  } catch (cause) {
    throw new LexoraError('malformed', 'not a peer id', { cause })
  }
}

/** Reads an address that ends in `/p2p/<peer id>`. Throws LexoraError `invalid_request` that shows it. */
export function parsePeerAddress(text: string): { peerId: string; address: Multiaddr } {
  const address = parse(text)
  const peerId = address === undefined ? undefined : peerIn(address)
  if (address === undefined || peerId === undefined) {
    throw new LexoraError(
      'invalid_request',
      `not a peer address (/ip4/…/tcp/…/p2p/12D3KooW…): ${text}`,
    )
  }
  return { peerId, address }
}

/** The dialable ones among hints of where a peer is: valid, not of another peer, each with the peer's id. */
export function dialableAddresses(
  peerId: string,
  hints: readonly string[],
  max: number,
): Multiaddr[] {
  const found: Multiaddr[] = []
  for (const hint of hints) {
    if (found.length >= max) break
    const address = parse(hint)
    if (address === undefined) continue
    const named = peerIn(address)
    if (named === undefined) found.push(address.encapsulate(`/p2p/${peerId}`))
    else if (named === peerId) found.push(address)
  }
  return found
}

function parse(text: string): Multiaddr | undefined {
  try {
    return multiaddr(text)
  } catch {
    return undefined
  }
}

function peerIn(address: Multiaddr): string | undefined {
  return address.getComponents().findLast((component) => component.name === 'p2p')?.value
}
