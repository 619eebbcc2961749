import { describe, expect, it } from 'vitest'
import {
  availableIn,
  checkBooks,
  createBooks,
  enterTransfers,
  type Transfer,
  totalsOf,
} from '../../ledger/src/core/books.ts'
import {
  ACCOUNT_BOUNDS,
  AMOUNT_MAX,
  bookAccountKind,
  MOVE_RULES,
} from '../../ledger/src/core/chart.ts'

const PAID = 'customer:ada:paid'
const PROMO = 'customer:ada:promo'
const EARNED = 'provider:bob:maturing'

const deposit = (id: string, amount: bigint): Transfer => ({
  id,
  kind: 'deposit',
  debit: 'clearing:payments',
  credit: PAID,
  amount,
})
const hold = (id: string, amount: bigint, debit = PAID): Transfer => ({
  id,
  kind: 'hold',
  debit,
  credit: 'platform:settle',
  amount,
})
const capture = (id: string, pendingId: string, amount: bigint): Transfer => ({
  id,
  kind: 'capture',
  pendingId,
  amount,
})
const end = (id: string, kind: 'void' | 'expiry', pendingId: string): Transfer => ({
  id,
  kind,
  pendingId,
})
const pay = (id: string, amount: bigint): Transfer => ({
  id,
  kind: 'earning',
  debit: 'platform:settle',
  credit: EARNED,
  amount,
})
const fee = (id: string, amount: bigint): Transfer => ({
  id,
  kind: 'fee',
  debit: 'platform:settle',
  credit: 'platform:fees',
  amount,
})

/** Each row: groups entered in order, what the last one is answered, and what ada has and holds afterwards. */
const CASES: {
  name: string
  groups: Transfer[][]
  answer: string
  available: bigint
  held: bigint
}[] = [
  {
    name: 'a deposit is there',
    groups: [[deposit('d', 100n)]],
    answer: 'ok',
    available: 100n,
    held: 0n,
  },
  {
    name: 'the same deposit again counts once',
    groups: [[deposit('d', 100n)], [deposit('d', 100n)]],
    answer: 'ok',
    available: 100n,
    held: 0n,
  },
  {
    name: 'the same id with another amount is refused',
    groups: [[deposit('d', 100n)], [deposit('d', 101n)]],
    answer: 'conflict',
    available: 100n,
    held: 0n,
  },
  {
    name: 'a repeat inside a new group is refused',
    groups: [[deposit('d', 100n)], [deposit('d', 100n), hold('h', 1n)]],
    answer: 'conflict',
    available: 100n,
    held: 0n,
  },
  {
    name: 'a hold reserves',
    groups: [[deposit('d', 100n)], [hold('h', 60n)]],
    answer: 'ok',
    available: 40n,
    held: 60n,
  },
  {
    name: 'a hold takes the last nano-USD',
    groups: [[deposit('d', 100n)], [hold('h', 100n)]],
    answer: 'ok',
    available: 0n,
    held: 100n,
  },
  {
    name: 'a hold of one more is refused',
    groups: [[deposit('d', 100n)], [hold('h', 101n)]],
    answer: 'insufficient_credit',
    available: 100n,
    held: 0n,
  },
  {
    name: 'a second hold sees the first',
    groups: [[deposit('d', 100n)], [hold('h', 60n)], [hold('i', 41n)]],
    answer: 'insufficient_credit',
    available: 40n,
    held: 60n,
  },
  {
    name: 'a capture takes a part and frees the rest',
    groups: [
      [deposit('d', 100n)],
      [hold('h', 60n)],
      [capture('c', 'h', 25n), pay('p', 20n), fee('f', 5n)],
    ],
    answer: 'ok',
    available: 75n,
    held: 0n,
  },
  {
    name: 'a capture above the hold is refused',
    groups: [[deposit('d', 100n)], [hold('h', 60n)], [capture('c', 'h', 61n), pay('p', 61n)]],
    answer: 'invalid_request',
    available: 40n,
    held: 60n,
  },
  {
    name: 'a capture of nothing is refused',
    groups: [[deposit('d', 100n)], [hold('h', 60n)], [capture('c', 'h', 0n)]],
    answer: 'invalid_request',
    available: 40n,
    held: 60n,
  },
  {
    name: 'a void frees everything',
    groups: [[deposit('d', 100n)], [hold('h', 60n)], [end('v', 'void', 'h')]],
    answer: 'ok',
    available: 100n,
    held: 0n,
  },
  {
    name: 'a capture after a void is refused',
    groups: [
      [deposit('d', 100n)],
      [hold('h', 60n)],
      [end('v', 'void', 'h')],
      [capture('c', 'h', 1n), pay('p', 1n)],
    ],
    answer: 'hold_closed',
    available: 100n,
    held: 0n,
  },
  {
    name: 'an expiry after a capture is refused',
    groups: [
      [deposit('d', 100n)],
      [hold('h', 60n)],
      [capture('c', 'h', 1n), pay('p', 1n)],
      [end('e', 'expiry', 'h')],
    ],
    answer: 'hold_closed',
    available: 99n,
    held: 0n,
  },
  {
    name: 'two ends of one hold in one group are refused, both',
    groups: [
      [deposit('d', 100n)],
      [hold('h', 60n)],
      [end('v', 'void', 'h'), end('e', 'expiry', 'h')],
    ],
    answer: 'hold_closed',
    available: 40n,
    held: 60n,
  },
  {
    name: 'a deposit is not a reservation',
    groups: [[deposit('d', 100n)], [end('v', 'void', 'd')]],
    answer: 'not_found',
    available: 100n,
    held: 0n,
  },
  {
    name: 'an unknown reservation cannot be captured',
    groups: [[deposit('d', 100n)], [capture('c', 'h', 1n)]],
    answer: 'not_found',
    available: 100n,
    held: 0n,
  },
  {
    name: 'one bad transfer undoes its whole group',
    groups: [[deposit('d', 100n)], [hold('h', 60n), hold('i', 60n)]],
    answer: 'insufficient_credit',
    available: 100n,
    held: 0n,
  },
  {
    name: 'a group cannot use an id twice',
    groups: [[deposit('d', 100n)], [hold('h', 1n), hold('h', 1n)]],
    answer: 'conflict',
    available: 100n,
    held: 0n,
  },
  {
    name: 'nothing is no amount',
    groups: [[deposit('d', 100n)], [hold('h', 0n)]],
    answer: 'invalid_request',
    available: 100n,
    held: 0n,
  },
  {
    name: 'less than nothing is no amount',
    groups: [[deposit('d', 100n)], [deposit('e', -1n)]],
    answer: 'invalid_request',
    available: 100n,
    held: 0n,
  },
  {
    name: 'an amount beyond the bound is refused',
    groups: [[deposit('d', 100n)], [deposit('e', AMOUNT_MAX + 1n)]],
    answer: 'invalid_request',
    available: 100n,
    held: 0n,
  },
  {
    name: 'an account outside the chart is refused',
    groups: [[deposit('d', 100n)], [hold('h', 1n, 'customer:ada:savings')]],
    answer: 'invalid_request',
    available: 100n,
    held: 0n,
  },
  {
    name: 'a hold cannot draw on a provider',
    groups: [[deposit('d', 100n)], [hold('h', 1n, EARNED)]],
    answer: 'invalid_request',
    available: 100n,
    held: 0n,
  },
]

