import { LexoraError } from '@lexora/protocol'
import { isLateWrite } from '@lexora/protocol/mesh'
import { type Logger, pino } from 'pino'
import type { LedgerHome } from '../home.ts'
import { startLedger } from '../ledger.ts'
import { parseDuration } from '../operator-input.ts'
import { EXIT_CODES } from '../presentation.ts'

/** Flags of `lexora-ledger start`. */
export interface StartFlags {
  listen?: string[]
  announce?: string[]
  lease?: string
  logLevel?: string
}

/** Gateways renew the holds of running requests every 5 s; a shorter lease would end them under a live stream. */
const LEASE_MIN_MS = 6_000

/** Where peers find a ledger that was told nothing else. */
const LISTEN_DEFAULT = ['/ip4/0.0.0.0/tcp/4101']

/** Runs the ledger until a signal, its parent's end or a failed write. Throws what {@link startLedger} throws. */
export async function serve(home: LedgerHome, flags: StartFlags): Promise<void> {
  const level = flags.logLevel ?? 'info'
  const log = pino({ name: 'lexora-ledger', level }, pino.destination({ dest: 2, sync: true }))
  const leaseMs = flags.lease === undefined ? undefined : parseLease(flags.lease)
  const ledger = await startLedger(
    { home, log },
    {
      listen: flags.listen ?? LISTEN_DEFAULT,
      announce: flags.announce ?? [],
      ...(leaseMs === undefined ? {} : { leaseMs }),
      onFatal(error) {
        log.fatal({ err: error }, 'the journal failed: the ledger stops, restart it to verify')
        process.exit(EXIT_CODES.failure)
      },
    },
  )
  stopOnSignals(ledger.stop, log)
  const { peerId, addresses, service } = ledger
  const facts = { ledgerId: service.ledgerId(), peerId, addresses: addresses() }
  process.stdout.write(`${JSON.stringify({ v: 1, event: 'ready', ...facts })}\n`)
}

function parseLease(text: string): number {
  const leaseMs = parseDuration(text)
  if (leaseMs >= LEASE_MIN_MS) return leaseMs
  throw new LexoraError('invalid_request', '--lease must be at least 6s: gateways renew every 5 s')
}

function stopOnSignals(stop: () => Promise<void>, log: Logger): void {
  let isStopping = false
  const onSignal = (code: number): void => {
    if (isStopping) process.exit(code)
    isStopping = true
    stop().then(
      () => process.exit(0),
      (error: unknown) => {
        log.error({ err: error }, 'the ledger did not stop cleanly')
        process.exit(EXIT_CODES.failure)
      },
    )
  }
  process.on('SIGINT', () => onSignal(130))
  process.on('SIGTERM', () => onSignal(143))
  // Only with an IPC channel: whoever started us is gone, so nobody would stop us later.
  process.on('disconnect', () => onSignal(143))
  const onCrash = (error: unknown): void => {
    if (isLateWrite(error)) return
    log.fatal({ err: error }, 'unexpected failure: the ledger stops, restart it to verify')
    process.exit(EXIT_CODES.failure)
  }
  process.on('uncaughtException', onCrash)
  process.on('unhandledRejection', onCrash)
}
