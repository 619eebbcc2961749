import { readFile } from 'node:fs/promises'
import { LexoraError } from '@lexora/protocol'
import type { Command } from 'commander'
import { parseAmount, parsePriceFile } from '../operator-input.ts'
import { priceTable, sheet, table } from '../presentation.ts'
import { type CommandTools, type Flags, parseCount, type Row } from './command-tools.ts'

const LISTED = ['version', 'state', 'effectiveAtMs', 'feeBasisPoints']
const CHANGED = ['version', 'effectiveAtMs', 'model', 'price', 'fromNanoUsd', 'toNanoUsd']

/** Adds the commands on prices to come and on the free tier. */
export function addOfferCommands(program: Command, prices: Command, tools: CommandTools): void {
  addPriceCommands(prices, tools)
  addFreeTierCommands(program.command('free').description('the daily free allowance'), tools)
}

function addPriceCommands(prices: Command, { ask, askList }: CommandTools): void {
  prices
    .command('list')
    .description('every list that was published, and where it stands')
    .option('--limit <count>', 'most lines, the newest are kept', '1000')
    .action((flags: Flags) => askList('prices.list', flags, LISTED))
  prices
    .command('draft <file>')
    .description('keep a price list to be scheduled: JSON in dollars per million tokens')
    .action((file: string) =>
      ask(
        'prices.draft',
        async () => {
          const { feeBasisPoints, models } = parsePriceFile(await readText(file))
          return { feeBasisPoints, models }
        },
        () => ({ text: 'drafted' }),
      ),
    )
  prices
    .command('schedule')
    .description('publish the draft for a time to come')
    .requiredOption('--at <time>', 'when, e.g. 2027-01-01T00:00:00Z')
    .action((flags: Flags) =>
      ask(
        'prices.schedule',
        async () => ({ effectiveAtMs: parseTime(flags['at'] ?? '') }),
        (row: Row) => ({ text: priceTable(row).text, hint: `version ${String(row['version'])}` }),
      ),
    )
  prices
    .command('cancel <version>')
    .description('take a scheduled list back before its time')
    .action((version: string) =>
      ask(
        'prices.cancel',
        async () => ({ version: parseCount(version) }),
        () => ({
          text: 'cancelled',
        }),
      ),
    )
  prices
    .command('notices')
    .description('what the scheduled lists change')
    .action(() =>
      ask('prices.notices.list', {}, (rows: Row[]) => ({ text: table(changes(rows), CHANGED) })),
    )
}

function addFreeTierCommands(free: Command, { ask, askList }: CommandTools): void {
  free
    .command('show')
    .description('the policy in force and what was given today')
    .action(() =>
      ask('free.show', {}, (row: Row) => ({
        text: sheet({ ...(row['policy'] as Row | undefined), ...row }, [
          'dailyNanoUsd',
          'globalDailyNanoUsd',
          'accountsPerSignalMax',
          'models',
          'givenNanoUsd',
        ]),
      })),
    )
  free
    .command('set')
    .description('put a policy into force; 0 a day turns the free tier off')
    .requiredOption('--daily <usd>', 'for each verified account')
    .requiredOption('--all <usd>', 'for all accounts together, a day')
    .requiredOption('--models <ids>', 'the models that it pays for, with commas between')
    .option('--per-device <count>', 'accounts of one device or address that get it', '1')
    .action((flags: Flags) =>
      ask(
        'free.set',
        async () => ({
          dailyNanoUsd: parseAmount(flags['daily'] ?? ''),
          globalDailyNanoUsd: parseAmount(flags['all'] ?? ''),
          models: (flags['models'] ?? '').split(','),
          accountsPerSignalMax: parseCount(flags['perDevice'] ?? ''),
        }),
        () => ({ text: 'in force' }),
      ),
    )
  free
    .command('reviews')
    .description('accounts that share a device or an address with earlier ones')
    .option('--limit <count>', 'most lines', '1000')
    .action((flags: Flags) =>
      askList('free.reviews.list', flags, ['accountId', 'state', 'createdAtMs', 'verifiedAtMs']),
    )
  for (const [name, word] of [
    ['allow', 'allowed'],
    ['refuse', 'refused'],
  ] as const) {
    free
      .command(`${name} <account>`)
      .description(`${name} an account the allowance, whatever the rules say`)
      .action((accountId: string) =>
        ask('free.decide', { accountId, word }, () => ({ text: word })),
      )
  }
}

function changes(rows: Row[]): Row[] {
  return rows.flatMap(({ version, effectiveAtMs, changes: each }) =>
    (each as Row[]).map((change) => ({ version, effectiveAtMs, ...change })),
  )
}

function parseTime(text: string): number {
  const timeMs = Date.parse(text)
  if (Number.isNaN(timeMs) || !/(Z|[+-]\d\d:\d\d)$/.test(text)) {
    throw new LexoraError('invalid_request', `"${text}" is not a time such as 2027-01-01T00:00:00Z`)
  }
  return timeMs
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (cause) {
    throw new LexoraError('invalid_request', `the file ${file} cannot be read`, { cause })
  }
}
