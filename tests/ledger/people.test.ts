import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { readEmail } from '../../ledger/src/accounts/email.ts'
import { createPasswords } from '../../ledger/src/accounts/passwords.ts'
import type { SignUpRequest } from '../../ledger/src/accounts/people-desk.ts'
import { signalsOf } from '../../ledger/src/accounts/signals.ts'
import { createMailer, type Letter } from '../../ledger/src/mail/mailer.ts'
import { createLedgerService } from '../../ledger/src/service.ts'
import { openLevelPeopleStore } from '../../ledger/src/store/level-people-store.ts'
import { createMemoryStore } from '../../ledger/src/store/memory-store.ts'
import type { Store } from '../../ledger/src/store/store.ts'
import { codeOf, openLedger, SILENT } from './fixture.ts'

const directories: string[] = []
afterEach(async () => {
  for (const directory of directories.splice(0)) await rm(directory, { recursive: true })
})

async function folder(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'lexora-people-'))
  directories.push(directory)
  return directory
}

const PASSWORD = 'correct horse battery'
const ADA: SignUpRequest = {
  email: 'Ada@Example.org',
  password: PASSWORD,
  country: 'GB',
  kind: 'developer',
  acceptsAdult: true,
  acceptsTerms: 1,
}

/** A ledger with people, terms of version 1, and a letter box. */
async function openOffice(directory?: string, journal: Store = createMemoryStore()) {
  const home = directory ?? (await folder())
  const { service: first, clock } = await openLedger({ store: journal })
  if (first.listTerms().length === 0) {
    await first.publishTerms({ version: 1, url: 'https://x.example/1', sha256: 'a'.repeat(64) })
  }
  const letters: Letter[] = []
  const store = await openLevelPeopleStore(join(home, 'people'), {
    dumpFile: join(home, 'people.jsonl'),
  })
  let count = 0
  const service = await createLedgerService({
    store: journal,
    clock: () => clock.nowMs,
    random: (length) => Buffer.alloc(length, (count += 1)),
    freeDiskBytes: () => 1024 ** 4,
    log: SILENT,
    people: {
      store,
      passwords: createPasswords(),
      mailer: { send: async (letter) => void letters.push(letter) },
      signalKey: new Uint8Array(32),
      siteUrl: 'https://lexora.example',
    },
  })
  const { people } = service
  if (people === undefined) throw new Error('this ledger keeps people')
  /** The token of the last letter to somebody. */
  const tokenFor = (email: string): string => {
    const text = letters.findLast((letter) => letter.to === email)?.text ?? ''
    return /token=(\S+)/.exec(text)?.[1] ?? ''
  }
  const join_ = async (request: Partial<SignUpRequest> = {}) => {
    const wanted = { ...ADA, ...request }
    await people.signUp(wanted)
    return people.verifyEmail(tokenFor(wanted.email))
  }
  const logIn = (email = ADA.email, password = PASSWORD) =>
    people.logIn({ email, password, label: 'test' })
  return { service, people, clock, letters, tokenFor, signUp: join_, logIn, store, home, journal }
}

