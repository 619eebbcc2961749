import { join } from 'node:path'
import { type Book, begin, createBook, deposit, reconcile, see } from './book.ts'
import {
  type Customer,
  LEASE_OVER_MS,
  openCustomers,
  openMarket,
  type Plan,
  planRequest,
} from './market.ts'
import type { Random } from './random.ts'
import { authorise, deliveryOf, type Request } from './request.ts'
import { must, startWorker, type Worker } from './tortured-process.ts'

/** What can happen to a hold, each of it once. */
const EVENTS = ['settle', 'claim', 'void', 'expire'] as const
type Event = (typeof EVENTS)[number]

/** Where a stream may be cut: after so many tokens. */
const DROP_POSITIONS = 200

/** What a run came to. */
export interface RaceCounts {
  /** Orders of the events, each with a hold of its own for each place of the crash. */
  holds: number
  crashes: number
  /** Streams that were cut at some token. */
  drops: number
}

/** What a run needs. */
export interface RaceOptions {
  tree: string
  folder: string
  random: Random
  /** Before which events the ledger is killed; default all, and after the last. */
  crashPoints?: readonly number[]
  log: (line: string) => void
}

/**
 * Every order of settlement, claim, release and expiry on one hold, with the ledger killed after none, one, … of
 * them: the first that ends the hold stands, exactly once. Then a stream cut at every one of 200 tokens: what was
 * delivered is billed, whoever is left to say so.
 */
export async function raceRun(options: RaceOptions): Promise<RaceCounts> {
  const counts = { holds: 0, crashes: 0, drops: 0 }
  const market = await openRaces(options)
  for (const crashAt of options.crashPoints ?? [0, 1, 2, 3, EVENTS.length]) {
    const random = options.random.fork(crashAt)
    for (const at of ['once', 'by one'] as const) {
      const holds = await runOrders(market, random.fork(at), {
        crashAt,
        isOneByOne: at === 'by one',
      })
      counts.holds += holds
      counts.crashes += 1
      options.log(`crash before event ${crashAt}, events ${at}: ${holds} holds`)
    }
  }
  counts.drops = await runDrops(market, options.random.fork('drops'))
  options.log(`streams cut at each of ${counts.drops} tokens`)
  market.worker.kill()
  await market.worker.ended
  return counts
}

interface Races {
  tree: string
  home: string
  worker: Worker
  book: Book
  customer: Customer
}

async function openRaces({ tree, folder }: RaceOptions): Promise<Races> {
  const home = join(folder, 'home')
  const worker = await startWorker({ tree, home, seed: 'races' })
  await openMarket(worker)
  const [customer] = await openCustomers(worker, 1)
  must(customer !== undefined, 'there must be a customer')
  const book = createBook()
  const credit = { id: 'start', accountId: customer.accountId, amount: 10n ** 12n }
  must(await deposit(book, worker, credit), 'a deposit must be taken')
  return { tree, home, worker, book, customer }
}

/** kill -9, and a new process on what is there. */
async function crash(races: Races): Promise<void> {
  races.worker.kill()
  await races.worker.ended
  see(races.book, races.worker.witness())
  const { tree, home } = races
  races.worker = await startWorker({ tree, home, seed: `races ${races.book.requests.length}` })
}

async function placeHold(races: Races, plan: Plan): Promise<Request> {
  const request = begin(races.book, races.customer, plan)
  must(await authorise(races.worker, request), 'a hold must be placed')
  must(request.holdId !== '', 'a hold must be placed')
  return request
}

