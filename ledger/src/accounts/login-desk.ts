import { LexoraError } from '@lexora/protocol'
import type { Account } from '../core/records.ts'
import { termsDue } from '../core/rules/accounts.ts'
import { checkText, type Desk, hex, newId } from '../desk.ts'
import { readEmail } from './email.ts'
import type { Passwords } from './passwords.ts'
import type { People, Person, Session } from './person.ts'
import { hashSecret, makeSecret, SECRET_BYTES } from './secret.ts'

/** People log in again after this time; operators, who can do more, every working day. */
const SESSION_MS = 30 * 86_400_000
const OPERATOR_SESSION_MS = 12 * 3_600_000
/** Sessions of one person; the oldest goes. */
const SESSIONS_MAX = 20
/** Wrong passwords in a row after which an account takes no more of them for a while. */
const FAILURES_MAX = 10
const LOCKED_MS = 15 * 60_000

/** A session as its owner may see it. */
export type SessionSummary = Omit<Session, 'hash'>

/** Who has logged in. */
export interface LoggedIn {
  sessionId: string
  account: Account
  expiresAtMs: number
  /** The version of the terms that must be accepted before anything else. */
  termsDue?: number
}

/** Log-ins. */
export interface LoginDesk {
  /**
   * The token is in this answer and nowhere else. Throws `forbidden` (wrong address or password, not verified, closed)
   * and `rate_limited` after ten wrong passwords in a row, for fifteen minutes or until the password is reset.
   */
  logIn(request: {
    email: string
    password: string
    label: string
  }): Promise<LoggedIn & { token: string }>
  /** Throws `forbidden` for a session that is not known, is over, or was ended. */
  session(token: string): Promise<LoggedIn>
  /** Newest first. */
  listSessions(accountId: string): Promise<SessionSummary[]>
  /** Again is harmless. */
  endSession(accountId: string, sessionId: string): Promise<void>
  /** Ends all of an account's. */
  endSessions(accountId: string): Promise<void>
}

/** What log-ins use. */
export interface LoginComponents {
  desk: Desk
  people: People
  passwords: Passwords
}

/** The part that keeps log-ins. */
export function createLoginDesk(components: LoginComponents): LoginDesk {
  const { desk, people, passwords } = components
  const { state, clock } = desk

  function loggedIn(account: Account, { sessionId, expiresAtMs }: Session): LoggedIn {
    const version = termsDue(state, account)
    const due = version === undefined ? {} : { termsDue: version }
    return { sessionId, account, expiresAtMs, ...due }
  }

  function endWhere(accountId: string, isEnded: (session: Session) => boolean): Promise<void> {
    return people.inTurn(async () => {
      const person = await people.byId(accountId)
      if (person === undefined) return
      const sessions = person.sessions.filter((session) => !isEnded(session))
      if (sessions.length < person.sessions.length) await people.save({ ...person, sessions })
    })
  }

  return {
    async logIn({ email, password, label }) {
      checkText(label, 'label')
      const person = await countTry(components, readEmail(email).normal)
      const isRight = await passwords.isRight(password, person?.passwordHash)
      const account = state.accounts.get(person?.accountId ?? '')
      if (!isRight || account === undefined) throw wrong()
      if (account.verifiedAtMs === undefined) {
        const facts = { reason: 'not_verified' }
        throw new LexoraError('forbidden', 'open the link in the mail that we sent', { facts })
      }
      if (account.state === 'closed') throw new LexoraError('forbidden', 'the account is closed')
      const opened = { account, label, passwordHash: person?.passwordHash }
      const { token, session } = await openSession(components, opened)
      return { token, ...loggedIn(account, session) }
    },
    async session(token) {
      const hash = hex(hashSecret(token))
      const person = await people.byToken(hash)
      const session = person?.sessions.find((each) => each.hash === hash)
      const account = state.accounts.get(person?.accountId ?? '')
      if (session === undefined || account === undefined || account.state === 'closed') {
        throw new LexoraError('forbidden', 'log in first')
      }
      if (session.expiresAtMs <= clock()) throw new LexoraError('forbidden', 'log in again')
      return loggedIn(account, session)
    },
    async listSessions(accountId) {
      const sessions = (await people.byId(accountId))?.sessions ?? []
      const open = sessions.filter((session) => session.expiresAtMs > clock())
      return open.reverse().map(({ hash: _, ...session }) => session)
    },
    endSession: (accountId, sessionId) =>
      endWhere(accountId, (session) => session.sessionId === sessionId),
    endSessions: (accountId) => endWhere(accountId, () => true),
  }
}

/** Counts the try before it is looked at, so that guesses side by side cannot pass the limit. */
function countTry(
  { desk, people }: LoginComponents,
  emailNormal: string,
): Promise<Person | undefined> {
  return people.inTurn(async () => {
    const person = await people.byEmail(emailNormal)
    if (person === undefined) return undefined
    const nowMs = desk.clock()
    // A clock that was set back locks nobody for longer.
    const sinceMs = Math.abs(nowMs - person.triedAtMs)
    const failures = sinceMs >= LOCKED_MS ? 0 : person.failures
    if (failures >= FAILURES_MAX) {
      throw new LexoraError('rate_limited', 'too many wrong passwords; try again later', {
        facts: { retryAfterMs: LOCKED_MS - sinceMs },
      })
    }
    const { accountId } = person
    if (failures + 1 === FAILURES_MAX) desk.log.warn({ accountId }, 'log-in locked')
    const tried = { ...person, failures: failures + 1, triedAtMs: nowMs }
    await people.save(tried)
    return tried
  })
}

async function openSession(
  { desk, people }: LoginComponents,
  {
    account,
    label,
    passwordHash,
  }: { account: Account; label: string; passwordHash: string | undefined },
): Promise<{ token: string; session: Session }> {
  const token = makeSecret('session', desk.random(SECRET_BYTES))
  const nowMs = desk.clock()
  const session: Session = {
    sessionId: newId(desk, 'ses'),
    hash: hex(hashSecret(token)),
    label,
    createdAtMs: nowMs,
    expiresAtMs: nowMs + (account.kind === 'operator' ? OPERATOR_SESSION_MS : SESSION_MS),
  }
  await people.inTurn(async () => {
    const person = await people.byId(account.accountId)
    // The password may have been changed while it was checked.
    if (person === undefined || person.passwordHash !== passwordHash) throw wrong()
    const sessions = [...person.sessions.filter((each) => each.expiresAtMs > nowMs), session]
    await people.save({ ...person, failures: 0, sessions: sessions.slice(-SESSIONS_MAX) })
  })
  return { token, session }
}

function wrong(): LexoraError {
  return new LexoraError('forbidden', 'the mail address or the password is wrong')
}
