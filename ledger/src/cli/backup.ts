import { resolve } from 'node:path'
import { LexoraError } from '@lexora/protocol'
import type { Command } from 'commander'
import type { LedgerHome } from '../home.ts'
import { restoreLedger } from '../ledger.ts'
import { sheet } from '../presentation.ts'

type Row = Record<string, unknown>

/** What the command line gives its commands. */
export interface BackupTools {
  home: () => LedgerHome
  run: (
    name: string,
    work: () => Promise<{ data: unknown; text: string; hint?: string }>,
  ) => Promise<void>
  operate: (name: 'backup', input: object) => Promise<unknown>
}

/** Adds `backup` and `restore`. */
export function addBackupCommands(program: Command, { home, run, operate }: BackupTools): void {
  program
    .command('backup')
    .description('copy the ledger, its key included, into a new folder while it works')
    .requiredOption('--to <dir>', 'where to; is made, or must be empty')
    .action((flags: { to: string }) =>
      run('backup', async () => {
        const data = (await operate('backup', { to: resolve(flags.to) })) as Row
        const head = data['head'] as Row
        const hint =
          'whoever has this folder can sign for the network: keep it as safe as the ledger'
        const text = sheet({ ...head, folder: resolve(flags.to) }, ['nextSeq', 'hash', 'folder'])
        return { data, text, hint }
      }),
    )
  program
    .command('restore')
    .description('make the ledger of a backup in an empty --home')
    .requiredOption('--from <dir>', 'a folder that `backup` made')
    .option('--verify', 'add the books up from nothing as well')
    .action((flags: { from: string; verify?: boolean }) =>
      run('restore', async () => {
        const from = resolve(flags.from)
        const { manifest, report } = await restoreLedger(home(), from, {
          verify: flags.verify === true,
        })
        const { problems = [] } = (report ?? {}) as { problems?: string[] }
        if (problems.length > 0) {
          throw new LexoraError('internal', `the books do not balance: ${problems.join('; ')}`, {
            facts: { journalDamaged: true },
          })
        }
        const { ledgerId, head, createdAtMs } = manifest
        const hint = 'what was entered after the backup is not here: stop the other ledger for good'
        const data = { ledgerId, ...head, createdAtMs, isVerified: report !== undefined }
        return { data, text: sheet(data, Object.keys(data)), hint }
      }),
    )
}
