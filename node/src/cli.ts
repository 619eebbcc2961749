#!/usr/bin/env node
import '@lexora/protocol/polyfill'
import { errorCodeOf, LexoraError } from '@lexora/protocol'
import { isLateWrite } from '@lexora/protocol/mesh'
import { Command, CommanderError } from 'commander'
import type { Logger } from 'pino'
import { startBootstrap } from './bootstrap.ts'
import { type NodeFlags, readBootstrapConfig, readHome, readNodeConfig } from './config.ts'
import { DRAIN_TIMEOUT_MS } from './constants.ts'
import { createEngines } from './engine-set.ts'
import { loadIdentity } from './identity.ts'
import { createLog } from './log.ts'
import { startNode } from './node.ts'
import { VERSION } from './software.ts'

/** Exit codes that scripts and service managers rely on. */
const EXIT = {
  failure: 1,
  usage: 2,
  configuration: 3,
  identity: 4,
  hardware: 6,
  alreadyRunning: 8,
  interrupted: 130,
  terminated: 143,
} as const

/** What comes after the drain of a stopping node: goodbye, host and store. Beyond it something hangs. */
const CLOSE_TIMEOUT_MS = 15_000

interface GlobalFlags {
  json?: boolean
}

/** Something that runs until it is told to stop. */
interface Daemon {
  stop(options?: { now?: boolean }): Promise<void>
}

/** Prints cause and cure of a failure in one line; returns its exit code. */
function report(error: unknown): number {
  const code = errorCodeOf(error)
  const [message] = (error instanceof Error ? error.message : String(error)).split('\n')
  if (isJson()) {
    process.stdout.write(`${JSON.stringify({ v: 1, ok: false, error: { code, message } })}\n`)
  } else {
    process.stderr.write(`lexora-node: ${message}\n`)
  }
  return exitCodeOf(error)
}

function exitCodeOf(error: unknown): number {
  switch (errorCodeOf(error)) {
    case 'invalid_request':
    case 'not_found':
      return EXIT.configuration
    case 'forbidden':
    case 'malformed':
    case 'enrolment_refused':
    case 'not_a_member':
      return EXIT.identity
    case 'provider_fault':
      return EXIT.hardware
    case 'conflict':
      return EXIT.alreadyRunning
    default:
      return EXIT.failure
  }
}

function isJson(): boolean {
  return program.opts<GlobalFlags>().json === true
}

function print(command: string, data: Record<string, unknown>, text: string): void {
  const line = isJson() ? JSON.stringify({ v: 1, ok: true, command, data }) : text
  process.stdout.write(`${line}\n`)
}

/** One line for the program that started us. */
function printReady(facts: Record<string, unknown>): void {
  process.stdout.write(`${JSON.stringify({ v: 1, event: 'ready', ...facts })}\n`)
}

/** Cause and cure where the ledger does not admit this peer. */
function refusal(error: LexoraError, hasToken: boolean): LexoraError {
  const cure = hasToken ? 'ask the operator for a new enrolment token' : 'pass --enrol TOKEN'
  const message = `the ledger does not admit this peer (${error.code}): ${cure}`
  return new LexoraError(error.code, message, { cause: error })
}

/**
 * Runs a daemon to its end: the first signal drains it, the second ends the process at once; a crash and a refusal by
 * the ledger drain it too and set the exit code.
 */
function superviseEnd(log: Logger): {
  started(daemon: Daemon): void
  failed(error: unknown): void
} {
  let daemon: Daemon | undefined
  let ending = false

  function end(): void {
    if (daemon === undefined) process.exit()
    // A part that hangs does not keep the process.
    setTimeout(() => process.exit(), DRAIN_TIMEOUT_MS + CLOSE_TIMEOUT_MS).unref()
    daemon
      .stop()
      .catch((error: unknown) => {
        log.error({ err: error }, 'did not stop cleanly')
        process.exitCode ??= EXIT.failure
      })
      .finally(() => process.exit())
  }

  function onSignal(signal: 'SIGINT' | 'SIGTERM'): void {
    if (ending) process.exit(signal === 'SIGINT' ? EXIT.interrupted : EXIT.terminated)
    ending = true
    log.info({ signal }, 'stopping: what runs is finished first, a second signal stops at once')
    end()
  }

  function failed(error: unknown): void {
    if (ending) return
    ending = true
    process.exitCode = error instanceof LexoraError ? report(error) : EXIT.failure
    end()
  }

  process.on('SIGTERM', onSignal)
  process.on('SIGINT', onSignal)
  // Only with an IPC channel: whoever started us is gone, so nobody would stop us later.
  process.on('disconnect', () => {
    if (!ending) onSignal('SIGTERM')
  })
  for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
    process.on(event, (error: unknown) => {
      if (isLateWrite(error)) return
      log.fatal({ err: error, event }, 'unexpected failure')
      process.exitCode = EXIT.failure
      if (!ending) {
        ending = true
        end()
      }
    })
  }
  return {
    started: (running) => {
      daemon = running
    },
    failed,
  }
}

