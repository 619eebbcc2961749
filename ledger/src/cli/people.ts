import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { LexoraError } from '@lexora/protocol'
import type { Command } from 'commander'
import { parseDuration } from '../operator-input.ts'
import { sheet, table } from '../presentation.ts'
import {
  type CommandTools,
  type Flags,
  parseCount,
  type Row,
  wantedReason,
} from './command-tools.ts'

/** Adds the commands on people: what names them, invites, terms, operators, and what operators did. */
export function addPeopleCommands(program: Command, account: Command, tools: CommandTools): void {
  addAccountCommands(account, tools)
  addInviteCommands(program, tools)
  addTermsCommands(program, tools)
  const { ask, askList } = tools
  program
    .command('operator')
    .description('people who run the network')
    .command('create <email>')
    .description('open an operator’s account; a mail with a link to set the password is sent')
    .action((email: string) =>
      ask('operator.create', { email }, (row: Row) => ({ text: String(row['accountId']) })),
    )
  program
    .command('audit')
    .description('what operators did')
    .command('list')
    .description('the latest commands that changed something, newest first')
    .option('--limit <count>', 'most lines', '1000')
    .action((flags: Flags) =>
      askList('audit.list', flags, [
        'seq',
        'notedAtMs',
        'actor',
        'operation',
        'target',
        'refused',
        'reason',
      ]),
    )
}

function addAccountCommands(account: Command, { ask, reason }: CommandTools): void {
  account
    .command('close <account>')
    .description('close an account for good and delete what names its owner; needs --reason')
    .action((accountId: string) =>
      ask(
        'account.close',
        async () => ({ accountId, reason: wantedReason(reason()) }),
        () => ({ text: 'closed' }),
      ),
    )
  account
    .command('person <account>')
    .description('whose account it is')
    .action((accountId: string) =>
      ask('account.person', { accountId }, (row: Row) => ({
        text: sheet(row, ['accountId', 'email', 'country']),
      })),
    )
  account
    .command('log-out <account>')
    .description('end all log-ins of an account')
    .action((accountId: string) =>
      ask('account.sessions.end', { accountId }, () => ({ text: 'logged out' })),
    )
}

function addInviteCommands(program: Command, { ask, askList }: CommandTools): void {
  const invite = program.command('invite').description('single-use invites for providers')
  invite
    .command('create')
    .description('make an invite; prints it, once')
    .option('--expires <span>', 'how long it is good, e.g. 30d', '30d')
    .option('--nodes <count>', 'most nodes that the account may enrol', '1')
    .action((flags: Flags) =>
      ask(
        'invite.create',
        async () => ({
          expiresAtMs: Date.now() + parseDuration(flags['expires'] ?? ''),
          nodesMax: parseCount(flags['nodes'] ?? ''),
        }),
        (row: Row) => ({
          text: String(row['text']),
          hint: 'good for one account; keep it now: it is not shown again',
        }),
      ),
    )
  invite
    .command('list')
    .description('invites and who used them')
    .option('--limit <count>', 'most lines, the newest are kept', '1000')
    .action((flags: Flags) =>
      askList('invite.list', flags, ['inviteId', 'nodesMax', 'expiresAtMs', 'usedBy']),
    )
}

function addTermsCommands(program: Command, { ask }: CommandTools): void {
  const terms = program.command('terms').description('terms of service')
  terms
    .command('publish <file>')
    .description('ask everybody who signed up to accept these; the text’s hash is kept')
    .requiredOption('--number <version>', 'the version, above the last')
    .requiredOption('--url <url>', 'where people read it')
    .action((file: string, flags: Flags) =>
      ask(
        'terms.publish',
        async () => ({
          version: parseCount(flags['number'] ?? ''),
          url: flags['url'],
          sha256: createHash('sha256')
            .update(await readBytes(file))
            .digest('hex'),
        }),
        () => ({ text: 'published' }),
      ),
    )
  terms
    .command('list')
    .description('every version, the last one is in force')
    .action(() =>
      ask('terms.list', {}, (rows: Row[]) => ({ text: table(rows, ['version', 'url', 'sha256']) })),
    )
}

async function readBytes(file: string): Promise<Uint8Array> {
  try {
    return await readFile(file)
  } catch (cause) {
    throw new LexoraError('invalid_request', `the file ${file} cannot be read`, { cause })
  }
}
