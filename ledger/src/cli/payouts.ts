import type { Command } from 'commander'
import { parseAmount } from '../operator-input.ts'
import { sheet, table } from '../presentation.ts'
import type { CommandTools, Flags, Row } from './command-tools.ts'

const PAYOUT_COLUMNS = ['payoutId', 'accountId', 'amountNanoUsd', 'state', 'note']

/** Adds the commands on what providers have earned and are paid. */
export function addPayoutCommands(program: Command, { ask, askList }: CommandTools): void {
  const earnings = program.command('earnings').description('what providers have earned')
  const payouts = program.command('payouts').description('what providers are paid')

  earnings
    .command('show <account>')
    .description('earned = maturing + payable + in payout + paid + reversed')
    .action((accountId: string) =>
      ask('earnings.show', { accountId }, (row: Row) => ({ text: sheet(row, Object.keys(row)) })),
    )
  earnings
    .command('reverse <account> <usd>')
    .description('take back earnings that are not payable yet')
    .requiredOption('--id <id>', 'makes a repeat of the same command harmless')
    .action((accountId: string, usd: string, flags: Flags) =>
      ask(
        'earnings.reverse',
        async () => ({ accountId, amount: parseAmount(usd), id: flags['id'] }),
        (row: Row) => ({ text: row['repeated'] === true ? 'was reversed before' : 'reversed' }),
      ),
    )

  payouts
    .command('prepare')
    .description('set money aside for every provider with enough to pay')
    .requiredOption('--as <name>', 'the operator who does it')
    .option('--threshold <usd>', 'least that is paid', '50.00')
    .action((flags: Flags) =>
      ask(
        'payouts.prepare',
        async () => ({
          thresholdNanoUsd: parseAmount(flags['threshold'] ?? ''),
          actor: flags['as'],
        }),
        showBatch,
      ),
    )
  payouts
    .command('approve <batch>')
    .description('the second of two different operators sends it on its way')
    .requiredOption('--as <name>', 'the operator who approves')
    .action((batchId: string, flags: Flags) =>
      ask('payouts.approve', { batchId, actor: flags['as'] }, showBatch),
    )
  payouts
    .command('mark <payout> <state>')
    .description('enter how a payout went: paid, failed or reversed')
    .requiredOption('--note <text>', 'what the bank calls it, or why it failed')
    .action((payoutId: string, state: string, flags: Flags) =>
      ask('payouts.mark', { payoutId, state, note: flags['note'] }, (row: Row) => ({
        text: String(row['state']),
      })),
    )
  payouts
    .command('list')
    .description('batches and who approved them')
    .option('--limit <count>', 'most lines, the newest are kept', '1000')
    .action((flags: Flags) =>
      askList('payouts.list', flags, ['batchId', 'preparedBy', 'preparedAtMs', 'approvals']),
    )
  payouts
    .command('export <batch>')
    .description('a batch as CSV')
    .action((batchId: string) =>
      ask('payouts.export', { batchId }, (row: Row) => ({ text: String(row['csv']).trimEnd() })),
    )
}

function showBatch(batch: Row): { text: string; hint: string } {
  const payouts = batch['payouts'] as Row[]
  const rows = payouts.map((payout) => ({ ...payout, amountNanoUsd: payout['amount'] }))
  const approvals = (batch['approvals'] as string[]).length
  const hint = `batch ${String(batch['batchId'])}, approved by ${approvals} of 2`
  return { text: table(rows, PAYOUT_COLUMNS), hint }
}
