import { randomBytes } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/** A letter in plain text. */
export interface Letter {
  to: string
  subject: string
  text: string
}

/** Sends mail. */
export interface Mailer {
  /** Resolves when it was handed over. Throws what the transport throws. */
  send(letter: Letter): Promise<void>
}

/** How mail goes out. */
export interface MailOptions {
  /** e.g. `smtps://user:password@mail.example`. Absent: letters become files. */
  smtpUrl?: string
  /** Who it is from. */
  from: string
  /** Where letters are written without SMTP: one `.eml` file each. */
  directory: string
}

/** A mail server that does not answer is given up after this time. */
const SMTP_TIMEOUT_MS = 20_000

/** Mail over SMTP where a server is configured, else into files that an operator can read. */
export function createMailer(options: MailOptions): Mailer {
  return options.smtpUrl === undefined ? fileMailer(options) : smtpMailer(options, options.smtpUrl)
}

function smtpMailer({ from }: MailOptions, smtpUrl: string): Mailer {
  return {
    async send(letter) {
      const { createTransport } = await import('nodemailer')
      const transport = createTransport(smtpUrl, { from })
      const timeout = AbortSignal.timeout(SMTP_TIMEOUT_MS)
      const failed = new Promise<never>((_, reject) => {
        timeout.addEventListener('abort', () => reject(new Error('the mail server is silent')), {
          once: true,
        })
      })
      await Promise.race([transport.sendMail(letter), failed])
    },
  }
}

function fileMailer({ from, directory }: MailOptions): Mailer {
  return {
    async send(letter) {
      const { createTransport } = await import('nodemailer')
      const transport = createTransport({ streamTransport: true, buffer: true }, { from })
      const { message } = await transport.sendMail(letter)
      await mkdir(directory, { recursive: true, mode: 0o700 })
      const name = `${Date.now()}-${randomBytes(4).toString('hex')}.eml`
      await writeFile(join(directory, name), message as Buffer, { mode: 0o600, flag: 'wx' })
    },
  }
}
