import { describe, expect, it } from 'vitest'
import { hashSecret } from '../../ledger/src/accounts/secret.ts'
import type { LedgerService } from '../../ledger/src/service.ts'
import { codeOf, enrolProvider, openLedger, openShop, PRICES } from './fixture.ts'

const FAR_MS = 4_000_000_000_000

describe('accounts', () => {
  it('begin active and empty', async () => {
    const { service } = await openLedger()
    const account = await service.createAccount({ kind: 'developer', label: 'ada' })
    expect(account).toMatchObject({ kind: 'developer', label: 'ada', state: 'active' })
    expect(account.accountId).toMatch(/^acc_[0-9A-Za-z]{22}$/)
    expect(service.balance(account.accountId)).toEqual({
      freeNanoUsd: 0n,
      promoNanoUsd: 0n,
      paidNanoUsd: 0n,
      heldNanoUsd: 0n,
      availableNanoUsd: 0n,
    })
  })

  it.each(['', 'x'.repeat(129), 'a\nb', '\u0000'])('refuse the label %j', async (label) => {
    const { service } = await openLedger()
    const made = service.createAccount({ kind: 'developer', label })
    expect(await codeOf(made)).toBe('invalid_request')
  })

  it('take a grant and a deposit once per id', async () => {
    const { service, accountId } = await openShop()
    const grant = { accountId, amount: 500n, id: 'welcome' }
    expect(await service.grant(grant)).toMatchObject({ repeated: false })
    expect(await service.grant(grant)).toMatchObject({ repeated: true })
    expect(await service.deposit({ ...grant, amount: 70n })).toMatchObject({ repeated: false })
    expect(await codeOf(service.grant({ ...grant, amount: 501n }))).toBe('conflict')
    expect(service.balance(accountId)).toMatchObject({ promoNanoUsd: 500n, paidNanoUsd: 70n })
  })

  it('refuse an id that credited somebody else', async () => {
    const { service, accountId } = await openShop()
    const other = await service.createAccount({ kind: 'developer', label: 'eve' })
    await service.deposit({ accountId, amount: 5n, id: 'pay_1' })
    const stolen = service.deposit({ accountId: other.accountId, amount: 5n, id: 'pay_1' })
    expect(await codeOf(stolen)).toBe('conflict')
  })

  it.each([0n, -1n, 2n ** 63n])('refuse a credit of %d', async (amount) => {
    const { service, accountId } = await openShop()
    expect(await codeOf(service.grant({ accountId, amount, id: 'x' }))).toBe('invalid_request')
    expect(await codeOf(service.deposit({ accountId, amount, id: 'x' }))).toBe('invalid_request')
  })

  it('refuse credit for a provider or nobody', async () => {
    const { service, earnerId } = await openShop()
    const credit = { amount: 1n, id: 'x' }
    expect(await codeOf(service.grant({ ...credit, accountId: earnerId }))).toBe('invalid_request')
    expect(await codeOf(service.grant({ ...credit, accountId: 'acc_none' }))).toBe('not_found')
    expect(await codeOf(service.suspendAccount('acc_none', 'why'))).toBe('not_found')
  })

  it('are suspended with a reason and resumed without', async () => {
    const { service, accountId, keyHash } = await openShop()
    expect(await service.suspendAccount(accountId, 'abuse')).toMatchObject({
      state: 'suspended',
      reason: 'abuse',
    })
    expect(() => service.keyInfo(keyHash)).toThrow(/suspended/)
    const key = service.createKey({ accountId, name: 'more', mode: 'live' })
    expect(await codeOf(key)).toBe('account_suspended')
    const resumed = await service.resumeAccount(accountId)
    expect(resumed).not.toHaveProperty('reason')
    expect(service.keyInfo(keyHash).accountRef).toBe(accountId)
    expect(service.listAccounts().find((each) => each.accountId === accountId)).toEqual(resumed)
  })
})

describe('keys', () => {
  it('are shown once and kept as a hash', async () => {
    const { service, store, accountId, keyText } = await openShop()
    expect(keyText).toMatch(/^lx_live_[0-9A-Za-z]{49}$/)
    const [listed] = service.listKeys(accountId)
    expect(listed).toMatchObject({ prefix: 'lx_live_', last4: keyText.slice(-4), name: 'first' })
    expect(listed).not.toHaveProperty('hash')
    for await (const chunk of store.readFrom(0)) {
      expect(Buffer.from(chunk.bytes).includes(keyText)).toBe(false)
    }
  })

  it('are gone everywhere once revoked', async () => {
    const { service, key, keyHash } = await openShop()
    const notices: unknown[] = []
    const end = service.onRevocation((notice) => notices.push(notice))
    const revoked = await service.revokeKey(key.keyId)
    expect(revoked.revokedAtMs).toBeTypeOf('number')
    expect(notices).toEqual([{ keyHashes: [keyHash], serials: [] }])
    expect(await codeOf(Promise.resolve().then(() => service.keyInfo(keyHash)))).toBe(
      'api_key_revoked',
    )
    expect(service.revokedSince(0)).toEqual({ keyHashes: [keyHash], serials: [] })
    expect(await service.revokeKey(key.keyId)).toEqual(revoked)
    end()
    await service.revokeKey(key.keyId)
    expect(notices).toHaveLength(2)
  })

  it('that are unknown are invalid', async () => {
    const { service } = await openShop()
    const info = Promise.resolve().then(() => service.keyInfo(hashSecret('nonsense')))
    expect(await codeOf(info)).toBe('invalid_api_key')
    expect(await codeOf(service.revokeKey('key_none'))).toBe('not_found')
  })

  it('belong to developers', async () => {
    const { service, earnerId } = await openShop()
    const made = service.createKey({ accountId: earnerId, name: 'x', mode: 'live' })
    expect(await codeOf(made)).toBe('invalid_request')
  })
})

