import type { Change } from '../entry.ts'
import type { Account, Invite } from '../records.ts'
import { accept, type Decision, refuse } from '../refusal.ts'
import type { LedgerState } from '../state.ts'
import { openAccount } from './accounts.ts'

/** The statement "I am 18 or older" that a sign-up accepts. It has a version of its own, apart from the terms'. */
const ADULT_VERSION = 1
/** Most invites ever made. */
const INVITES_MAX = 200_000
/** Most signals of one sign-up. */
const SIGNALS_MAX = 4

/** Somebody signs up. Who it is stays outside the journal. */
export interface SignUpCommand {
  accountId: string
  kind: 'developer' | 'provider'
  label: string
  /** The two separate acceptances. */
  acceptsAdult: boolean
  acceptsTerms: number
  signals: string[]
  /** SHA-256 of an invite's text, lower-case hex; providers need one. */
  inviteHash?: string
}

/**
 * Opens an account for somebody who signed up. Steps: both acceptances; the invite, where the kind needs one; the
 * account with all of it in one entry, so that no invite is spent on nothing.
 */
export function signUp(
  state: LedgerState,
  command: SignUpCommand,
  nowMs: number,
): Decision<Account> {
  const version = state.terms.at(-1)?.version ?? 0
  if (!command.acceptsAdult) {
    return refuse('invalid_request', 'you must be 18 or older', { field: 'adult' })
  }
  if (command.acceptsTerms !== version) {
    return refuse('invalid_request', 'accept the terms in force', { field: 'terms', version })
  }
  if (command.signals.length > SIGNALS_MAX) return refuse('invalid_request', 'too many signals')
  const invited = command.kind === 'provider' ? openInvite(state, command, nowMs) : undefined
  if (invited !== undefined && 'ok' in invited) return invited
  const { accountId, kind, label, signals } = command
  const opened = openAccount(
    state,
    {
      accountId,
      kind,
      label,
      adult: { version: ADULT_VERSION, acceptedAtMs: nowMs },
      terms: { version, acceptedAtMs: nowMs },
      signals,
      ...(invited === undefined ? {} : { nodesMax: invited.nodesMax }),
    },
    nowMs,
  )
  if (!opened.ok || invited === undefined) return opened
  const { inviteId } = invited
  const used: Change = { type: 'inviteUsed', inviteId, accountId }
  return accept(opened.answer, [...opened.changes, used])
}

/** Makes an invite to open a provider account known. */
export function createInvite(
  state: LedgerState,
  command: Omit<Invite, 'createdAtMs' | 'usedBy'>,
  nowMs: number,
): Decision<Invite> {
  if (command.expiresAtMs <= nowMs) {
    return refuse('invalid_request', 'the invite would have expired already')
  }
  if (state.invites.size >= INVITES_MAX) {
    return refuse('conflict', 'the ledger has made as many invites as it can keep')
  }
  if (state.inviteIds.has(command.hash)) return refuse('conflict', 'this invite exists')
  const invite: Invite = { ...command, createdAtMs: nowMs }
  return accept(invite, [{ type: 'invite', invite }])
}

function openInvite(
  state: LedgerState,
  { inviteHash = '' }: SignUpCommand,
  nowMs: number,
): Invite | ReturnType<typeof refuse> {
  const invite = state.invites.get(state.inviteIds.get(inviteHash) ?? '')
  if (invite === undefined) return refuse('enrolment_refused', 'the invite is not known')
  if (invite.usedBy !== undefined) return refuse('enrolment_refused', 'the invite has been used')
  if (invite.expiresAtMs <= nowMs) return refuse('enrolment_refused', 'the invite has expired')
  return invite
}
