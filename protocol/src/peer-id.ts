import { base58btc } from 'multiformats/bases/base58'
import { PEER_ID_LENGTH_MAX } from './constants.ts'
import { LexoraError } from './errors.ts'
import { bytesOf } from './wire/check.ts'

/** Bytes of a raw Ed25519 public key. */
export const PUBLIC_KEY_BYTES = 32

/**
 * An Ed25519 peer id is the identity multihash (0x00, length 0x24) of the protobuf key {type: Ed25519 = 1, data}
 * (libp2p specification, peer-ids): the key itself can be read out of it.
 */
const PREFIX = Uint8Array.of(0x00, 0x24, 0x08, 0x01, 0x12, 0x20)

/** The textual peer id (`12D3KooW…`) of a raw Ed25519 public key. Throws `malformed` for another number of bytes. */
export function peerIdOf(publicKey: Uint8Array): string {
  const bytes = new Uint8Array(PREFIX.length + PUBLIC_KEY_BYTES)
  bytes.set(PREFIX)
  bytes.set(bytesOf(publicKey, 'publicKey', PUBLIC_KEY_BYTES), PREFIX.length)
  return base58btc.baseEncode(bytes)
}

/** The raw Ed25519 public key inside a textual peer id. Throws `malformed` for any other kind of id. */
export function publicKeyOf(peerId: string): Uint8Array {
  const bytes = decode(peerId)
  const matches =
    bytes?.length === PREFIX.length + PUBLIC_KEY_BYTES &&
    PREFIX.every((byte, index) => bytes[index] === byte)
  if (bytes === undefined || !matches) {
    throw new LexoraError('malformed', 'a peer id must be that of an Ed25519 key (12D3KooW…)')
  }
  return bytes.subarray(PREFIX.length)
}

function decode(peerId: string): Uint8Array | undefined {
  if (peerId.length > PEER_ID_LENGTH_MAX) return undefined
  try {
    return base58btc.baseDecode(peerId)
  } catch {
    return undefined
  }
}