describe('signing up', () => {
  it('needs both acceptances, and keeps them with version and time', async () => {
    const { people, signUp, clock, service } = await openOffice()
    expect(await codeOf(people.signUp({ ...ADA, acceptsAdult: false }))).toBe('invalid_request')
    expect(await codeOf(people.signUp({ ...ADA, acceptsTerms: 0 }))).toBe('invalid_request')
    expect(service.listAccounts()).toEqual([])
    const account = await signUp()
    expect(account).toMatchObject({
      kind: 'developer',
      adult: { version: 1, acceptedAtMs: clock.nowMs },
      terms: { version: 1, acceptedAtMs: clock.nowMs },
    })
    expect(await people.person(account.accountId)).toMatchObject({
      email: ADA.email,
      country: 'GB',
    })
  })

  it.each([
    ['a bad address', { email: 'ada' }],
    ['a short password', { password: 'short' }],
    ['a country of three letters', { country: 'GBR' }],
  ])('refuses %s', async (_name, bad) => {
    const { people } = await openOffice()
    expect(await codeOf(people.signUp({ ...ADA, ...bad }))).toBe('invalid_request')
  })

  it('opens one account for one mailbox and tells a stranger nothing', async () => {
    const { people, signUp, service, letters } = await openOffice()
    await signUp()
    await people.signUp({ ...ADA, email: 'a.d.a+two@EXAMPLE.org'.replaceAll('.d.', 'd') })
    expect(service.listAccounts()).toHaveLength(1)
    expect(letters.map((letter) => letter.to)).toEqual([ADA.email, ADA.email])
    expect(letters[1]?.text).toContain('/reset?token=')
  })

  it('opens one account however many ask at once', async () => {
    const { people, service } = await openOffice()
    await Promise.all(Array.from({ length: 6 }, () => people.signUp(ADA)))
    expect(service.listAccounts()).toHaveLength(1)
  })

  it('puts nothing of the person into the journal', async () => {
    const { journal, signUp } = await openOffice()
    await signUp({ address: '203.0.113.7', device: 'secret device' })
    for await (const chunk of journal.readFrom(0)) {
      const text = Buffer.from(chunk.bytes).toString('latin1').toLowerCase()
      for (const word of ['ada', 'example.org', '"gb"', '203.0.113', 'secret device', 'argon2']) {
        expect(text.includes(word), word).toBe(false)
      }
    }
  })

  it('opens provider accounts by an invite, once, with its number of nodes', async () => {
    const { service, people, signUp, clock } = await openOffice()
    const { text } = await service.createInvite({ expiresAtMs: clock.nowMs + 10, nodesMax: 1 })
    const bob = { kind: 'provider' as const, email: 'bob@example.org' }
    expect(await codeOf(people.signUp({ ...ADA, ...bob }))).toBe('enrolment_refused')
    const { accountId, nodesMax } = await signUp({ ...bob, invite: text })
    expect(nodesMax).toBe(1)
    expect(service.listInvites()[0]?.usedBy).toBe(accountId)
    const carl = { ...ADA, ...bob, email: 'carl@example.org' }
    expect(await codeOf(people.signUp({ ...carl, invite: text }))).toBe('enrolment_refused')
    const enrolment = { role: 'provider' as const, accountId, expiresAtMs: clock.nowMs + 10 }
    expect(await codeOf(service.createEnrolment(enrolment))).toBe('ok')
    expect(await codeOf(service.createEnrolment(enrolment))).toBe('conflict')
    const late = await service.createInvite({ expiresAtMs: clock.nowMs + 10, nodesMax: 1 })
    clock.nowMs += 10
    expect(await codeOf(people.signUp({ ...carl, invite: late.text }))).toBe('enrolment_refused')
    // The refused ones left their addresses free.
    expect(await codeOf(signUp({ email: 'carl@example.org' }))).toBe('ok')
  })
})

describe('links', () => {
  it('are good once, for a day', async () => {
    const { people, tokenFor, clock } = await openOffice()
    await people.signUp(ADA)
    const token = tokenFor(ADA.email)
    expect(await codeOf(people.resetPassword(token, PASSWORD))).toBe('expired')
    clock.nowMs += 24 * 3_600_000
    expect(await codeOf(people.verifyEmail(token))).toBe('expired')
    await people.requestReset(ADA.email)
    const reset = tokenFor(ADA.email)
    const both = [
      people.resetPassword(reset, 'another password'),
      people.resetPassword(reset, 'x'.repeat(20)),
    ]
    const codes = await Promise.all(both.map(codeOf))
    expect(codes.toSorted()).toEqual(['expired', 'ok'])
    expect(await codeOf(people.verifyEmail('lxm_made_up'))).toBe('expired')
  })

  it('are sent five times a day at most', async () => {
    const { people, letters, clock } = await openOffice()
    for (let count = 0; count < 8; count += 1) await people.requestReset(ADA.email)
    expect(letters).toHaveLength(0)
    await people.signUp(ADA)
    for (let count = 0; count < 8; count += 1) await people.requestReset(ADA.email)
    expect(letters).toHaveLength(5)
    clock.nowMs += 24 * 3_600_000
    await people.requestReset(ADA.email)
    expect(letters).toHaveLength(6)
  })
})

