import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'

/** What a secret text is for, by how it begins. */
export const SECRET_PREFIXES = {
  /** API keys that spend real credit. */
  live: 'lx_live_',
  /** API keys for trying things. */
  test: 'lx_test_',
  /** Enrolment tokens. */
  enrolment: 'lxe_',
  /** Invites to open a provider account. */
  invite: 'lxi_',
  /** Links in mails, good once. */
  link: 'lxm_',
  /** Sessions of people who have logged in. */
  session: 'lxs_',
} as const
/** One of {@link SECRET_PREFIXES}. */
export type SecretKind = keyof typeof SECRET_PREFIXES

/** Random bytes of a secret: cannot be guessed, so a fast hash of it is safe to keep. */
export const SECRET_BYTES = 32

/** 62^43 is just above 2^256, and 62^6 above 2^32: fixed widths that always fit. */
const RANDOM_WIDTH = 43
const CHECKSUM_WIDTH = 6
const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const PATTERN = new RegExp(`^[${ALPHABET}]{${RANDOM_WIDTH + CHECKSUM_WIDTH}}$`)

/**
 * The text of a secret: prefix, 32 random bytes in base62, and the base62 CRC-32 of all before it. The checksum lets
 * anybody tell a mistyped key from a wrong one without asking, and makes secret scanners exact; the underscore keeps
 * a double click selecting the whole.
 */
export function makeSecret(kind: SecretKind, bytes: Uint8Array): string {
  const body = SECRET_PREFIXES[kind] + base62(toBigInt(bytes), RANDOM_WIDTH)
  return body + checksum(body)
}

/** What a text is a well-formed secret of, or undefined: then it was never issued and nobody need be asked. */
export function secretKind(text: string): SecretKind | undefined {
  const kinds = Object.keys(SECRET_PREFIXES) as SecretKind[]
  const kind = kinds.find((each) => text.startsWith(SECRET_PREFIXES[each]))
  if (kind === undefined || !PATTERN.test(text.slice(SECRET_PREFIXES[kind].length)))
    return undefined
  const body = text.slice(0, -CHECKSUM_WIDTH)
  return text.endsWith(checksum(body)) ? kind : undefined
}

/** The only form in which a secret is kept or sent to the ledger. */
export function hashSecret(text: string): Uint8Array {
  return createHash('sha256').update(text).digest()
}

/** A number in base62 with leading zeros. */
export function base62(value: bigint, width: number): string {
  let digits = ''
  for (let rest = value; rest > 0n; rest /= 62n)
    digits = (ALPHABET[Number(rest % 62n)] ?? '') + digits
  return digits.padStart(width, '0')
}

/** Bytes as one big-endian number. */
export function toBigInt(bytes: Uint8Array): bigint {
  return bytes.reduce((value, byte) => value * 256n + BigInt(byte), 0n)
}

function checksum(body: string): string {
  return base62(BigInt(crc32(body)), CHECKSUM_WIDTH)
}
