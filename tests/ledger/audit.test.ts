import { describe, expect, it } from 'vitest'
import { isLook, runOperation } from '../../ledger/src/admin/operations.ts'
import { createLedgerService } from '../../ledger/src/service.ts'
import { codeOf, countingRandom, openLedger, openShop, SILENT } from './fixture.ts'

const NOTE = { actor: 'cli:ada', reason: 'asked by mail' }

describe('the audit log', () => {
  it('has every change with who, what, to what and why, before it is done', async () => {
    const { service, clock, store } = await openShop()
    const before = service.head().nextSeq
    const input = { kind: 'developer', label: 'bob' }
    const made = (await runOperation(service, 'account.create', input, NOTE)) as {
      accountId: string
    }
    const { accountId } = made
    await runOperation(service, 'account.list', { limit: 5 }, NOTE)
    const grant = { accountId, amount: '5', id: 'one' }
    await runOperation(service, 'account.grant', grant, NOTE)
    expect(service.listAudits(10)).toEqual([
      {
        ...NOTE,
        operation: 'account.grant',
        target: accountId,
        seq: before + 2,
        notedAtMs: clock.nowMs,
      },
      { ...NOTE, operation: 'account.create', seq: before, notedAtMs: clock.nowMs },
    ])
    const again = await createLedgerService({
      store,
      clock: () => clock.nowMs,
      random: countingRandom(),
      freeDiskBytes: () => 1024 ** 4,
      log: SILENT,
    })
    expect(again.listAudits(10)).toEqual(service.listAudits(10))
  })

  it('says what was refused', async () => {
    const { service } = await openLedger()
    const input = { accountId: 'acc_none', reason: 'odd' }
    expect(await codeOf(runOperation(service, 'account.suspend', input, NOTE))).toBe('not_found')
    expect(await codeOf(runOperation(service, 'account.grant', { amount: 1 }, NOTE))).toBe(
      'invalid_request',
    )
    expect(service.listAudits(10).map(({ operation, refused }) => [operation, refused])).toEqual([
      ['account.grant', 'invalid_request'],
      ['account.grant', undefined],
      ['account.suspend', 'not_found'],
      ['account.suspend', undefined],
    ])
  })

  it('carries nothing out without a reason', async () => {
    const { service } = await openLedger()
    const input = { kind: 'developer', label: 'bob' }
    const asked = runOperation(service, 'account.create', input, { ...NOTE, reason: '' })
    expect(await codeOf(asked)).toBe('invalid_request')
    expect(service.listAudits(10)).toEqual([])
  })

  it.each([
    ['account.list', true],
    ['prices.draft.show', true],
    ['verify', true],
    ['account.grant', false],
    ['prices.draft', false],
    ['account.sessions.end', false],
  ])('%s is a mere look: %s', (name, expected) => {
    expect(isLook(name)).toBe(expected)
  })
})

describe('prices to come', () => {
  const draft = (inputNanoUsd: string) => ({
    feeBasisPoints: 100,
    models: [{ model: 'tiny', inputNanoUsd, cachedInputNanoUsd: '1', outputNanoUsd: '9' }],
  })

  it('go from draft to scheduled to live, with a notice of what changes', async () => {
    const { service, clock } = await openLedger()
    const run = (name: string, input: object) => runOperation(service, name, input, NOTE)
    await run('prices.set', draft('5'))
    await run('prices.draft', draft('7'))
    expect(await run('prices.draft.show', {})).toEqual(draft('7'))
    expect(await codeOf(run('prices.schedule', { effectiveAtMs: clock.nowMs }))).toBe(
      'invalid_request',
    )
    await run('prices.schedule', { effectiveAtMs: clock.nowMs + 10 })
    expect(await run('prices.draft.show', {})).toBe(null)
    expect(await run('prices.notices.list', {})).toEqual([
      {
        version: 2,
        effectiveAtMs: clock.nowMs + 10,
        changes: [{ model: 'tiny', price: 'inputNanoUsd', fromNanoUsd: '5', toNanoUsd: '7' }],
      },
    ])
    const heard: number[] = []
    service.onPrices(({ version }) => heard.push(version))
    service.announcePrices()
    clock.nowMs += 10
    service.announcePrices()
    expect(heard).toEqual([2])
    expect(service.listPrices().map(({ version, state }) => [version, state])).toEqual([
      [1, 'past'],
      [2, 'live'],
    ])
    expect(service.priceNotices()).toEqual([])
    expect(await codeOf(run('prices.cancel', { version: 2 }))).toBe('conflict')
    expect(await codeOf(run('prices.schedule', { effectiveAtMs: clock.nowMs + 1 }))).toBe(
      'not_found',
    )
  })

  it('are taken back before their time and never come into force', async () => {
    const { service, clock } = await openLedger()
    await service.draftPrices({ feeBasisPoints: 0, models: [] })
    const { version } = await service.schedulePrices(clock.nowMs + 10)
    await service.cancelPrices(version)
    await service.cancelPrices(version)
    clock.nowMs += 10
    expect(service.prices().version).toBe(0)
    expect(service.listPrices()).toMatchObject([{ version, state: 'cancelled' }])
    await service.draftPrices({ feeBasisPoints: 0, models: [] })
    expect((await service.schedulePrices(clock.nowMs + 1)).version).toBe(version + 1)
    expect(await codeOf(service.cancelPrices(9))).toBe('not_found')
  })
})
