import { join } from 'node:path'
import { MeshError } from './mesh-error.ts'
import { type Notebook, type Notes, writeWhole } from './notebook.ts'

/** The free grant of the demo's developer: 5 US dollars in nano-USD. */
const GRANT_NANO_USD = '5000000000'
/** An enrolment token is used within seconds; an hour leaves room for a start that was interrupted. */
const ENROLMENT_MS = 60 * 60 * 1000
/** The network's fee in basis points of the cost: 10 %. */
const FEE_BASIS_POINTS = 1_000
/** US dollars per million tokens, in nano-USD: fresh input $0.05, cached input $0.01, output $0.20. */
const PRICE = {
  inputNanoUsd: '50000000',
  cachedInputNanoUsd: '10000000',
  outputNanoUsd: '200000000',
} as const

/** Runs a command of lexora-ledger and returns its data. */
export type Admin = (args: readonly string[]) => Promise<unknown>

/** What the accounts are set up with. */
export interface DemoOptions {
  home: string
  model: string
  /** Names of the processes. */
  gateways: readonly string[]
  providers: readonly string[]
}

/**
 * Prices, accounts, the demo's key and grant, and a token for every process that has none: what is noted is there
 * already. What an interrupted start has made and not noted is made again, and the first is left unused.
 */
export async function setUpAccounts(
  admin: Admin,
  notebook: Notebook,
  options: DemoOptions,
): Promise<void> {
  const { notes } = notebook
  // In parallel, since each command is a process that takes longer to load than to ask.
  await Promise.all([
    publishPrices(admin, notebook, options),
    openDeveloper(admin, notebook),
    enrolGateways(admin, notebook, options.gateways),
    ...options.providers.map((name) => enrolProvider(admin, notebook, name)),
  ])
  if (notes.developer === undefined) throw new MeshError('the demo has no developer account')
}

async function publishPrices(admin: Admin, book: Notebook, options: DemoOptions): Promise<void> {
  if (book.notes.prices === true) return
  const { version } = fields(await admin(['prices', 'show']))
  if (version === undefined || Number(version) === 0) {
    const file = join(options.home, 'prices.json')
    await writeWhole(file, {
      version: 1,
      effectiveAtMs: 0,
      feeBasisPoints: FEE_BASIS_POINTS,
      models: [{ model: options.model, ...PRICE }],
    })
    await admin(['prices', 'set', file])
  }
  book.notes.prices = true
  await book.save()
}

async function openDeveloper(admin: Admin, book: Notebook): Promise<void> {
  const { notes } = book
  if (notes.developer === undefined) {
    const accountId = await openAccount(admin, 'developer', 'demo')
    const key = fields(
      await admin(['key', 'create', accountId, '--name', 'demo', '--mode', 'test']),
    )
    notes.developer = { accountId, apiKey: text(key, 'key') }
    await book.save()
  }
  if (notes.developer.granted === true) return
  const { accountId } = notes.developer
  // The id makes it the same grant, however often it is asked for.
  await admin(['account', 'grant', accountId, GRANT_NANO_USD, '--id', `demo-grant-${accountId}`])
  notes.developer.granted = true
  await book.save()
}

async function enrolGateways(
  admin: Admin,
  book: Notebook,
  names: readonly string[],
): Promise<void> {
  const missing = names.filter((name) => !hasToken(book.notes, name))
  if (missing.length === 0) return
  if (book.notes.operatorAccountId === undefined) {
    book.notes.operatorAccountId = await openAccount(admin, 'operator', 'demo operator')
    await book.save()
  }
  const accountId = book.notes.operatorAccountId
  await Promise.all(
    missing.map((name) => makeToken(admin, book, { name, role: 'gateway', accountId })),
  )
}

async function enrolProvider(admin: Admin, book: Notebook, name: string): Promise<void> {
  if (hasToken(book.notes, name)) return
  const known = book.notes.enrolments[name]?.accountId
  const accountId = known ?? (await openAccount(admin, 'provider', name))
  await makeToken(admin, book, { name, role: 'provider', accountId })
}

/** A token that was used stays good for the peer that used it. */
function hasToken({ enrolments }: Notes, name: string): boolean {
  const enrolment = enrolments[name]
  return enrolment !== undefined && (enrolment.used === true || enrolment.expiresAtMs > Date.now())
}

async function makeToken(
  admin: Admin,
  book: Notebook,
  { name, role, accountId }: { name: string; role: 'gateway' | 'provider'; accountId: string },
): Promise<void> {
  const expiresAtMs = Date.now() + ENROLMENT_MS
  const answer = fields(await admin(['enrol', 'create', '--role', role, '--account', accountId]))
  book.notes.enrolments[name] = { token: text(answer, 'token'), expiresAtMs, accountId }
  await book.save()
}

async function openAccount(admin: Admin, kind: string, label: string): Promise<string> {
  const answer = fields(await admin(['account', 'create', '--kind', kind, '--label', label]))
  return text(answer, 'accountId')
}

function fields(answer: unknown): Record<string, unknown> {
  return typeof answer === 'object' && answer !== null ? (answer as Record<string, unknown>) : {}
}

function text(answer: Record<string, unknown>, field: string): string {
  const value = answer[field]
  if (typeof value === 'string') return value
  throw new MeshError(`lexora-ledger answered without ${field}`)
}