describe('members', () => {
  async function operator(service: LedgerService): Promise<string> {
    return (await service.createAccount({ kind: 'operator', label: 'ops' })).accountId
  }

  async function token(service: LedgerService, role: 'gateway' | 'bootstrap' = 'gateway') {
    const accountId = await operator(service)
    return (await service.createEnrolment({ role, accountId, expiresAtMs: FAR_MS })).token
  }

  it('join by a token that one peer may use, and repeat', async () => {
    const { service } = await openLedger()
    const text = await token(service)
    expect(text).toMatch(/^lxe_[0-9A-Za-z]{49}$/)
    const member = await service.enrol({ token: text, peerId: 'peer-a' })
    expect(member).toMatchObject({ peerId: 'peer-a', role: 'gateway', serial: 1 })
    expect(await service.enrol({ token: text, peerId: 'peer-a' })).toEqual(member)
    expect(await codeOf(service.enrol({ token: text, peerId: 'peer-b' }))).toBe('enrolment_refused')
    expect(service.member('peer-a')).toEqual(member)
    expect(service.listEnrolments()[0]).toMatchObject({ usedBy: 'peer-a' })
  })

  it('cannot pass with a token that another member used', async () => {
    const { service } = await openLedger()
    const [first, second] = [await token(service), await token(service)]
    await service.enrol({ token: first, peerId: 'peer-a' })
    await service.enrol({ token: second, peerId: 'peer-b' })
    expect(await codeOf(service.enrol({ token: first, peerId: 'peer-b' }))).toBe(
      'enrolment_refused',
    )
  })

  it('are one when peers race for one token', async () => {
    const { service } = await openLedger()
    const text = await token(service)
    const codes = await Promise.all(
      ['a', 'b', 'c'].map((peerId) => codeOf(service.enrol({ token: text, peerId }))),
    )
    expect(codes.sort()).toEqual(['enrolment_refused', 'enrolment_refused', 'ok'])
  })

  it('have rising serials', async () => {
    const { service } = await openLedger()
    const serials: number[] = []
    for (const peerId of ['a', 'b', 'c']) {
      serials.push((await service.enrol({ token: await token(service), peerId })).serial)
    }
    expect(serials).toEqual([1, 2, 3])
  })

  it('cannot join with a wrong or an expired token', async () => {
    const { service, clock } = await openLedger()
    const accountId = await operator(service)
    const { token: text } = await service.createEnrolment({
      role: 'gateway',
      accountId,
      expiresAtMs: clock.nowMs + 10,
    })
    clock.nowMs += 10
    expect(await codeOf(service.enrol({ token: text, peerId: 'a' }))).toBe('enrolment_refused')
    expect(await codeOf(service.enrol({ token: 'lxe_x', peerId: 'a' }))).toBe('enrolment_refused')
  })

  it('cannot join twice, but again after they were revoked', async () => {
    const { service } = await openLedger()
    const first = await token(service)
    await service.enrol({ token: first, peerId: 'a' })
    const second = await token(service)
    expect(await codeOf(service.enrol({ token: second, peerId: 'a' }))).toBe('enrolment_refused')
    const notices: unknown[] = []
    service.onRevocation((notice) => notices.push(notice))
    await service.revokeMember('a')
    expect(notices).toEqual([{ keyHashes: [], serials: [1] }])
    expect(() => service.member('a')).toThrow(/not a member/)
    expect(await codeOf(service.enrol({ token: first, peerId: 'a' }))).toBe('enrolment_refused')
    expect(await service.enrol({ token: second, peerId: 'a' })).toMatchObject({ serial: 2 })
    expect(service.revokedSince(0).serials).toEqual([1])
  })

  it('get no certificate while their account is suspended', async () => {
    const { service } = await openLedger()
    const accountId = await enrolProvider(service, 'prov')
    await service.suspendAccount(accountId, 'fraud')
    expect(() => service.member('prov')).toThrow(/suspended/)
    await service.resumeAccount(accountId)
    expect(service.member('prov').accountId).toBe(accountId)
  })

  it('get an account of their own where none is named', async () => {
    const { service } = await openLedger()
    const made = await service.createEnrolment({ role: 'gateway', expiresAtMs: FAR_MS })
    const { accountId } = made.enrolment
    expect(service.listAccounts()).toMatchObject([
      { accountId, kind: 'operator', label: 'gateway' },
    ])
    expect(await service.enrol({ token: made.token, peerId: 'a' })).toMatchObject({ accountId })
  })

  it('enrol into an account of their kind', async () => {
    const { service } = await openLedger()
    const accountId = await operator(service)
    const wrong = service.createEnrolment({ role: 'provider', accountId, expiresAtMs: FAR_MS })
    expect(await codeOf(wrong)).toBe('invalid_request')
    const late = service.createEnrolment({ role: 'gateway', accountId, expiresAtMs: 1 })
    expect(await codeOf(late)).toBe('invalid_request')
  })
})

