#!/usr/bin/env node
import '@lexora/protocol/polyfill'
import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { LexoraError } from '@lexora/protocol'
import { Command, CommanderError, Option } from 'commander'
import { type Logger, pino } from 'pino'
import type { OperationName, OperatorNote } from './admin/operations.ts'
import { addBackupCommands } from './cli/backup.ts'
import { type CommandTools, type Flags, type Row, suspension } from './cli/command-tools.ts'
import { addKeyCommands } from './cli/keys.ts'
import { addOfferCommands } from './cli/offers.ts'
import { addPayoutCommands } from './cli/payouts.ts'
import { addPeopleCommands } from './cli/people.ts'
import { type StartFlags, serve } from './cli/serve.ts'
import { readActor, readHome } from './config.ts'
import { ledgerHome } from './home.ts'
import { initLedger, operate, readLedgerId, verifyLedger } from './ledger.ts'
import { parseAmount, parseDuration, parsePriceFile } from './operator-input.ts'
import { EXIT_CODES, failureOf, priceTable, publicData, sheet, table } from './presentation.ts'

/** What a command prints: data for programs, text for people, a hint beside it. */
interface Result {
  data: unknown
  text: string
  /** Goes to stderr, so that stdout can be piped. */
  hint?: string
}

const { version } = JSON.parse(
  readFileSync(new URL('../package.json', import.meta.url), 'utf8'),
) as { version: string }

const program = new Command('lexora-ledger')
  .version(version)
  .description('Keeps the accounts, keys, members and money of a Lexora network.')
  .option('--home <dir>', 'the ledger’s folder (LEXORA_LEDGER_HOME; default ~/.lexora/ledger)')
  .option('--json', 'one line of JSON instead of text')
  .option('--reason <text>', 'why something is changed, for the audit log')
  .exitOverride()
  .configureOutput({ writeErr: (text) => wantsJson() || process.stderr.write(text) })
  .addHelpText(
    'after',
    `
Examples:
  lexora-ledger init
  lexora-ledger start
  lexora-ledger account create --kind developer --label ada
  lexora-ledger account grant acc_… 5.00
  lexora-ledger key create acc_… --name laptop

Exit codes: 0 done, 1 failed, 2 usage, 3 configuration, 8 in use by another process,
9 journal damaged or books out of balance, 75 try again later.`,
  )

const account = program.command('account').description('customers, providers and operators')
const key = program.command('key').description('API keys of developers')
const enrol = program.command('enrol').description('single-use tokens with which peers join')
const member = program.command('member').description('peers that have joined')
const prices = program.command('prices').description('what models cost')

program
  .command('init')
  .description('make a new ledger; leaves one that is there alone')
  .action(() =>
    run('init', async () => {
      const { ledgerId, created } = await initLedger(home())
      const hint = created ? 'made a new ledger' : 'there is a ledger here already'
      return { data: { ledgerId, created, home: home().directory }, text: ledgerId, hint }
    }),
  )

program
  .command('start')
  .description('run the ledger until Ctrl-C')
  .option('--listen <multiaddr>', 'where peers connect; repeatable', collect)
  .option('--announce <multiaddr>', 'what peers are told instead; repeatable', collect)
  .option('--lease <span>', 'how long a hold lives unrenewed, e.g. 60s (the default)')
  .option('--log-level <level>', 'debug, info, warn, error or silent')
  .action((flags: StartFlags) => guarded('start', () => serve(home(), flags)))

program
  .command('id')
  .description('the ledger’s peer id, for network files; makes its key where there is none')
  .action(() =>
    run('id', async () => {
      const peerId = await readLedgerId(home())
      return { data: { peerId }, text: peerId }
    }),
  )

program
  .command('verify')
  .description('add the whole journal up again from nothing; exit 9 where it does not balance')
  .action(verify)

addBackupCommands(program, {
  home,
  run,
  operate: (name, input) => operate({ home: home(), log: quietLog() }, name, input, note()),
})

