import { formatUsd } from '@lexora/protocol'
import type { Payout } from '../core/payouts.ts'

/** Payouts for a spreadsheet: dollars without sign, one payout a line, CRLF as RFC 4180 wants it. */
export function payoutCsv(payouts: readonly Payout[]): string {
  const rows = payouts.map(({ payoutId, accountId, amount, state, note = '' }) => [
    payoutId,
    accountId,
    formatUsd(amount).replace('$', ''),
    state,
    note,
  ])
  const lines = [['payout', 'account', 'usd', 'state', 'note'], ...rows]
  return lines.map((cells) => `${cells.map(cell).join(',')}\r\n`).join('')
}

/** Quoted where it must be; a text that a spreadsheet would take for a formula gets an apostrophe. */
function cell(text: string): string {
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
}