describe('prices', () => {
  const [tiny] = PRICES.models
  const model = { model: 'm', inputNanoUsd: 2n, cachedInputNanoUsd: 1n, outputNanoUsd: 3n }

  it('sell nothing before the first list', async () => {
    const { service } = await openLedger()
    expect(service.prices()).toEqual({
      version: 0,
      effectiveAtMs: 0,
      feeBasisPoints: 0,
      models: [],
    })
  })

  it('come into force at their time, and listeners hear of it once', async () => {
    const { service, clock } = await openShop()
    const heard: number[] = []
    service.onPrices((list) => heard.push(list.version))
    const effectiveAtMs = clock.nowMs + 1_000
    await service.setPrices({ ...PRICES, version: 2, effectiveAtMs })
    expect(service.prices().version).toBe(1)
    expect(heard).toEqual([])
    clock.nowMs += 1_000
    expect(service.prices().version).toBe(2)
    service.announcePrices()
    service.announcePrices()
    expect(heard).toEqual([2])
    expect(service.listPrices().map((list) => list.version)).toEqual([1, 2])
  })

  it.each([
    ['a version that does not rise', { version: 1 }, 'conflict'],
    ['version 0', { version: 0 }, 'invalid_request'],
    ['a fee above everything', { feeBasisPoints: 10_001 }, 'invalid_request'],
    ['half a basis point', { feeBasisPoints: 0.5 }, 'invalid_request'],
    ['a negative fee', { feeBasisPoints: -1 }, 'invalid_request'],
    ['a negative price', { models: [{ ...model, outputNanoUsd: -1n }] }, 'invalid_request'],
    ['dear cached input', { models: [{ ...model, cachedInputNanoUsd: 3n }] }, 'invalid_request'],
    [
      'a price beyond reason',
      { models: [{ ...model, outputNanoUsd: 10n ** 16n }] },
      'invalid_request',
    ],
    ['a model twice', { models: [tiny, tiny] }, 'invalid_request'],
    ['a model without a name', { models: [{ ...model, model: '' }] }, 'invalid_request'],
    ['a time that is none', { effectiveAtMs: Number.NaN }, 'invalid_request'],
  ])('refuse %s', async (_, change, code) => {
    const { service } = await openShop()
    const list = { ...PRICES, version: 2, ...change } as typeof PRICES
    expect(await codeOf(service.setPrices(list))).toBe(code)
    expect(service.prices().version).toBe(1)
  })
})

describe('the service', () => {
  it('is the same after a restart', async () => {
    const { service, store, accountId, earnerId, keyHash } = await openShop({ promo: 9n, paid: 7n })
    const head = service.head()
    const again = await openLedger({ store })
    expect(again.service.ledgerId()).toBe(service.ledgerId())
    expect(again.service.head()).toEqual(head)
    expect(again.service.keyInfo(keyHash)).toEqual(service.keyInfo(keyHash))
    expect(again.service.balance(accountId)).toEqual(service.balance(accountId))
    expect(again.service.providerEarnings(earnerId)).toMatchObject({
      maturingNanoUsd: 0n,
      payableNanoUsd: 0n,
    })
    expect(again.service.listMembers()).toEqual(service.listMembers())
    expect(again.service.prices()).toEqual(PRICES)
  })

  it('refuses everything once stopped', async () => {
    const { service } = await openLedger()
    await service.stop()
    const late = service.createAccount({ kind: 'developer', label: 'late' })
    expect(await codeOf(late)).toBe('ledger_unavailable')
    await service.stop()
  })

  it('does not open a journal without a beginning', async () => {
    const { createMemoryStore } = await import('../../ledger/src/store/memory-store.ts')
    const { createLedgerService } = await import('../../ledger/src/service.ts')
    const nothing = { info: () => {}, warn: () => {}, error: () => {} }
    const opening = createLedgerService({
      store: createMemoryStore(),
      clock: () => 0,
      random: (length) => new Uint8Array(length),
      freeDiskBytes: () => 0,
      log: nothing,
    })
    await expect(opening).rejects.toThrow(/genesis/)
  })
})