describe('enterTransfers()', () => {
  for (const { name, groups, answer, available, held } of CASES) {
    it(name, () => {
      const books = createBooks()
      let last = 'ok'
      for (const group of groups) last = enterTransfers(books, group)?.code ?? 'ok'
      expect({
        answer: last,
        available: availableIn(books, PAID),
        held: totalsOf(books, PAID).debitsPending,
        problems: checkBooks(books),
      }).toEqual({ answer, available, held, problems: [] })
    })
  }

  it('pays the provider and the fees to the nano-USD', () => {
    const books = createBooks()
    enterTransfers(books, [deposit('d', 100n)])
    enterTransfers(books, [hold('h', 60n)])
    enterTransfers(books, [capture('c', 'h', 25n), pay('p', 20n), fee('f', 5n)])
    expect(availableIn(books, EARNED)).toBe(20n)
    expect(totalsOf(books, 'platform:fees').creditsPosted).toBe(5n)
    expect(totalsOf(books, 'clearing:payments').debitsPosted).toBe(100n)
    expect(availableIn(books, 'platform:settle')).toBe(0n)
  })

  it('stops where a group would leave money in platform:settle', () => {
    const books = createBooks()
    enterTransfers(books, [deposit('d', 100n)])
    enterTransfers(books, [hold('h', 60n)])
    expect(() => enterTransfers(books, [capture('c', 'h', 25n), pay('p', 20n)])).toThrow(
      /platform:settle is zero/,
    )
    expect(totalsOf(books, PAID).debitsPending).toBe(60n)
  })

  it('keeps its own copy of what was entered', () => {
    const books = createBooks()
    const transfer = deposit('d', 100n)
    enterTransfers(books, [transfer])
    Object.assign(transfer, { amount: 1n })
    expect(enterTransfers(books, [transfer])?.code).toBe('conflict')
  })
})

describe('checkBooks()', () => {
  it('finds totals that do not add up', () => {
    const books = createBooks()
    enterTransfers(books, [deposit('d', 100n)])
    books.accounts.set(PAID, { ...totalsOf(books, PAID), creditsPosted: 99n })
    expect(checkBooks(books)).toEqual(['posted debits 100 differ from posted credits 99'])
  })

  it('finds an account below zero', () => {
    const books = createBooks()
    const zero = { debitsPosted: 0n, creditsPosted: 0n, debitsPending: 0n, creditsPending: 0n }
    books.accounts.set(PROMO, { ...zero, debitsPosted: 1n })
    books.accounts.set('platform:fees', { ...zero, creditsPosted: 1n })
    expect(checkBooks(books)).toEqual([`assertion failed: ${PROMO} is not below zero`])
  })
})

describe('the chart', () => {
  it('has no way from one customer to another', () => {
    for (const [kind, rule] of Object.entries(MOVE_RULES)) {
      const sides = [rule.debit, rule.credit].map((side) =>
        side.some((each) => each.startsWith('customer:')),
      )
      expect(sides, kind).not.toEqual([true, true])
    }
  })

  it('bounds everything that is owed to somebody', () => {
    for (const [kind, bound] of Object.entries(ACCOUNT_BOUNDS)) {
      const wanted = kind === 'customer:debt' ? 'owing' : 'covered'
      if (/^(customer|provider):/.test(kind)) expect(bound, kind).toBe(wanted)
    }
  })

  it.each([
    ['customer:ada:paid', 'customer:paid'],
    ['provider:bob:payable', 'provider:payable'],
    ['platform:fees', 'platform:fees'],
    ['customer:paid', undefined],
    ['customer::paid', undefined],
    ['platform:ada:fees', undefined],
    ['customer:a:b:paid', undefined],
    ['toString', undefined],
    ['', undefined],
  ])('reads the name %j as %j', (name, kind) => {
    expect(bookAccountKind(name)).toBe(kind)
  })
})