async function start(flags: NodeFlags): Promise<void> {
  const config = await readNodeConfig(flags)
  const log = createLog({ level: config.logLevel, component: 'node' })
  const supervisor = superviseEnd(log)
  const node = await startNode(
    {
      log,
      engines: createEngines(log, config.engine, config.models),
      onRefused: (error) => {
        supervisor.failed(refusal(error, config.enrolmentToken !== undefined))
      },
    },
    config,
  )
  supervisor.started(node)
  log.info({ peer: node.peerId, models: node.models(), receipts: node.receipts }, 'node started')
  await node.ready
  log.info({ peer: node.peerId, gateways: node.gateways }, 'node ready')
  printReady({ peerId: node.peerId, addresses: node.addresses(), models: node.models() })
}

async function bootstrap(flags: NodeFlags): Promise<void> {
  const config = await readBootstrapConfig(flags)
  const log = createLog({ level: config.logLevel, component: 'bootstrap' })
  const supervisor = superviseEnd(log)
  const peer = await startBootstrap(
    {
      log,
      onRefused: (error) => {
        supervisor.failed(refusal(error, config.enrolmentToken !== undefined))
      },
    },
    config,
  )
  supervisor.started(peer)
  log.info({ peer: peer.peerId, addresses: peer.addresses() }, 'bootstrap peer started')
  printReady({ peerId: peer.peerId, addresses: peer.addresses() })
}

function collect(value: string, previous: string[] | undefined): string[] {
  return [...(previous ?? []), value]
}

const HOME = [
  '--home <dir>',
  'folder for key and receipts; default ~/.lexora/node (LEXORA_HOME)',
] as const
const ENROL = ['--enrol <token>', 'enrolment token, needed once (LEXORA_ENROL_TOKEN)'] as const
const ANNOUNCE = [
  '--announce <multiaddr>',
  'what peers are told instead; repeatable (LEXORA_ANNOUNCE)',
] as const
const LOG_LEVEL = [
  '--log-level <level>',
  'debug, info, warn, error or silent; default info (LEXORA_LOG_LEVEL)',
] as const

const program = new Command('lexora-node')
  .description('Lends a GPU to the Lexora network, or runs a bootstrap peer.')
  .option('--json', 'print results and errors as one line of JSON')
  .exitOverride()
  .showHelpAfterError('(lexora-node --help lists the commands)')

program
  .command('start')
  .description('serves models in the foreground')
  .option(...HOME)
  .option('--network <file>', 'the network file; default network.json in home (LEXORA_NETWORK)')
  .option(...ENROL)
  .option(
    '--model <file>',
    'a GGUF file, or ID=FILE; repeatable; default the bundled model (LEXORA_MODELS)',
    collect,
  )
  .option('--slots <count>', 'requests at once per model; default 2 (LEXORA_SLOTS)')
  .option('--threads <count>', 'processor threads; default measured at start (LEXORA_THREADS)')
  .option('--gpu <choice>', 'auto or off; default auto (LEXORA_GPU)')
  .option('--engine <name>', 'llama, or fake for tests; default llama')
  .option('--fake-token-delay <ms>', 'time per token of the fake engine')
  .option(
    '--listen <multiaddr>',
    'where peers connect; repeatable; default none, the node dials out (LEXORA_LISTEN)',
    collect,
  )
  .option(...ANNOUNCE, collect)
  .option(...LOG_LEVEL)
  .action(start)

program
  .command('bootstrap')
  .description('runs a bootstrap peer in the foreground: the address that everybody joins through')
  .option(...HOME)
  .option('--network <file>', 'the network file, to check certificates (LEXORA_NETWORK)')
  .option(...ENROL)
  .option(
    '--listen <multiaddr>',
    'default /ip4/0.0.0.0/tcp/4001; repeatable (LEXORA_LISTEN)',
    collect,
  )
  .option(...ANNOUNCE, collect)
  .option(...LOG_LEVEL)
  .action(bootstrap)

program
  .command('id')
  .description('prints the peer id of a home folder, making its key where there is none')
  .option(...HOME)
  .action(async (flags: NodeFlags) => {
    const { signer } = await loadIdentity(readHome(flags))
    print('id', { peerId: signer.peerId }, signer.peerId)
  })

program
  .command('version')
  .description('prints the version')
  .action(() => {
    print('version', { version: VERSION, node: process.version }, `lexora-node ${VERSION}`)
  })

try {
  await program.parseAsync()
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : EXIT.usage
  else process.exit(report(error))
}
