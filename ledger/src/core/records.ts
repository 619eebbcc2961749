import type { FinishReason, MemberRole, NanoUsd, Usage } from '@lexora/protocol'

/** Who an account belongs to. Developers spend, providers earn, operators run gateways and bootstrap peers. */
export type AccountKind = 'developer' | 'provider' | 'operator'

/** Somebody whom the ledger knows. Money sits in book accounts that carry this id. */
export interface Account {
  accountId: string
  kind: AccountKind
  label: string
  state: 'active' | 'suspended'
  /** Why it is suspended. */
  reason?: string
  createdAtMs: number
}

/** An API key. The text itself is shown once and never stored. */
export interface ApiKey {
  keyId: string
  accountId: string
  /** SHA-256 of the key text, lower-case hex. */
  hash: string
  /** What people recognise a key by, e.g. `lx_live_` and `x9Qz`. */
  prefix: string
  last4: string
  name: string
  createdAtMs: number
  revokedAtMs?: number
}

/** Roles that a token can be made for; the ledger itself is nobody's member. */
export type EnrolmentRole = Exclude<MemberRole, 'ledger'>

/** A single-use token with which one peer joins. */
export interface Enrolment {
  enrolmentId: string
  /** SHA-256 of the token text, lower-case hex. */
  hash: string
  role: EnrolmentRole
  /** The account that earns or answers for the peer. */
  accountId: string
  createdAtMs: number
  expiresAtMs: number
  /** The peer that used it. */
  usedBy?: string
}

/** A peer that belongs to the network. */
export interface Member {
  peerId: string
  role: EnrolmentRole
  accountId: string
  /** Rises with every membership; all certificates of one membership carry it and a revocation names it. */
  serial: number
  enrolledAtMs: number
  revokedAtMs?: number
}

/** What a provider says, or a gateway settles, about one request. */
export interface Delivery {
  /** Peer id of the provider that did the work. */
  provider: string
  usage: Usage
  finishReason: FinishReason
}

/** How a hold was settled. */
export interface Settlement extends Delivery {
  cost: NanoUsd
  fee: NanoUsd
  providerShare: NanoUsd
  /** The account that earned. */
  providerAccountId: string
  /** Whose word it was: the gateway's, or the provider's own claim after the lease ran out. */
  source: 'gateway' | 'claim'
  /** Whether the receipt carries the provider's signature; a gateway settles alone when the provider died. */
  signedByProvider: boolean
  settledAtMs: number
}

/** A provider's own receipt, kept until its hold is closed. */
export interface Claim extends Delivery {
  /** Base64url. */
  receipt: string
  claimedAtMs: number
}

/** One pending transfer of a hold. */
export interface HoldPart {
  transferId: string
  source: 'promo' | 'paid'
  amount: NanoUsd
}

/** How a hold ended, or `open`. A hold whose work cost nothing is voided and still has its settlement. */
export type HoldState = 'open' | 'captured' | 'voided' | 'expired'

/** Money reserved for one request. */
export interface Hold {
  holdId: string
  /** Lower-case hex, made by the gateway; with the gateway's peer id the idempotency key. */
  requestId: string
  accountId: string
  keyId: string
  /** Peer id of the only gateway that may settle it. */
  gateway: string
  model: string
  priceVersion: number
  promptTokensMax: number
  maxTokens: number
  ceiling: NanoUsd
  parts: HoldPart[]
  placedAtMs: number
  state: HoldState
  claim?: Claim
  settlement?: Settlement
}

/** What one key has used, from its settlements. */
export interface KeyUsage {
  requests: number
  promptTokens: number
  completionTokens: number
  spentNanoUsd: NanoUsd
}
