import { LexoraError } from '@lexora/protocol'
import type { Account } from '../core/records.ts'
import { acceptTerms, openAccount, verifyAccount } from '../core/rules/accounts.ts'
import { type SignUpCommand, signUp } from '../core/rules/sign-up.ts'
import { checkText, type Desk, hex, newId } from '../desk.ts'
import type { Mailer } from '../mail/mailer.ts'
import { type Email, readEmail } from './email.ts'
import { createLinks, type Links } from './links.ts'
import { createLoginDesk, type LoginDesk } from './login-desk.ts'
import type { Passwords } from './passwords.ts'
import type { PeopleStore } from './people-store.ts'
import { createPeople, type People, type Person } from './person.ts'
import { hashSecret } from './secret.ts'
import { type Origin, signalsOf } from './signals.ts'

/** Somebody who wants an account. Of the origin only keyed hashes are kept. */
export interface SignUpRequest extends Origin {
  email: string
  password: string
  /** ISO 3166 code of two letters. */
  country: string
  kind: 'developer' | 'provider'
  /** The two acceptances, each given on its own. */
  acceptsAdult: boolean
  acceptsTerms: number
  /** Providers need one. */
  invite?: string
}

/** A person as an operator may see one. */
export type PersonSummary = Pick<Person, 'accountId' | 'email' | 'country'>

/** People and their log-ins. */
export interface PeopleDesk extends LoginDesk {
  /**
   * Opens an account and sends a link to the address. Says the same where the address has an account already, and
   * sends its owner a link to set the password. Throws `invalid_request`, `enrolment_refused` for a bad invite,
   * `rate_limited`.
   */
  signUp(request: SignUpRequest): Promise<void>
  /** Single use. Throws `expired` for a link that is not known, is too old or was used. */
  verifyEmail(token: string): Promise<Account>
  /** Sends a link with which the password can be set; nothing where nobody has the address. */
  requestReset(email: string): Promise<void>
  /** Sets the password, ends every session and lock. Single use. Throws `expired`, `invalid_request`. */
  resetPassword(token: string, password: string): Promise<void>
  /** Throws `conflict` for another version than the one in force. */
  acceptTerms(accountId: string, version: number): Promise<Account>
  /** Opens an operator's account and sends a link to set the password. Throws `conflict` for an address in use. */
  createOperator(email: string): Promise<Account>
  /** Throws `not_found`. */
  person(accountId: string): Promise<PersonSummary>
  /** Deletes all that names a person. Again is harmless. */
  erasePerson(accountId: string): Promise<void>
}

/** What people's accounts use. */
export interface PeopleDeskComponents {
  store: PeopleStore
  passwords: Passwords
  mailer: Mailer
  /** Keeps the hashes of addresses and devices from being guessed back. */
  signalKey: Uint8Array
}

/** Options of {@link createPeopleDesk}. */
export interface PeopleDeskOptions {
  /** Where links lead, e.g. `https://lexora.example`. */
  siteUrl: string
}

interface Parts extends PeopleDeskComponents {
  desk: Desk
  people: People
  links: Links
}

/** The part of the service that keeps people. */
export function createPeopleDesk(
  desk: Desk,
  components: PeopleDeskComponents,
  options: PeopleDeskOptions,
): PeopleDesk {
  const people = createPeople(components)
  const { mailer, passwords } = components
  const links = createLinks({ desk, people, mailer }, options)
  const parts: Parts = { ...components, desk, people, links }
  const { writer } = desk
  return {
    ...createLoginDesk({ desk, people, passwords }),
    signUp: (request) => openPerson(parts, request),
    verifyEmail: (token) =>
      people.inTurn(async () => {
        const person = await links.owner(token, 'verify')
        // First the journal: a link that was cut short here still works.
        const account = await writer.submit(verifyAccount, { accountId: person.accountId })
        await people.save(person)
        return account
      }),
    requestReset: (email) => requestReset(parts, readEmail(email)),
    resetPassword: (token, password) => resetPassword(parts, token, password),
    acceptTerms: (accountId, version) => writer.submit(acceptTerms, { accountId, version }),
    createOperator: (email) => openOperator(parts, readEmail(email)),
    async person(accountId) {
      const person = await people.byId(accountId)
      if (person === undefined) throw new LexoraError('not_found', 'nobody has this account')
      const { email, country } = person
      return { accountId, email, country }
    },
    async erasePerson(accountId) {
      checkText(accountId, 'accountId')
      await people.inTurn(() => people.erase(accountId))
    },
  }
}

