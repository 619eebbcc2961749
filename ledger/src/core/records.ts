import type { FinishReason, MemberRole, NanoUsd, PriceList, Usage } from '@lexora/protocol'

/** Who an account belongs to. Developers spend, providers earn, operators run gateways and bootstrap peers. */
export type AccountKind = 'developer' | 'provider' | 'operator'

/** Something that a person agreed to: which version of it, and when. */
export interface Acceptance {
  version: number
  acceptedAtMs: number
}

/** Somebody whom the ledger knows. Money sits in book accounts that carry this id. Nothing here names a person. */
export interface Account {
  accountId: string
  kind: AccountKind
  label: string
  /** `closed` is for good. */
  state: 'active' | 'suspended' | 'closed'
  /** Why it is suspended or closed. */
  reason?: string
  /** When a suspension ends by itself, Unix ms; absent: when an operator resumes it. */
  resumesAtMs?: number
  createdAtMs: number
  /** When the owner proved the mail address; never for accounts that operators opened. */
  verifiedAtMs?: number
  /** That the owner is 18 or older; with `terms`, only where somebody signed up. */
  adult?: Acceptance
  /** The latest terms that the owner accepted. */
  terms?: Acceptance
  /** What the sign-up came from, as keyed hashes: they count accounts and say nothing else. */
  signals?: string[]
  /** An operator's word on the free tier; absent: the rules decide. */
  freeTier?: 'allowed' | 'refused'
  /** Most members that a provider's account may have; absent: no limit. */
  nodesMax?: number
}

/** A version of the terms of service. Its text is published elsewhere; the hash says which text. */
export interface TermsVersion {
  version: number
  /** Where people read it. */
  url: string
  /** SHA-256 of the text, lower-case hex. */
  sha256: string
}

/** What a key may do. Absent: no limit beyond its account's balance. */
export interface KeyLimits {
  /** Most that is held and captured in a day, a week and a month (UTC). */
  dayNanoUsd?: NanoUsd
  weekNanoUsd?: NanoUsd
  monthNanoUsd?: NanoUsd
  /** The only models that it may use. */
  models?: string[]
  /** Kept here, enforced by gateways. */
  requestsPerMinute?: number
  tokensPerMinute?: number
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
  /** Good until then, Unix ms. */
  expiresAtMs?: number
  limits?: KeyLimits
  /** The first of the keys that this one continues: they share what its limits allow. */
  spendsAs?: string
  revokedAtMs?: number
}

/** A single-use invitation to open a provider account. */
export interface Invite {
  inviteId: string
  /** SHA-256 of the invite's text, lower-case hex. */
  hash: string
  createdAtMs: number
  expiresAtMs: number
  /** Most nodes that the account may enrol. */
  nodesMax: number
  /** The account that was opened with it. */
  usedBy?: string
}

/** What an operator asked for. Written before it is done, so that nothing is done without it. */
export interface Audit {
  /** Who, e.g. `cli:ada` or the account id of an operator. */
  actor: string
  operation: string
  /** What it was done to: an id. */
  target?: string
  reason: string
  /** Set where this says that the command just before by the same actor was refused, with why. */
  refused?: string
}

/** An {@link Audit} with its place in the journal. */
export interface AuditRecord extends Audit {
  seq: number
  notedAtMs: number
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
  source: 'free' | 'promo' | 'paid'
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

/** Prices that an operator prepares: a list without version and time. */
export type PriceDraft = Pick<PriceList, 'feeBasisPoints' | 'models'>
