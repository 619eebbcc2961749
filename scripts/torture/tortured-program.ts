/**
 * The process that is tortured: a ledger service on its real store, worked by lines of JSON `[id, operation, input]`
 * on stdin. Every answer carries the journal's head, as a witness outside the process.
 *
 *     node --import tsx tortured-program.ts <tree> <home> <seed>
 */
import { createHash } from 'node:crypto'
import { writeSync } from 'node:fs'
import { createInterface } from 'node:readline'
import type { LedgerService } from '../../ledger/src/service.ts'
import type { Store } from '../../ledger/src/store/store.ts'
import { seeded } from './random.ts'

type Input = Record<string, unknown>

const [tree = '', folder = '', seed = ''] = process.argv.slice(2)
// Imported by path, because the sources under torture may be a copy with a fault planted in it.
const load = <M>(file: string): Promise<M> => import(`${tree}/ledger/src/${file}`) as Promise<M>
const homes = await load<typeof import('../../ledger/src/home.ts')>('home.ts')
const services = await load<typeof import('../../ledger/src/service.ts')>('service.ts')
const shelves =
  await load<typeof import('../../ledger/src/store/snapshot-shelf.ts')>('store/snapshot-shelf.ts')
const scrubs = await load<typeof import('../../ledger/src/store/scrub.ts')>('store/scrub.ts')
const verifying = await load<typeof import('../../ledger/src/verify.ts')>('verify.ts')

/** Far more often than a real one, so that crashes fall into the taking of snapshots too. */
const SNAPSHOT_EVERY_ENTRIES = 150

/** Far more than one reading of a journal of a few hundred KB takes. */
const SCRUB_MS_MAX = 5_000

const random = seeded(seed)
const home = homes.ledgerHome(folder)
/** How far the ledger's clock runs ahead of the machine's; back to nothing at each start. */
let aheadMs = 0
const clock = (): number => Date.now() + aheadMs
const nothing = (): void => undefined

/** All that is left of the stdout once the process is killed is what was written at once. */
function say(value: unknown): void {
  const line = JSON.stringify(value, (_, each: unknown) =>
    typeof each === 'bigint' ? each.toString() : each,
  )
  process.stdout.write(`${line}\n`)
}

function refusalOf(error: unknown) {
  const facts = error instanceof Error && 'facts' in error ? (error.facts as Input) : {}
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unexpected'
  return { code, message: error instanceof Error ? error.message : String(error), facts }
}

function onFatal(error: unknown): void {
  // stdout may hold answers that are on their way, so the reason goes beside it; the exit is that of the command line.
  writeSync(2, `fatal ${error instanceof Error ? error.message : String(error)}\n`)
  process.exit(1)
}

/** As the ledger's own process does it: ends checked at the start, the rest as it is read, and snapshots. */
async function open(
  folder: string,
  onFatal: (error: unknown) => void,
): Promise<{ service: LedgerService; store: Store }> {
  const place = homes.ledgerHome(folder)
  const store = await homes.openHome(place, { check: 'ends' })
  const components = {
    store,
    snapshots: shelves.createSnapshotShelf(place.snapshots),
    clock,
    random: random.bytes,
    freeDiskBytes: () => 1024 ** 4,
    log: { info: nothing, warn: nothing, error: nothing },
  }
  try {
    const options = { onFatal, snapshotEveryEntries: SNAPSHOT_EVERY_ENTRIES }
    return { service: await services.createLedgerService(components, options), store }
  } catch (error) {
    await store.close()
    throw error
  }
}

/** Whether the journal still has an end that it had before. */
async function hasHead(store: Store, head: { nextSeq: number; hash: string }): Promise<boolean> {
  if (store.head().nextSeq < head.nextSeq) return false
  for await (const chunk of store.readFrom(head.nextSeq - 1)) {
    return chunk.firstSeq + chunk.count === head.nextSeq && chunk.hash === head.hash
  }
  return false
}

/** Digest of every byte of the journal. */
async function digestOf(store: Store): Promise<string> {
  const digest = createHash('sha256')
  for await (const chunk of store.readFrom(0)) digest.update(chunk.bytes)
  return digest.digest('hex')
}

const bytesOf = (value: unknown): Uint8Array => Buffer.from(String(value), 'hex')