/** Steps: what the request says; the hash, which takes long; whether the address is free; person, account, link. */
async function openPerson(parts: Parts, request: SignUpRequest): Promise<void> {
  const { desk, people, links, passwords, signalKey } = parts
  const email = readEmail(request.email)
  const { kind, country, acceptsAdult, acceptsTerms, invite } = request
  if (!/^[A-Z]{2}$/.test(country)) {
    throw new LexoraError('invalid_request', 'a country is two capital letters')
  }
  const passwordHash = await passwords.hash(request.password)
  const accountId = newId(desk, 'acc')
  const person = { ...newPerson(accountId, email), country, passwordHash }
  const command: SignUpCommand = {
    accountId,
    kind,
    label: kind,
    acceptsAdult,
    acceptsTerms,
    signals: signalsOf(request, signalKey),
    ...(invite === undefined ? {} : { inviteHash: hex(hashSecret(invite)) }),
  }
  const token = await people.inTurn(async () => {
    if ((await ownerOf(parts, email)) !== undefined) return 'taken'
    await saveWith(parts, person, () => desk.writer.submit(signUp, command))
    return links.add(person, 'verify')
  })
  if (token === 'taken') return requestReset(parts, email)
  desk.log.info({ accountId, kind }, 'signed up')
  if (token !== undefined) await links.mail(email.address, 'verify', token)
}

async function openOperator(parts: Parts, email: Email): Promise<Account> {
  const { desk, people, links } = parts
  const accountId = newId(desk, 'acc')
  const { account, token } = await people.inTurn(async () => {
    if ((await ownerOf(parts, email)) !== undefined) {
      throw new LexoraError('conflict', 'this mail address has an account')
    }
    const person = newPerson(accountId, email)
    const opened = { accountId, kind: 'operator' as const, label: 'operator' }
    const made = await saveWith(parts, person, () => desk.writer.submit(openAccount, opened))
    return { account: made, token: await links.add(person, 'reset') }
  })
  if (token !== undefined) await links.mail(email.address, 'reset', token)
  return account
}

/** The person first, so that no account is without one; taken back where the rules refuse the account. */
async function saveWith<T>({ people }: Parts, person: Person, enter: () => Promise<T>): Promise<T> {
  await people.save(person)
  try {
    return await enter()
  } catch (error) {
    await people.erase(person.accountId)
    throw error
  }
}

/** Who has an address. One that a crash left without its account is free again. */
async function ownerOf({ desk, people }: Parts, email: Email): Promise<Person | undefined> {
  const person = await people.byEmail(email.normal)
  if (person === undefined || desk.state.accounts.has(person.accountId)) return person
  await people.erase(person.accountId)
  return undefined
}

async function requestReset(parts: Parts, email: Email): Promise<void> {
  const { people, links } = parts
  const found = await people.inTurn(async () => {
    const person = await ownerOf(parts, email)
    if (person === undefined) return undefined
    return { address: person.email, token: await links.add(person, 'reset') }
  })
  if (found?.token !== undefined) await links.mail(found.address, 'reset', found.token)
}

async function resetPassword(parts: Parts, token: string, password: string): Promise<void> {
  const { desk, people, links, passwords } = parts
  // A hash is only made for somebody who has a link.
  await links.owner(token, 'reset')
  const passwordHash = await passwords.hash(password)
  await people.inTurn(async () => {
    const person = await links.owner(token, 'reset')
    const { accountId } = person
    // Whoever has read the mail has the address.
    await desk.writer.submit(verifyAccount, { accountId })
    await people.save({ ...person, passwordHash, sessions: [], failures: 0 })
    desk.log.info({ accountId }, 'password set')
  })
}

function newPerson(accountId: string, { address, normal }: Email): Person {
  return {
    accountId,
    email: address,
    emailNormal: normal,
    country: '',
    links: [],
    sessions: [],
    failures: 0,
    triedAtMs: 0,
    mailedAtMs: [],
  }
}
