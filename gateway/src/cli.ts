#!/usr/bin/env node
import '@lexora/protocol/polyfill'
import { join } from 'node:path'
import { errorCodeOf, LexoraError } from '@lexora/protocol'
import { isLateWrite, loadOrCreateKey, peerIdOfKey } from '@lexora/protocol/mesh'
import { Command, CommanderError } from 'commander'
import { pino } from 'pino'
import { type GatewayFlags, readConfig } from './config.ts'
import { type Gateway, startGateway } from './gateway.ts'
import { VERSION } from './software.ts'

/** Exit codes that scripts and service managers rely on. */
const EXIT = {
  failure: 1,
  usage: 2,
  configuration: 3,
  identity: 4,
  alreadyRunning: 8,
  interrupted: 130,
} as const

/** Cause and cure of a failed start, in one line, and its exit code. */
function report(error: unknown): number {
  const message = error instanceof Error ? error.message : String(error)
  process.stderr.write(`lexora-gateway: ${message}\n`)
  switch (errorCodeOf(error)) {
    case 'invalid_request':
      return EXIT.configuration
    case 'forbidden':
    case 'enrolment_refused':
    case 'not_a_member':
      return EXIT.identity
    case 'conflict':
      return EXIT.alreadyRunning
    default:
      return EXIT.failure
  }
}

async function start(flags: GatewayFlags): Promise<void> {
  const config = await readConfig(flags)
  const log = pino({ level: config.logLevel, base: { component: 'gateway' } }, pino.destination(2))
  let isRefused = false
  const starting: Promise<Gateway> = startGateway(
    {
      log,
      // The ledger may answer before the last part has started, and says the same each time that it is asked.
      onRefused: (error) => {
        if (isRefused) return
        isRefused = true
        const advice =
          config.enrolmentToken === undefined
            ? 'pass --enrol TOKEN'
            : 'ask the operator for a new token'
        process.exitCode = report(
          new LexoraError(
            error.code,
            `the ledger does not admit this gateway (${error.code}); ${advice}`,
          ),
        )
        void shutDown(async () => (await starting).stop())
      },
    },
    config,
  )
  const gateway = await starting
  let stopping = false
  const onSignal = (): void => {
    if (stopping) process.exit(EXIT.interrupted)
    stopping = true
    log.info('stopping: running requests are finished first, a second signal stops at once')
    void shutDown(gateway.stop)
  }
  process.on('SIGTERM', onSignal)
  process.on('SIGINT', onSignal)
  // Only with an IPC channel: whoever started us is gone, so nobody would stop us later.
  process.on('disconnect', onSignal)
  const onCrash = (error: unknown): void => {
    if (isLateWrite(error)) return
    log.fatal({ err: error }, 'unexpected failure')
    process.exitCode = EXIT.failure
    void shutDown(gateway.stop)
  }
  process.on('uncaughtException', onCrash)
  process.on('unhandledRejection', onCrash)
  const { peerId, url } = gateway
  process.stdout.write(
    `${JSON.stringify({ event: 'ready', peerId, url, addresses: gateway.addresses() })}\n`,
  )
}

/** Stops for good: a part that hangs does not keep the process. */
async function shutDown(stop: () => Promise<void>): Promise<void> {
  const deadline = setTimeout(() => process.exit(), 35_000)
  deadline.unref()
  await stop().catch((error: unknown) => report(error))
  process.exit()
}

function collect(value: string, previous: string[] | undefined): string[] {
  return [...(previous ?? []), value]
}

const program = new Command('lexora-gateway')
  .description('Speaks the OpenAI API to developers and the mesh to providers.')
  .version(VERSION)
  .exitOverride()
  .showHelpAfterError('(lexora-gateway --help lists the commands)')

program
  .command('start')
  .description('runs the gateway in the foreground')
  .option('--home <dir>', 'folder for key and outbox (LEXORA_GATEWAY_HOME)')
  .option('--network <file>', 'the network file (LEXORA_NETWORK)')
  .option(
    '--http-host <host>',
    'where clients connect; default 127.0.0.1 (LEXORA_GATEWAY_HTTP_HOST)',
  )
  .option('--http-port <port>', 'default 8080 (LEXORA_GATEWAY_HTTP_PORT)')
  .option(
    '--listen <multiaddr>',
    'where peers connect; repeatable (LEXORA_GATEWAY_LISTEN)',
    collect,
  )
  .option(
    '--announce <multiaddr>',
    'what peers are told instead; repeatable (LEXORA_GATEWAY_ANNOUNCE)',
    collect,
  )
  .option('--enrol <token>', 'enrolment token, needed once (LEXORA_ENROL_TOKEN)')
  .option('--log-level <level>', 'debug, info, warn, error or silent (LEXORA_LOG_LEVEL)')
  .action(start)

program
  .command('id')
  .description('prints the peer id of a home folder, making its key where there is none')
  .requiredOption('--home <dir>', 'the home folder')
  .action(async ({ home }: { home: string }) => {
    process.stdout.write(`${peerIdOfKey(await loadOrCreateKey(join(home, 'peer.key')))}\n`)
  })

try {
  await program.parseAsync()
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : EXIT.usage
  else process.exit(report(error))
}
