import { homedir } from 'node:os'
import { join, resolve } from 'node:path'

/** The ledger's folder: the `--home` flag, else LEXORA_LEDGER_HOME, else `~/.lexora/ledger`. Absolute. */
export function readHome(flag: string | undefined): string {
  const named = flag ?? process.env['LEXORA_LEDGER_HOME']
  return named === undefined || named === '' ? join(homedir(), '.lexora', 'ledger') : resolve(named)
}
