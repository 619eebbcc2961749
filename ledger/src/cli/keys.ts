import type { Command } from 'commander'
import { parseDuration } from '../operator-input.ts'
import { table } from '../presentation.ts'
import { type CommandTools, type Flags, limitsOf, type Row } from './command-tools.ts'

const COLUMNS = [
  'keyId',
  'prefix',
  'last4',
  'name',
  'createdAtMs',
  'lastUsedAtMs',
  'expiresAtMs',
  'revokedAtMs',
]
const SHOWN_ONCE = 'keep it now: it is not shown again'

/** Adds the commands on API keys. */
export function addKeyCommands(key: Command, { ask }: CommandTools): void {
  withLimits(key.command('create <account>'))
    .description('make an API key; prints it, once')
    .requiredOption('--name <text>', 'what it is for')
    .option('--test', 'a test key (lx_test_…)')
    .action((accountId: string, flags: Flags) => {
      const mode = flags['test'] === undefined ? 'live' : 'test'
      return ask(
        'key.create',
        async () => ({ accountId, name: flags['name'], mode, ...terms(flags) }),
        (row: Row) => ({ text: String(row['text']), hint: SHOWN_ONCE }),
      )
    })
  withLimits(key.command('change <key-id>'))
    .description('change a key’s name, end or limits; its limits are replaced as a whole')
    .option('--name <text>', 'what it is for')
    .option('--unlimited', 'take all limits away')
    .option('--endless', 'take the end away')
    .action((keyId: string, flags: Flags) =>
      ask(
        'key.change',
        async () => ({
          keyId,
          ...(flags['name'] === undefined ? {} : { name: flags['name'] }),
          ...(flags['unlimited'] === undefined ? {} : { limits: null }),
          ...(flags['endless'] === undefined ? {} : { expiresAtMs: null }),
          ...terms(flags),
        }),
        () => ({ text: 'changed' }),
      ),
    )
  key
    .command('rotate <key-id>')
    .description('make a new text for a key; prints it, once')
    .option('--grace <span>', 'how long the old text is good still, e.g. 24h', '0s')
    .action((keyId: string, flags: Flags) =>
      ask(
        'key.rotate',
        async () => ({ keyId, graceMs: parseDuration(flags['grace'] ?? '') }),
        (row: Row) => ({ text: String(row['text']), hint: SHOWN_ONCE }),
      ),
    )
  key
    .command('list <account>')
    .description('keys of an account, without their texts')
    .action((accountId: string) =>
      ask('key.list', { accountId }, (rows: Row[]) => ({ text: table(rows, COLUMNS) })),
    )
  key
    .command('revoke <key-id>')
    .description('end a key at every gateway')
    .action((keyId: string) => ask('key.revoke', { keyId }, () => ({ text: 'revoked' })))
}

function withLimits(command: Command): Command {
  return command
    .option('--expires <span>', 'how long it is good, e.g. 90d; default: for ever')
    .option('--day <usd>', 'most that it spends in a day (UTC)')
    .option('--week <usd>', 'most that it spends in a week from Monday')
    .option('--month <usd>', 'most that it spends in a month')
    .option('--models <ids>', 'the only models that it may use, with commas between')
    .option('--rpm <count>', 'requests a minute')
    .option('--tpm <count>', 'tokens a minute')
}

function terms(flags: Flags): object {
  const limits = limitsOf(flags)
  const span = flags['expires']
  return {
    ...(limits === undefined ? {} : { limits }),
    ...(span === undefined ? {} : { expiresAtMs: Date.now() + parseDuration(span) }),
  }
}