describe('logging in', () => {
  it('gives a session until it ends', async () => {
    const { people, signUp, logIn, clock } = await openOffice()
    const { accountId } = await signUp()
    const { token, sessionId } = await logIn(' ada+x@example.ORG ')
    expect(await people.session(token)).toMatchObject({ account: { accountId }, sessionId })
    const second = await logIn()
    expect(await people.listSessions(accountId)).toMatchObject([
      { sessionId: second.sessionId, label: 'test' },
      { sessionId },
    ])
    await people.endSession(accountId, sessionId)
    expect(await codeOf(people.session(token))).toBe('forbidden')
    clock.nowMs = second.expiresAtMs
    expect(await codeOf(people.session(second.token))).toBe('forbidden')
  })

  it('waits for the mail address to be proved', async () => {
    const { people, logIn } = await openOffice()
    await people.signUp(ADA)
    await expect(logIn()).rejects.toMatchObject({ facts: { reason: 'not_verified' } })
  })

  it('stops guesses after ten, side by side too, until the time has passed or a reset', async () => {
    const { people, signUp, logIn, clock, tokenFor } = await openOffice()
    await signUp()
    const guesses = Array.from({ length: 14 }, () => codeOf(logIn(ADA.email, 'wrong password')))
    const codes = await Promise.all(guesses)
    expect(codes.filter((code) => code === 'forbidden')).toHaveLength(10)
    expect(codes.filter((code) => code === 'rate_limited')).toHaveLength(4)
    expect(await codeOf(logIn())).toBe('rate_limited')
    clock.nowMs += 15 * 60_000
    expect(await codeOf(logIn())).toBe('ok')
    for (let count = 0; count < 10; count += 1) await codeOf(logIn(ADA.email, 'wrong password'))
    expect(await codeOf(logIn())).toBe('rate_limited')
    const { token } = await openSessionByReset()
    expect(await codeOf(people.session(token))).toBe('ok')

    async function openSessionByReset() {
      await people.requestReset(ADA.email)
      await people.resetPassword(tokenFor(ADA.email), 'a brand new password')
      return logIn(ADA.email, 'a brand new password')
    }
  })

  it('ends every session with a reset', async () => {
    const { people, signUp, logIn, tokenFor } = await openOffice()
    await signUp()
    const { token } = await logIn()
    await people.requestReset(ADA.email)
    await people.resetPassword(tokenFor(ADA.email), 'a brand new password')
    expect(await codeOf(people.session(token))).toBe('forbidden')
    expect(await codeOf(logIn())).toBe('forbidden')
  })

  it('asks for new terms, and makes no keys before', async () => {
    const { people, service, signUp, logIn } = await openOffice()
    const { accountId } = await signUp()
    await service.publishTerms({ version: 2, url: 'https://x.example/2', sha256: 'b'.repeat(64) })
    const { token, termsDue } = await logIn()
    expect(termsDue).toBe(2)
    const key = { accountId, name: 'laptop', mode: 'live' as const }
    expect(await codeOf(service.createKey(key))).toBe('forbidden')
    expect(await codeOf(people.acceptTerms(accountId, 1))).toBe('conflict')
    await people.acceptTerms(accountId, 2)
    expect(await people.session(token)).not.toHaveProperty('termsDue')
    expect(await codeOf(service.createKey(key))).toBe('ok')
  })

  it('lets operators set their password by a link', async () => {
    const { people, tokenFor, logIn } = await openOffice()
    await people.createOperator('op@example.org')
    await people.resetPassword(tokenFor('op@example.org'), PASSWORD)
    const { account } = await logIn('op@example.org')
    expect(account.kind).toBe('operator')
    expect(await codeOf(people.createOperator('op@example.org'))).toBe('conflict')
  })
})