function operations(service: LedgerService, store: Store) {
  type Of<Name extends keyof LedgerService> = LedgerService[Name] extends (
    request: infer Request,
    ...rest: never[]
  ) => unknown
    ? Request
    : never
  const credit = (input: Input) => ({ ...input, amount: BigInt(String(input['amount'])) })
  return {
    balance: (input: Input) => service.balance(String(input['accountId'])),
    setPrices: (input: Input) => {
      const models = (input['models'] as Record<string, string>[]).map((each) => ({
        model: String(each['model']),
        inputNanoUsd: BigInt(String(each['inputNanoUsd'])),
        cachedInputNanoUsd: BigInt(String(each['cachedInputNanoUsd'])),
        outputNanoUsd: BigInt(String(each['outputNanoUsd'])),
      }))
      return service.setPrices({ ...input, models } as Of<'setPrices'>)
    },
    createAccount: (input: Input) => service.createAccount(input as Of<'createAccount'>),
    createKey: (input: Input) => service.createKey(input as unknown as Of<'createKey'>),
    revokeKey: (input: Input) => service.revokeKey(String(input['keyId'])),
    keyInfo: (input: Input) => service.keyInfo(bytesOf(input['keyHash'])),
    createEnrolment: (input: Input) => service.createEnrolment(input as Of<'createEnrolment'>),
    enrol: (input: Input) => service.enrol(input as Of<'enrol'>),
    deposit: (input: Input) => service.deposit(credit(input) as Of<'deposit'>),
    grant: (input: Input) => service.grant(credit(input) as Of<'grant'>),
    authorise: (input: Input) => {
      const ids = {
        keyHash: bytesOf(input['keyHash']),
        requestId: bytesOf(input['requestId']),
      }
      return service.authorise({ ...input, ...ids } as Of<'authorise'>)
    },
    settle: (input: Input) =>
      service.settle({ ...input, receipt: bytesOf(input['receipt']) } as Of<'settle'>),
    claim: (input: Input) =>
      service.claim({ ...input, receipt: bytesOf(input['receipt']) } as Of<'claim'>),
    voidHold: (input: Input) => service.voidHold(input as Of<'voidHold'>),
    /** Moves the clock and closes what has run out. */
    expire: (input: Input) => {
      aheadMs += Number(input['advanceMs'])
      return service.expireDue()
    },
    openHolds: () => service.openHolds(),
    verify: () => service.verify(),
    hasHead: (input: Input) =>
      hasHead(store, input as unknown as { nextSeq: number; hash: string }),
    digest: () => digestOf(store),
    /** Opens another folder, checks all of it and lets it go. */
    inspect: (input: Input) => inspect(String(input['folder'])),
    stop: () => service.stop(),
  }
}

/** Whether the reading in the background, which every ledger process does, finds what is wrong soon. */
async function scrubStops(store: Store): Promise<boolean> {
  const found = new Promise<boolean>((resolve) => {
    const scrub = scrubs.startScrub(store, { onDamage: () => resolve(true) })
    setTimeout(() => void scrub.stop().then(() => resolve(false)), SCRUB_MS_MAX)
  })
  return found
}

/** What a start on a folder would come to: refused, or opened with what the check of its books then says. */
async function inspect(folder: string): Promise<unknown> {
  try {
    const { service, store } = await open(folder, nothing)
    try {
      const { problems } = await verifying.verifyBooks(store)
      const isWhole = problems.length === 0
      const digest = isWhole ? await digestOf(store) : ''
      const isStopped = isWhole ? false : await scrubStops(store)
      return { opened: { problems, digest, isStopped, head: service.head() } }
    } finally {
      await store.close()
    }
  } catch (error) {
    return { refused: refusalOf(error) }
  }
}

try {
  await homes.initHome(home, { clock, random: random.bytes })
  const startMs = performance.now()
  const startCpu = process.cpuUsage()
  const { service, store } = await open(folder, onFatal)
  const openMs = performance.now() - startMs
  const { user, system } = process.cpuUsage(startCpu)
  const openCpuMs = (user + system) / 1_000
  const table: Record<string, (input: Input) => unknown> = operations(service, store)
  say(['ready', { openMs, openCpuMs, head: service.head() }])
  const lines = createInterface({ input: process.stdin })
  for await (const line of lines) {
    const [id, operation, input] = JSON.parse(line) as [number, string, Input]
    if (operation === 'stop') lines.close()
    Promise.resolve()
      .then(() => table[operation]?.(input))
      .then(
        (answer) => say([id, { ok: true, answer, head: service.head() }]),
        (error: unknown) => say([id, { ok: false, ...refusalOf(error) }]),
      )
  }
  process.stdin.destroy()
} catch (error) {
  say(['refused', refusalOf(error)])
  // What LevelDB leaves open would keep the process.
  process.exit(9)
}
