import { homedir, userInfo } from 'node:os'
import { join, resolve } from 'node:path'
import { LexoraError } from '@lexora/protocol'

/** The ledger's folder: the `--home` flag, else LEXORA_LEDGER_HOME, else `~/.lexora/ledger`. Absolute. */
export function readHome(flag: string | undefined): string {
  const named = flag ?? process.env['LEXORA_LEDGER_HOME']
  return named === undefined || named === '' ? join(homedir(), '.lexora', 'ledger') : resolve(named)
}

/** How the ledger reaches people. */
export interface MailConfig {
  /** LEXORA_LEDGER_SMTP_URL, e.g. `smtps://user:password@mail.example`; absent: letters become files. */
  smtpUrl?: string
  /** LEXORA_LEDGER_MAIL_FROM. */
  from: string
  /** LEXORA_LEDGER_SITE_URL: where the links in mails lead. */
  siteUrl: string
}

/** Reads {@link MailConfig} from the environment. */
export function readMailConfig(): MailConfig {
  const { env } = process
  const smtpUrl = env['LEXORA_LEDGER_SMTP_URL']
  return {
    ...(smtpUrl === undefined || smtpUrl === '' ? {} : { smtpUrl }),
    from: env['LEXORA_LEDGER_MAIL_FROM'] ?? 'Lexora <no-reply@localhost>',
    siteUrl: (env['LEXORA_LEDGER_SITE_URL'] ?? 'http://127.0.0.1:8080').replace(/\/+$/, ''),
  }
}

/** Who is at the command line, for the audit log: the name of the user at the operating system. */
export function readActor(): string {
  try {
    return `cli:${userInfo().username}`.slice(0, 128)
  } catch {
    // A container's user may have no name.
    return 'cli'
  }
}

/**
 * Where operators' HTTP listens: LEXORA_LEDGER_ADMIN_HTTP, e.g. `127.0.0.1:4103`; absent: nowhere. Throws
 * `invalid_request`.
 */
export function readAdminAddress(): { host: string; port: number } | undefined {
  const text = process.env['LEXORA_LEDGER_ADMIN_HTTP']
  if (text === undefined || text === '') return undefined
  const [, host = '', port = ''] = /^(.+):(\d{1,5})$/.exec(text) ?? []
  if (host !== '') return { host: host.replace(/^\[|\]$/g, ''), port: Number(port) }
  throw new LexoraError('invalid_request', 'LEXORA_LEDGER_ADMIN_HTTP is not like 127.0.0.1:4103')
}
