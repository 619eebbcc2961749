import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodeEntries, encodeEntries } from '../../ledger/src/core/codec.ts'
import type { Change, Entry } from '../../ledger/src/core/entry.ts'
import type { Hold, Settlement } from '../../ledger/src/core/records.ts'

const amount = fc.bigInt({ min: 0n, max: 2n ** 100n })
const text = fc.string({ unit: 'binary' })
const count = fc.nat()
const usage = fc.record({ promptTokens: count, cachedTokens: count, completionTokens: count })
const delivery = { provider: text, usage, finishReason: fc.constantFrom('stop', 'failed') }

const settlement = fc.record({
  ...delivery,
  cost: amount,
  fee: amount,
  providerShare: amount,
  providerAccountId: text,
  source: fc.constantFrom('gateway', 'claim'),
  signedByProvider: fc.boolean(),
  settledAtMs: count,
}) as fc.Arbitrary<Settlement>

const hold = fc.record({
  holdId: text,
  requestId: text,
  accountId: text,
  keyId: text,
  gateway: text,
  model: text,
  priceVersion: count,
  promptTokensMax: count,
  maxTokens: count,
  ceiling: amount,
  parts: fc.array(
    fc.record({ transferId: text, source: fc.constantFrom('promo', 'paid'), amount }),
  ),
  placedAtMs: count,
  state: fc.constant('open'),
}) as fc.Arbitrary<Hold>

const move = fc.record({ id: text, kind: fc.constant('hold'), debit: text, credit: text, amount })
const capture = fc.record({ id: text, kind: fc.constant('capture'), pendingId: text, amount })
const model = fc.record({
  model: text,
  inputNanoUsd: amount,
  cachedInputNanoUsd: amount,
  outputNanoUsd: amount,
})

const change = fc.oneof(
  fc.record({ type: fc.constant('transfers'), transfers: fc.array(fc.oneof(move, capture)) }),
  fc.record({
    type: fc.constant('prices'),
    list: fc.record({
      version: count,
      effectiveAtMs: count,
      feeBasisPoints: count,
      models: fc.array(model),
    }),
  }),
  fc.record({ type: fc.constant('hold'), hold }),
  fc.record(
    {
      type: fc.constant('holdClosed'),
      holdId: text,
      state: fc.constant('captured'),
      settlement,
      receipt: text,
    },
    { requiredKeys: ['type', 'holdId', 'state'] },
  ),
  fc.record({
    type: fc.constant('key'),
    key: fc.record({ keyId: text, name: text, last4: fc.constant('1234') }),
  }),
  fc.record({
    type: fc.constant('keyChanged'),
    key: fc.record({
      keyId: text,
      limits: fc.record({ dayNanoUsd: amount, weekNanoUsd: amount, monthNanoUsd: amount }),
    }),
  }),
  fc.record({
    type: fc.constant('freeTierPolicy'),
    policy: fc.record({ dailyNanoUsd: amount, globalDailyNanoUsd: amount, models: fc.array(text) }),
  }),
  fc.record({ type: fc.constant('allowance'), accountId: text, day: count, amount }),
) as unknown as fc.Arbitrary<Change>

describe('the journal codec', () => {
  it('gives back every entry as it was', () => {
    const entries = fc.array(fc.record({ atMs: count, changes: fc.array(change) }))
    fc.assert(
      fc.property(count, entries, (firstSeq, list) => {
        const numbered: Entry[] = list.map((entry, index) => ({ seq: firstSeq + index, ...entry }))
        expect(decodeEntries(encodeEntries(numbered), firstSeq)).toEqual(numbered)
      }),
    )
  })

  it.each(['', '{}', '[1]', '[[1]]', '[["1",[]]]', '[[1,{}]]', 'nonsense'])(
    'refuses %j',
    (json) => {
      expect(() => decodeEntries(new TextEncoder().encode(json), 0)).toThrow()
    },
  )
})
