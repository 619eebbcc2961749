import { LexoraError } from '@lexora/protocol'
import type { PeopleStore } from './people-store.ts'

/** A single-use link in a mail. */
export interface Link {
  /** SHA-256 of its token, lower-case hex. */
  hash: string
  purpose: 'verify' | 'reset'
  expiresAtMs: number
}

/** A log-in that goes on. */
export interface Session {
  sessionId: string
  /** SHA-256 of its token, lower-case hex. */
  hash: string
  /** What it was opened with, e.g. a browser's name. */
  label: string
  createdAtMs: number
  expiresAtMs: number
}

/** What the ledger knows of a person beside the account. Can be deleted. */
export interface Person {
  accountId: string
  email: string
  /** The form that is unique. */
  emailNormal: string
  /** ISO 3166 code of two letters; empty for operators. */
  country: string
  /** Argon2id; absent until a password was set. */
  passwordHash?: string
  links: Link[]
  sessions: Session[]
  /** Log-ins tried since the last one that was right, and when the last was tried. */
  failures: number
  triedAtMs: number
  /** When mails were sent lately. */
  mailedAtMs: number[]
}

/** Changes that wait for each other; beyond it people are asked to come back: some seconds of work. */
const WAITING_MAX = 1_000

/** The records of people, with what finds them. */
export interface People {
  byId(accountId: string): Promise<Person | undefined>
  /** By the normal form of an address. */
  byEmail(emailNormal: string): Promise<Person | undefined>
  /** By the hash of a session's or a link's token. */
  byToken(hash: string): Promise<Person | undefined>
  /** Writes a person with everything that finds them. */
  save(person: Person): Promise<void>
  /** Deletes a person with everything that finds them. Again is harmless. */
  erase(accountId: string): Promise<void>
  /** Runs work that reads and then writes; one after another. Throws `rate_limited` where too many wait. */
  inTurn<T>(work: () => Promise<T>): Promise<T>
}

/** Keeps people in a store. */
export function createPeople({ store }: { store: PeopleStore }): People {
  let last: Promise<unknown> = Promise.resolve()
  let waiting = 0

  const byId = async (accountId: string): Promise<Person | undefined> =>
    (await store.get(`person/${accountId}`)) as Person | undefined

  async function byIndex(key: string): Promise<Person | undefined> {
    const accountId = (await store.get(key)) as string | undefined
    return accountId === undefined ? undefined : byId(accountId)
  }

  return {
    byId,
    byEmail: (emailNormal) => byIndex(`email/${emailNormal}`),
    byToken: (hash) => byIndex(`token/${hash}`),
    async save(person) {
      const before = await byId(person.accountId)
      const kept = new Set(indexOf(person))
      const put: Record<string, unknown> = { [`person/${person.accountId}`]: person }
      for (const key of kept) put[key] = person.accountId
      const gone = before === undefined ? [] : indexOf(before).filter((key) => !kept.has(key))
      await store.write({ put, delete: gone })
    },
    async erase(accountId) {
      const before = await byId(accountId)
      if (before === undefined) return
      await store.write({ delete: [`person/${accountId}`, ...indexOf(before)] })
    },
    async inTurn(work) {
      if (waiting >= WAITING_MAX) {
        throw new LexoraError('rate_limited', 'too many people at once; try again soon')
      }
      waiting += 1
      const turn = last.then(work)
      last = turn.catch(() => {})
      try {
        return await turn
      } finally {
        waiting -= 1
      }
    },
  }
}

function indexOf({ emailNormal, links, sessions }: Person): string[] {
  const tokens = [...links, ...sessions].map(({ hash }) => `token/${hash}`)
  return [`email/${emailNormal}`, ...tokens]
}