/** All orders, a hold each. Expiry is one event for all holds, so orders are run in groups that share its place. */
async function runOrders(
  races: Races,
  random: Random,
  { crashAt, isOneByOne }: { crashAt: number; isOneByOne: boolean },
): Promise<number> {
  let count = 0
  for (let expiryAt = 0; expiryAt < EVENTS.length; expiryAt += 1) {
    const orders = permutations(EVENTS).filter((order) => order[expiryAt] === 'expire')
    const requests = await Promise.all(
      orders.map((_, index) =>
        placeHold(races, { ...planRequest(random.fork(`${expiryAt} ${index}`)), end: 'race' }),
      ),
    )
    for (let step = 0; step < EVENTS.length; step += 1) {
      if (step === crashAt) await crash(races)
      await runStep(races, requests, { events: orders.map((order) => order[step]), isOneByOne })
    }
    if (crashAt === EVENTS.length) await crash(races)
    for (const [index, request] of requests.entries()) judge(request, orders[index] ?? [])
    await reconcile(races.book, races.worker)
    count += requests.length
  }
  return count
}

async function runStep(
  races: Races,
  requests: readonly Request[],
  { events, isOneByOne }: { events: readonly (Event | undefined)[]; isOneByOne: boolean },
): Promise<void> {
  if (events[0] === 'expire') {
    await races.worker.demand('expire', { advanceMs: LEASE_OVER_MS })
    return
  }
  const acts = requests.map((request, index) => () => act(races.worker, request, events[index]))
  if (isOneByOne) for (const each of acts) await each()
  else await Promise.all(acts.map((each) => each()))
}

/** One event, said twice: the second time it must change nothing. */
async function act(worker: Worker, request: Request, event: Event | undefined): Promise<void> {
  const delivery = deliveryOf(request)
  const [operation, input] =
    event === 'settle'
      ? ['settle', delivery]
      : event === 'claim'
        ? ['claim', delivery]
        : ['voidHold', { holdId: request.holdId, gateway: request.plan.gateway }]
  const first = await worker.ask(operation, input)
  const again = await worker.ask(operation, input)
  must(first.kind !== 'lost' && again.kind !== 'lost', `${operation} must be answered`)
  must(first.kind === again.kind, `${operation} said twice must be answered alike`)
}

/** What an order must come to: the first event that ends the hold. A claim ends nothing, but expiry pays by it. */
function judge(request: Request, order: readonly Event[]): void {
  const ending = order.find((event) => event !== 'claim')
  const isClaimed = order.indexOf('claim') < order.indexOf('expire')
  if (ending === 'settle') request.state = 'settled'
  else if (ending === 'void') request.state = 'voided'
  else request.state = isClaimed ? 'settled' : 'expired'
}

async function runDrops(races: Races, random: Random): Promise<number> {
  for (let delivered = 0; delivered < DROP_POSITIONS; delivered += 1) {
    const promptTokensMax = 500
    const tokens = { promptTokens: 321, cachedTokens: 17, completionTokens: delivered }
    const plan: Plan = {
      ...planRequest(random.fork(delivered)),
      promptTokensMax,
      maxTokens: DROP_POSITIONS,
      tokens,
      end: 'settle',
    }
    const request = await placeHold(races, plan)
    await dropStream(races, request, delivered % 4)
    request.state = 'settled'
  }
  await races.worker.demand('expire', { advanceMs: LEASE_OVER_MS })
  must((await races.worker.demand('openHolds')) === 0, 'no hold must be left after its lease')
  await reconcile(races.book, races.worker)
  return DROP_POSITIONS
}

/** Who drops: the client, the provider (its last word is the gateway's count), the gateway, or the ledger. */
async function dropStream(races: Races, request: Request, who: number): Promise<void> {
  const delivery = deliveryOf(request)
  if (who === 0) await races.worker.demand('settle', { ...delivery, finishReason: 'cancelled' })
  else if (who === 1) await races.worker.demand('settle', { ...delivery, signedByProvider: false })
  else if (who === 2) await races.worker.demand('claim', delivery)
  else if (request.plan.tokens.completionTokens % 40 === 3) {
    const lost = races.worker.ask('settle', delivery)
    await crash(races)
    await lost
    await races.worker.demand('settle', delivery)
  } else await races.worker.demand('settle', delivery)
}

function permutations<T>(list: readonly T[]): T[][] {
  if (list.length === 0) return [[]]
  return list.flatMap((first, index) =>
    permutations(list.filter((_, other) => other !== index)).map((rest) => [first, ...rest]),
  )
}
