import { readFileSync } from 'node:fs'
import { homedir, userInfo } from 'node:os'
import { join, resolve } from 'node:path'
import { LexoraError } from '@lexora/protocol'
import { checkRazorpaySettings, type RazorpaySettings } from './payments/razorpay-settings.ts'

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

/** A proxy that the payment company can reach stands before it. */
const WEBHOOKS_DEFAULT = '127.0.0.1:4180'

/** How the ledger sells credit. */
export interface PaymentConfig {
  razorpay: RazorpaySettings
  /** Where webhooks arrive: LEXORA_LEDGER_WEBHOOKS, default `127.0.0.1:4180`. */
  webhooks: { host: string; port: number }
}

/**
 * Reads {@link PaymentConfig} from the environment: LEXORA_RAZORPAY_KEY_ID, _KEY_SECRET, _WEBHOOK_SECRET,
 * _WEBHOOK_SECRET_PREVIOUS and _URL; a secret may be in the file that the same name with _FILE says. Undefined without
 * a key: then no credit is sold. Throws `invalid_request` that names the setting.
 */
export function readPaymentConfig(): PaymentConfig | undefined {
  const { env } = process
  const keyId = env['LEXORA_RAZORPAY_KEY_ID'] ?? ''
  if (keyId === '') return undefined
  const previous = readSecret('LEXORA_RAZORPAY_WEBHOOK_SECRET_PREVIOUS')
  const url = env['LEXORA_RAZORPAY_URL'] ?? ''
  const razorpay = checkRazorpaySettings({
    keyId,
    keySecret: readSecret('LEXORA_RAZORPAY_KEY_SECRET'),
    webhookSecret: readSecret('LEXORA_RAZORPAY_WEBHOOK_SECRET'),
    ...(previous === '' ? {} : { webhookSecretPrevious: previous }),
    ...(url === '' ? {} : { url }),
  })
  return {
    razorpay,
    webhooks: addressOf(
      'LEXORA_LEDGER_WEBHOOKS',
      env['LEXORA_LEDGER_WEBHOOKS'] ?? WEBHOOKS_DEFAULT,
    ),
  }
}

function readSecret(name: string): string {
  const file = process.env[`${name}_FILE`]
  if (file === undefined || file === '') return process.env[name] ?? ''
  try {
    return readFileSync(file, 'utf8').trim()
  } catch (cause) {
    throw new LexoraError('invalid_request', `the file of ${name}_FILE cannot be read`, { cause })
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
  return addressOf('LEXORA_LEDGER_ADMIN_HTTP', text)
}

function addressOf(name: string, text: string): { host: string; port: number } {
  const [, host = '', port = ''] = /^(.+):(\d{1,5})$/.exec(text) ?? []
  if (host !== '') return { host: host.replace(/^\[|\]$/g, ''), port: Number(port) }
  throw new LexoraError('invalid_request', `${name} is not like 127.0.0.1:4103`)
}
