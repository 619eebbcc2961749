import { domainToASCII } from 'node:url'
import { LexoraError } from '@lexora/protocol'

/** Longest address that SMTP carries (RFC 5321). */
const EMAIL_LENGTH_MAX = 254
/** Mail services where dots in a name mean nothing, with the name that they share. */
const DOTLESS: Readonly<Record<string, string>> = {
  'gmail.com': 'gmail.com',
  'googlemail.com': 'gmail.com',
}

/** An address as its owner wrote it, and the form in which two addresses of one mailbox are the same. */
export interface Email {
  address: string
  normal: string
}

/** Reads a mail address. Throws `invalid_request`. */
export function readEmail(text: string): Email {
  const address = text.trim()
  const at = address.lastIndexOf('@')
  const name = address.slice(0, at).normalize('NFKC').toLowerCase()
  const domain = domainToASCII(address.slice(at + 1).toLowerCase())
  const isGood =
    address.length <= EMAIL_LENGTH_MAX &&
    at > 0 &&
    !/[\s\p{Cc}<>()[\]\\,;:"@]/u.test(name) &&
    /^[a-z0-9-]+(\.[a-z0-9-]+)+$/.test(domain)
  if (!isGood) throw new LexoraError('invalid_request', 'this is not a mail address')
  return { address, normal: `${mailbox(name, domain)}@${DOTLESS[domain] ?? domain}` }
}

/** What comes after a plus is a note of the owner's: the mail arrives in the same box. */
function mailbox(name: string, domain: string): string {
  const plus = name.indexOf('+')
  const box = plus > 0 ? name.slice(0, plus) : name
  return domain in DOTLESS ? box.replaceAll('.', '') : box
}
