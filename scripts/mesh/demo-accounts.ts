import { join } from 'node:path'
import { MeshError } from './mesh-error.ts'
import { type Notebook, type Notes, writeWhole } from './notebook.ts'

/** The free grant of the demo's developer, in US dollars. */
const GRANT_USD = '5.00'
/** An enrolment token is used within seconds; an hour leaves room for a start that was interrupted. */
const ENROLMENT = { text: '1h', ms: 60 * 60 * 1000 } as const
/** The network's fee in basis points of the cost: 10 %. */
const FEE_BASIS_POINTS = 1_000
/** US dollars per million tokens. */
const PRICE = { inputUsd: '0.05', cachedInputUsd: '0.01', outputUsd: '0.20' } as const

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
 * Prices, the demo's account with key and grant, and a token for every process that has none: what is noted is there
 * already. What an interrupted start has made and not noted is made again, and the first is left unused.
 */
export async function setUpAccounts(
  admin: Admin,
  book: Notebook,
  options: DemoOptions,
): Promise<void> {
  const { gateways, providers } = options
  // In parallel, since each command is a process that takes longer to load than to ask.
  await Promise.all([
    publishPrices(admin, book, options),
    openDeveloper(admin, book),
    ...gateways.map((name) => makeToken(admin, book, { name, role: 'gateway' })),
    ...providers.map((name) => makeToken(admin, book, { name, role: 'provider' })),
  ])
}

async function publishPrices(admin: Admin, book: Notebook, options: DemoOptions): Promise<void> {
  if (book.notes.prices === true) return
  const file = join(options.home, 'prices.json')
  await writeWhole(file, {
    feeBasisPoints: FEE_BASIS_POINTS,
    models: [{ model: options.model, ...PRICE }],
  })
  await admin(['prices', 'set', file])
  book.notes.prices = true
  await book.save()
}

async function openDeveloper(admin: Admin, book: Notebook): Promise<void> {
  const { notes } = book
  if (notes.developer === undefined) {
    const account = await admin(['account', 'create', '--kind', 'developer', '--label', 'demo'])
    const accountId = text(account, 'accountId')
    const key = await admin(['key', 'create', accountId, '--name', 'demo', '--test'])
    notes.developer = { accountId, apiKey: text(key, 'text') }
    await book.save()
  }
  if (notes.developer.granted === true) return
  const { accountId } = notes.developer
  // The id makes it the same grant, however often it is asked for.
  await admin(['account', 'grant', accountId, GRANT_USD, '--id', `demo-${accountId}`])
  notes.developer.granted = true
  await book.save()
}

async function makeToken(
  admin: Admin,
  book: Notebook,
  { name, role }: { name: string; role: 'gateway' | 'provider' },
): Promise<void> {
  if (hasToken(book.notes, name)) return
  const expiresAtMs = Date.now() + ENROLMENT.ms
  const answer = await admin(['enrol', 'create', '--role', role, '--expires', ENROLMENT.text])
  book.notes.enrolments[name] = { token: text(answer, 'token'), expiresAtMs }
  await book.save()
}

/** A token that was used stays good for the peer that used it. */
function hasToken({ enrolments }: Notes, name: string): boolean {
  const enrolment = enrolments[name]
  return enrolment !== undefined && (enrolment.used === true || enrolment.expiresAtMs > Date.now())
}

function text(answer: unknown, field: string): string {
  const value = (answer as Record<string, unknown> | null)?.[field]
  if (typeof value === 'string') return value
  throw new MeshError(`lexora-ledger answered without ${field}`)
}