account
  .command('create')
  .description('open an account; prints its id')
  .requiredOption('--label <text>', 'a name for people')
  .addOption(
    new Option('--kind <kind>').choices(['developer', 'provider', 'operator']).default('developer'),
  )
  .action((flags: Flags) =>
    ask('account.create', { kind: flags['kind'], label: flags['label'] }, (row: Row) => ({
      text: String(row['accountId']),
    })),
  )
account
  .command('list')
  .description('accounts with their balances')
  .option('--limit <count>', 'most lines, the newest are kept', '1000')
  .action((flags: Flags) =>
    askList('account.list', flags, [
      'accountId',
      'kind',
      'state',
      'label',
      'availableNanoUsd',
      'heldNanoUsd',
      'maturingNanoUsd',
      'createdAtMs',
    ]),
  )
for (const kind of ['grant', 'deposit'] as const) {
  account
    .command(`${kind} <account> <usd>`)
    .description(kind === 'grant' ? 'give promotional credit' : 'enter credit that was paid for')
    .option('--id <id>', 'makes a repeat of the same command harmless; default: a new one')
    .action((accountId: string, usd: string, flags: Flags) => {
      const id = flags['id'] ?? randomUUID()
      return ask(
        `account.${kind}`,
        async () => ({ accountId, amount: parseAmount(usd), id }),
        (row: Row) => ({
          text: sheet(row['balance'] as Row, ['promoNanoUsd', 'paidNanoUsd', 'availableNanoUsd']),
          hint: row['repeated'] === true ? `${id} was credited before` : `credited as ${id}`,
        }),
      )
    })
}
account
  .command('suspend <account>')
  .description('refuse new requests, keys and certificates of an account; needs --reason')
  .option('--for <span>', 'how long, e.g. 7d; default: until it is resumed')
  .action((accountId: string, flags: Flags) =>
    ask(
      'account.suspend',
      async () => suspension(accountId, flags, reason()),
      () => ({ text: 'suspended' }),
    ),
  )
account
  .command('resume <account>')
  .description('undo a suspension')
  .action((accountId: string) => ask('account.resume', { accountId }, () => ({ text: 'active' })))

const tools: CommandTools = { ask, askList, reason }
addKeyCommands(key, tools)
addPeopleCommands(program, account, tools)
addOfferCommands(program, prices, tools)
addPayoutCommands(program, tools)

enrol
  .command('create')
  .description('make a token; prints it, once')
  .addOption(
    new Option('--role <role>').choices(['provider', 'gateway', 'bootstrap']).makeOptionMandatory(),
  )
  .option('--account <id>', 'the account that earns or answers; default: a new one')
  .option('--expires <span>', 'how long the token is good, e.g. 24h', '7d')
  .action((flags: Flags) =>
    ask(
      'enrol.create',
      async () => ({
        role: flags['role'],
        ...(flags['account'] === undefined ? {} : { accountId: flags['account'] }),
        expiresAtMs: Date.now() + parseDuration(flags['expires'] ?? ''),
      }),
      (row: Row) => ({
        text: String(row['token']),
        hint: 'good for one peer; keep it now: it is not shown again',
      }),
    ),
  )
enrol
  .command('list')
  .description('tokens and who used them')
  .option('--limit <count>', 'most lines, the newest are kept', '1000')
  .action((flags: Flags) =>
    askList('enrol.list', flags, ['enrolmentId', 'role', 'accountId', 'expiresAtMs', 'usedBy']),
  )

member
  .command('list')
  .description('peers, revoked ones included')
  .option('--limit <count>', 'most lines, the newest are kept', '1000')
  .action((flags: Flags) =>
    askList('member.list', flags, ['peerId', 'role', 'accountId', 'serial', 'revokedAtMs']),
  )
member
  .command('revoke <peer-id>')
  .description('end a membership')
  .action((peerId: string) => ask('member.revoke', { peerId }, () => ({ text: 'revoked' })))