describe('the records about people', () => {
  it('are there after a restart, and gone after they were erased', async () => {
    const office = await openOffice()
    const { accountId } = await office.signUp()
    const { token } = await office.logIn()
    await office.store.close()
    const again = await openOffice(office.home, office.journal)
    expect(await again.people.session(token)).toMatchObject({ account: { accountId } })
    await again.people.erasePerson(accountId)
    await again.people.erasePerson(accountId)
    expect(await codeOf(again.people.session(token))).toBe('forbidden')
    expect(await codeOf(again.people.person(accountId))).toBe('not_found')
    expect(await again.store.dump()).toBe('')
  })

  it('come back from a backup', async () => {
    const office = await openOffice()
    const { accountId } = await office.signUp()
    const elsewhere = await folder()
    await writeFile(join(elsewhere, 'people.jsonl'), await office.store.dump())
    const again = await openOffice(elsewhere, office.journal)
    expect(await again.people.person(accountId)).toMatchObject({ email: ADA.email })
    expect(await readdir(elsewhere)).toEqual(['people'])
  })

  it('are refused where a bit has changed', async () => {
    const directory = await folder()
    const dumpFile = join(directory, 'people.jsonl')
    const store = await openLevelPeopleStore(join(directory, 'people'), { dumpFile })
    await store.write({ put: { 'person/a': { email: 'ada@example.org' } } })
    const dump = await store.dump()
    await store.close()
    await writeFile(dumpFile, dump.replace('ada@', 'eve@'))
    const opened = openLevelPeopleStore(join(directory, 'other'), { dumpFile })
    await expect(opened).rejects.toThrow('not as it was written')
  })

  it('is free again after a crash between person and account', async () => {
    const { store, signUp } = await openOffice()
    await store.write({
      put: {
        'email/ada@example.org': 'acc_lost',
        'person/acc_lost': {
          accountId: 'acc_lost',
          emailNormal: 'ada@example.org',
          links: [],
          sessions: [],
        },
      },
    })
    expect(await codeOf(signUp())).toBe('ok')
  })
})

describe('mail', () => {
  it('becomes files where there is no mail server', async () => {
    const directory = await folder()
    const mailer = createMailer({ from: 'Lexora <x@example.org>', directory })
    await mailer.send({ to: 'ada@example.org', subject: 'Hello', text: 'https://a.example/b' })
    const [name = ''] = await readdir(directory)
    const text = await readFile(join(directory, name), 'utf8')
    expect(text).toContain('To: ada@example.org')
    expect(text).toContain('https://a.example/b')
  })
})

describe('one mailbox', () => {
  it.each([
    ['Ada.Lovelace@gmail.com', 'adalovelace@gmail.com'],
    ['a.d.a+shop@googlemail.com', 'ada@gmail.com'],
    ['ada+shop@example.org', 'ada@example.org'],
    ['a.d.a@example.org', 'a.d.a@example.org'],
    ['ADA@EXÄMPLE.org', 'ada@xn--exmple-cua.org'],
    ['+@example.org', '+@example.org'],
  ])('%s is %s', (address, normal) => {
    expect(readEmail(address).normal).toBe(normal)
  })

  it.each([
    '',
    '@',
    'ada',
    'ada@',
    '@x.org',
    'a b@x.org',
    'ada@x',
    'a\u0000b@x.org',
    `${'a'.repeat(250)}@x.org`,
  ])('is none: %s', (address) => {
    expect(() => readEmail(address)).toThrow()
  })
})

describe('signals', () => {
  const key = new Uint8Array(32).fill(7)
  it('are the same for one household and another without the key', () => {
    const a = signalsOf({ address: '2001:db8:1:2::1' }, key)
    expect(signalsOf({ address: '2001:0db8:0001:0002:ffff::9' }, key)).toEqual(a)
    expect(signalsOf({ address: '2001:db8:1:3::1' }, key)).not.toEqual(a)
    expect(signalsOf({ address: '2001:db8:1:2::1' }, new Uint8Array(32))).not.toEqual(a)
    const b = signalsOf({ address: '203.0.113.7', device: 'd' }, key)
    expect(signalsOf({ address: '::ffff:203.0.113.7', device: 'd' }, key)).toEqual(b)
    expect(b).toHaveLength(2)
    expect(signalsOf({}, key)).toEqual([])
  })
})
