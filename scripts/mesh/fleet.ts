import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createDaemon, type Daemon, type DaemonEvents } from './daemon.ts'
import { NETWORK_FILE } from './network-file.ts'
import { LOOPBACK, type MeshPorts } from './ports.ts'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))

/** The built command lines. */
export const COMMANDS = {
  node: join(ROOT, 'node/dist/cli.js'),
  ledger: join(ROOT, 'ledger/dist/cli.js'),
  gateway: join(ROOT, 'gateway/dist/cli.js'),
} as const

/** A gateway's process. */
export interface GatewayDaemon extends Daemon {
  /** Where its API is, without `/v1`. */
  readonly url: string
}

/** All processes of a mesh. */
export interface Fleet {
  readonly bootstrap: Daemon
  readonly ledger: Daemon
  readonly gateways: readonly GatewayDaemon[]
  readonly providers: readonly Daemon[]
  /** All of them, in the order of their start. */
  readonly daemons: readonly Daemon[]
  /** The environment that they run in. */
  readonly env: NodeJS.ProcessEnv
  /** Gives a process its enrolment token, before its start. */
  admit(name: string, token: string | undefined): void
  /** Ends gateways, providers, ledger and bootstrap peer in this order. May be called twice. */
  stop(): Promise<void>
  /** Ends all at once and waits for nothing. */
  destroy(): void
}

/** What a fleet tells. */
export interface FleetEvents extends Pick<DaemonEvents, 'log' | 'onHopeless'> {
  /** The processes that run now. */
  onPids: (pids: number[]) => void
}

/** What a fleet is made of. */
export interface FleetOptions {
  home: string
  ports: MeshPorts
  model: string
  providers?: number
  engine?: 'llama' | 'fake'
  nodeArgs?: readonly string[]
  ledgerArgs?: readonly string[]
  gatewayArgs?: readonly string[]
  logLevel?: string
  restart?: boolean
}

/** Makes the processes of a mesh; nothing runs before their start. */
export function createFleet(events: FleetEvents, options: FleetOptions): Fleet {
  const env = cleanEnvironment()
  const environments = new Map<string, NodeJS.ProcessEnv>()
  const daemons: Daemon[] = []
  const onPid = (): void => events.onPids(daemons.flatMap(({ pid }) => pid ?? []))
  const fleet = assemble(options, (name, command, args) => {
    const own = { ...env }
    environments.set(name, own)
    const { home, logLevel = 'info', restart = true } = options
    const daemon = createDaemon(
      {
        name,
        command,
        args: [...args, '--home', join(home, name), '--log-level', logLevel],
        env: own,
        logFile: join(home, 'logs', `${name}.log`),
        restart,
      },
      { ...events, onPid },
    )
    daemons.push(daemon)
    return daemon
  })
  const { bootstrap, ledger, gateways, providers } = fleet
  return {
    ...fleet,
    daemons,
    env,
    admit: (name, token) => {
      const own = environments.get(name)
      // In the environment and not among the arguments, which every user of the machine can read.
      if (own !== undefined && token !== undefined) own['LEXORA_ENROL_TOKEN'] = token
    },
    stop: async () => {
      for (const tier of [gateways, providers, [ledger], [bootstrap]]) {
        await Promise.all(tier.map((daemon) => daemon.stop()))
      }
    },
    destroy: () => {
      for (const daemon of daemons) daemon.destroy()
    },
  }
}

type Add = (name: string, command: string, args: readonly string[]) => Daemon

/** Which processes there are, and with what arguments. */
function assemble(
  options: FleetOptions,
  add: Add,
): Pick<Fleet, 'bootstrap' | 'ledger' | 'gateways' | 'providers'> {
  const { home, ports, model, engine, providers = 2 } = options
  const { nodeArgs = [], ledgerArgs = [], gatewayArgs = [] } = options
  const network = ['--network', join(home, NETWORK_FILE)]
  // The providers share one machine: measuring beside each other would tell them nothing.
  const serving =
    engine === 'fake' ? ['--engine', 'fake', '--model', `${model}=fake`] : ['--threads', '1']
  return {
    bootstrap: add('bootstrap', COMMANDS.node, [
      'bootstrap',
      ...network,
      ...listenOn(ports.bootstrap),
    ]),
    ledger: add('ledger', COMMANDS.ledger, ['start', ...listenOn(ports.ledger), ...ledgerArgs]),
    gateways: ports.gatewayHttp.map((port, index) => {
      const listen = listenOn(ports.gatewayPeers[index] ?? 0)
      const http = ['--http-host', LOOPBACK, '--http-port', String(port)]
      const args = ['start', ...network, ...listen, ...http, ...gatewayArgs]
      const daemon = add(`gateway-${index + 1}`, COMMANDS.gateway, args)
      return Object.assign(daemon, { url: `http://${LOOPBACK}:${port}` })
    }),
    providers: Array.from({ length: providers }, (_, index) =>
      add(`provider-${index + 1}`, COMMANDS.node, ['start', ...network, ...serving, ...nodeArgs]),
    ),
  }
}

function listenOn(port: number): string[] {
  return ['--listen', `/ip4/${LOOPBACK}/tcp/${port}`]
}

/** Ours without what would configure the processes behind our back. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !name.startsWith('LEXORA_')),
  )
}