prices
  .command('show')
  .description('the list in force')
  .action(() => ask('prices.show', {}, priceTable))
prices
  .command('set <file>')
  .description('publish a price list: JSON in dollars per million tokens')
  .action(async (file: string) =>
    ask('prices.set', async () => parsePriceFile(await readText(file)), priceTable),
  )

/** Runs one operation and prints what it says. */
function ask<D>(
  name: OperationName,
  input: object | (() => Promise<object>),
  show: (data: D) => Omit<Result, 'data'>,
): Promise<void> {
  return run(name.replace('.', ' '), async () => {
    const given = typeof input === 'function' ? await (input as () => Promise<object>)() : input
    const data = (await operate({ home: home(), log: quietLog() }, name, given, note())) as D
    return { data, ...show(data) }
  })
}

function askList(name: OperationName, flags: Flags, columns: string[]): Promise<void> {
  const input = { limit: Number(flags['limit']) }
  return ask(name, input, (rows: Row[]) => ({ text: table(rows, columns) }))
}

function verify(): Promise<void> {
  return run('verify', async () => {
    const report = (await verifyLedger(home())) as Row & { problems: string[] }
    const { problems, ...rest } = report
    if (problems.length === 0) {
      return { data: report, text: sheet(rest, Object.keys(rest)), hint: 'ok: the books balance' }
    }
    if (!wantsJson()) process.stdout.write(`${sheet(rest, Object.keys(rest))}\n`)
    throw new LexoraError('internal', `the books do not balance: ${problems.join('; ')}`, {
      facts: { journalDamaged: true },
    })
  })
}

function collect(value: string, previous: string[] | undefined): string[] {
  return [...(previous ?? []), value]
}

async function run(name: string, work: () => Promise<Result>): Promise<void> {
  await guarded(name, async () => print(name, await work()))
}

/** Turns what goes wrong into one line and an exit code. */
async function guarded(name: string, work: () => Promise<void>): Promise<void> {
  try {
    await work()
  } catch (error) {
    const { exitCode, ...told } = failureOf(error, home().directory)
    process.exitCode = exitCode
    const line = { v: 1, ok: false, command: name, error: told }
    if (wantsJson()) process.stdout.write(`${JSON.stringify(line)}\n`)
    else process.stderr.write(`error ${told.code}: ${told.message} (${told.hint})\n`)
  }
}

function print(name: string, { data, text, hint }: Result): void {
  if (wantsJson()) {
    const line = { v: 1, ok: true, command: name, data: publicData(data) }
    process.stdout.write(`${JSON.stringify(line)}\n`)
    return
  }
  process.stdout.write(`${text}\n`)
  if (hint !== undefined) process.stderr.write(`${hint}\n`)
}

function wantsJson(): boolean {
  return program.opts<{ json?: boolean }>().json === true || process.argv.includes('--json')
}

/** Who asks and why, for the audit log. */
function note(): OperatorNote {
  return { actor: readActor(), reason: reason() ?? 'none given' }
}

function reason(): string | undefined {
  return program.opts<{ reason?: string }>().reason
}

function home(): ReturnType<typeof ledgerHome> {
  return ledgerHome(readHome(program.opts<{ home?: string }>().home))
}

function quietLog(): Logger {
  return pino({ name: 'lexora-ledger', level: 'warn' }, pino.destination({ dest: 2, sync: true }))
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (cause) {
    throw new LexoraError('invalid_request', `the file ${file} cannot be read`, { cause })
  }
}

try {
  await program.parseAsync()
} catch (error) {
  if (!(error instanceof CommanderError)) throw error
  // Help and version are no errors; commander has printed what was wrong with the rest.
  process.exitCode = error.exitCode === 0 ? 0 : EXIT_CODES.usage
  if (error.exitCode !== 0 && wantsJson()) {
    const told = { code: 'usage', message: error.message, hint: 'see --help', retryable: false }
    process.stdout.write(`${JSON.stringify({ v: 1, ok: false, error: told })}\n`)
  }
}
