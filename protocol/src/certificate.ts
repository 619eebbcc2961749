import {
  CERTIFICATE_LIFETIME_MS,
  CLOCK_SKEW_MS,
  PEER_ID_LENGTH_MAX,
  RECORD_BYTES_MAX,
  SHORT_TEXT_LENGTH_MAX,
} from './constants.ts'
import { open, type Signer, seal } from './envelope.ts'
import { LexoraError } from './errors.ts'
import { count, text, timeMs, word } from './wire/check.ts'
import { type Codec, codec } from './wire/codec.ts'
import { MembershipCertificate as Generated } from './wire/generated/records.ts'

/** What a peer may do in the network. */
export const MEMBER_ROLES = ['provider', 'gateway', 'bootstrap', 'ledger'] as const
/** One of {@link MEMBER_ROLES}. */
export type MemberRole = (typeof MEMBER_ROLES)[number]

/** The ledger's word that a peer belongs to the network, in one role and for at most an hour. */
export interface MembershipCertificate {
  peerId: string
  role: MemberRole
  /** The account that earns or answers for this peer; opaque to other peers. */
  accountRef: string
  notBeforeMs: number
  notAfterMs: number
  /** Names the membership behind the certificate, so renewals keep it; revocations name it. */
  serial: number
}

/** Wire form of {@link MembershipCertificate}. */
export const certificateCodec: Codec<MembershipCertificate> = codec(Generated, {
  name: 'membership certificate',
  bytesMax: RECORD_BYTES_MAX,
  toWire: (value) => value,
  fromWire: (raw) => ({
    peerId: text(raw.peerId, 'peerId', PEER_ID_LENGTH_MAX),
    role: word(raw.role, 'role', MEMBER_ROLES),
    accountRef: text(raw.accountRef, 'accountRef', SHORT_TEXT_LENGTH_MAX, 0),
    notBeforeMs: timeMs(raw.notBeforeMs, 'notBeforeMs'),
    notAfterMs: timeMs(raw.notAfterMs, 'notAfterMs'),
    serial: count(raw.serial, 'serial', Number.MAX_SAFE_INTEGER),
  }),
})

/** Signs a certificate with the ledger's key. */
export function issueCertificate(ledger: Signer, certificate: MembershipCertificate): Uint8Array {
  return seal(ledger, 'lexora-certificate', certificateCodec.encode(certificate))
}

/** What a certificate is checked against. */
export interface CertificateCheck {
  /** The pinned peer id of the ledger, from the network's configuration. */
  ledgerPeerId: string
  /** Unix time in ms. */
  nowMs: number
  /** The peer that showed it; a certificate speaks for nobody else. */
  peerId?: string
  /** The role it must carry. */
  role?: MemberRole
}

/**
 * Reads and checks a certificate: signature by the pinned ledger, lifetime of at most an hour, in force now (give or
 * take the clock skew), and for the expected peer and role.
 * Throws `malformed`, `signature_invalid`, `expired` or `not_a_member`.
 */
export function checkCertificate(
  bytes: Uint8Array,
  check: CertificateCheck,
): MembershipCertificate {
  const { payload, signedBy } = open('lexora-certificate', bytes)
  if (signedBy !== check.ledgerPeerId) {
    throw new LexoraError('not_a_member', 'the certificate was not signed by this network’s ledger')
  }
  const certificate = certificateCodec.decode(payload)
  if (certificate.notAfterMs - certificate.notBeforeMs > CERTIFICATE_LIFETIME_MS + CLOCK_SKEW_MS) {
    throw new LexoraError('malformed', 'the certificate lives longer than certificates may')
  }
  if (
    check.nowMs > certificate.notAfterMs + CLOCK_SKEW_MS ||
    check.nowMs < certificate.notBeforeMs - CLOCK_SKEW_MS
  ) {
    throw new LexoraError('expired', 'the certificate is not in force at this time', {
      facts: {
        notBeforeMs: certificate.notBeforeMs,
        notAfterMs: certificate.notAfterMs,
        nowMs: check.nowMs,
      },
    })
  }
  if (check.peerId !== undefined && certificate.peerId !== check.peerId) {
    throw new LexoraError('not_a_member', 'the certificate belongs to another peer')
  }
  if (check.role !== undefined && certificate.role !== check.role) {
    throw new LexoraError(
      'not_a_member',
      `the certificate is for a ${certificate.role}, not a ${check.role}`,
    )
  }
  return certificate
}
