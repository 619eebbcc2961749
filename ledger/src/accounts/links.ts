import { LexoraError } from '@lexora/protocol'
import { type Desk, hex } from '../desk.ts'
import type { Mailer } from '../mail/mailer.ts'
import type { Link, People, Person } from './person.ts'
import { hashSecret, makeSecret, SECRET_BYTES } from './secret.ts'

/** A mail is read within a day. */
const LINK_MS = 24 * 3_600_000
/** Links of one person that are good at once; the oldest goes. */
const LINKS_MAX = 5
/** Mails to one address in a day: nobody can be flooded through us. */
const MAILS_PER_DAY_MAX = 5
const DAY_MS = 86_400_000

/** Single-use links in mails. */
export interface Links {
  /** Adds a link and saves the person; nothing, and no token, where the address has had enough mail today. */
  add(person: Person, purpose: Link['purpose']): Promise<string | undefined>
  /** Sends a link. Never throws: the person can ask again, and an error would tell who has an account. */
  mail(email: string, purpose: Link['purpose'], token: string): Promise<void>
  /** The owner of a link that is good, without the link: saving it uses the link up. Throws `expired`. */
  owner(token: string, purpose: Link['purpose']): Promise<Person>
}

/** What links use. */
export interface LinksComponents {
  desk: Desk
  people: People
  mailer: Mailer
}

/** Makes {@link Links} that lead to a site. */
export function createLinks(
  { desk, people, mailer }: LinksComponents,
  { siteUrl }: { siteUrl: string },
): Links {
  const { clock, log } = desk
  return {
    async add(person, purpose) {
      const nowMs = clock()
      const mailedAtMs = person.mailedAtMs.filter((each) => Math.abs(nowMs - each) < DAY_MS)
      if (mailedAtMs.length >= MAILS_PER_DAY_MAX) return undefined
      const token = makeSecret('link', desk.random(SECRET_BYTES))
      const link = { hash: hex(hashSecret(token)), purpose, expiresAtMs: nowMs + LINK_MS }
      const links = [...person.links, link].slice(-LINKS_MAX)
      await people.save({ ...person, links, mailedAtMs: [...mailedAtMs, nowMs] })
      return token
    },
    async mail(to, purpose, token) {
      const what = purpose === 'verify' ? 'prove your mail address' : 'set your password'
      const subject = purpose === 'verify' ? 'Your Lexora account' : 'Your Lexora password'
      const text = `Open this link to ${what}:

${siteUrl}/${purpose}?token=${token}

It is good once, for 24 hours. If you did not ask for it, do nothing.
`
      try {
        await mailer.send({ to, subject, text })
      } catch (error) {
        log.error({ err: error }, 'a mail could not be sent')
      }
    },
    async owner(token, purpose) {
      const hash = hex(hashSecret(token))
      const person = await people.byToken(hash)
      const link = person?.links.find((each) => each.hash === hash && each.purpose === purpose)
      if (person === undefined || link === undefined || link.expiresAtMs <= clock()) {
        throw new LexoraError('expired', 'this link is too old or was used: ask for another one')
      }
      return { ...person, links: person.links.filter((each) => each.purpose !== purpose) }
    },
  }
}
