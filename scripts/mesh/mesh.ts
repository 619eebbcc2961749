import '../../protocol/src/mesh/polyfill.ts'
import { existsSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { runCommand } from './command.ts'
import type { Daemon } from './daemon.ts'
import { setUpAccounts } from './demo-accounts.ts'
import { COMMANDS, createFleet, type Fleet } from './fleet.ts'
import { lockHome } from './home-lock.ts'
import { MeshError } from './mesh-error.ts'
import { NETWORK_FILE, readBootstrapPeer, writeNetworkFile } from './network-file.ts'
import { type Notebook, openNotebook } from './notebook.ts'
import { fixedPorts, freePorts, type MeshPorts, requirePorts } from './ports.ts'
import { waitForGateway } from './readiness.ts'

/** How long the mesh may take to find itself once all processes are ready, in ms. */
const MEET_MS = 45_000
/** The model that comes with the node. */
const MODEL = 'lexora-tiny-chat'
/** Where `npm start` listens unless told otherwise. */
export const DEFAULT_PORTS = { base: 4100, http: 8080 } as const

/** How a mesh is started. */
export interface MeshOptions {
  /** Folder for keys, books and logs; made where missing. A mesh that was stopped goes on from it. */
  home: string
  /** `free` for any that nobody uses. Default: 4100 and up for peers, 8080 and up for HTTP. */
  ports?: 'free' | MeshPorts
  /** Default 2. */
  providers?: number
  /** Default 2. */
  gateways?: number
  /** Default `llama`, with the bundled model; `fake` serves nonsense under the same name. */
  engine?: 'llama' | 'fake'
  /** More arguments for the processes of each kind. */
  nodeArgs?: readonly string[]
  ledgerArgs?: readonly string[]
  gatewayArgs?: readonly string[]
  /** Default `info`. */
  logLevel?: string
  /** Whether a process that dies is started again. Default true. */
  restart?: boolean
  /** One line for people. Default: nowhere. */
  log?: (line: string) => void
  /** The mesh gave up on a process; it has to be stopped. Default: only logged. */
  onFailure?: (error: MeshError) => void
  /** Ends a start that still runs. */
  signal?: AbortSignal
}

/** A running mesh. */
export interface Mesh
  extends Pick<Fleet, 'bootstrap' | 'ledger' | 'gateways' | 'providers' | 'daemons'> {
  readonly home: string
  readonly model: string
  readonly ports: MeshPorts
  /** Key of a developer account with a free grant of 5 US dollars. */
  readonly apiKey: string
  readonly accountId: string
  /** Path of the network file. */
  readonly networkFile: string
  /** Runs a command of lexora-ledger, such as `['verify']`, and returns its data. Throws {@link MeshError}. */
  admin(args: readonly string[]): Promise<unknown>
  /** Resolves when every gateway lists the model with that many providers (default: all). Throws {@link MeshError}. */
  settled(providers?: number): Promise<void>
  /**
   * Ends gateways, providers, ledger and bootstrap peer in this order. May be called twice. Processes that are left
   * when this one exits are killed.
   */
  stop(): Promise<void>
}

/**
 * Starts a mesh of real processes on loopback and waits until it serves. Throws {@link MeshError} with one line for
 * the user, or the reason of the signal; nothing runs then.
 */
export async function startMesh(options: MeshOptions): Promise<Mesh> {
  requireBuild()
  const home = resolve(options.home)
  const log = options.log ?? ((): void => undefined)
  await mkdir(home, { recursive: true, mode: 0o700 })
  const lock = await lockHome(home, log)
  const failed = new AbortController()
  const signal = AbortSignal.any([failed.signal, ...(options.signal ? [options.signal] : [])])
  let fleet: Fleet | undefined
  // However this process ends, it leaves none behind.
  const onExit = (): void => fleet?.destroy()
  process.on('exit', onExit)
  const stop = async (): Promise<void> => {
    await fleet?.stop()
    await lock.release()
    process.off('exit', onExit)
  }
  try {
    const ports = await choosePorts(options)
    fleet = createFleet(
      {
        log,
        onPids: (pids) => void lock.record(pids),
        onHopeless: (error) => {
          failed.abort(error)
          options.onFailure?.(error)
        },
      },
      { ...options, home, ports, model: MODEL },
    )
    return { ...(await raise({ home, ports, fleet, log, signal })), stop }
  } catch (error) {
    await stop()
    throw error
  }
}

/** What the start of a mesh works with. */
interface Site {
  home: string
  ports: MeshPorts
  fleet: Fleet
  log: (line: string) => void
  signal: AbortSignal
}

/** Starts the processes from the bottom up. */
async function raise(site: Site): Promise<Omit<Mesh, 'stop'>> {
  const { home, ports, fleet, log, signal } = site
  const { gateways, providers } = fleet
  const members = [...gateways, ...providers]
  const orAborted = <Value>(work: Promise<Value>): Promise<Value> => untilAborted(work, signal)
  const admin = (args: readonly string[], until?: AbortSignal): Promise<unknown> =>
    runCommand(COMMANDS.ledger, [...args, '--home', join(home, 'ledger')], {
      env: fleet.env,
      ...(until === undefined ? {} : { signal: until }),
    })

  const notebook = await openNotebook(join(home, 'demo.json'))
  await orAborted(layGround(site, (args) => admin(args, signal)))
  const names = { gateways: namesOf(gateways), providers: namesOf(providers) }
  await orAborted(
    Promise.all([
      fleet.bootstrap.start(),
      setUpAccounts((args) => admin(args, signal), notebook, { home, model: MODEL, ...names }),
    ]),
  )
  log(`starting ${gateways.length} gateways and ${providers.length} providers`)
  for (const { name } of members) fleet.admit(name, notebook.notes.enrolments[name]?.token)
  await orAborted(Promise.all(members.map((daemon) => daemon.start())))

  log(`waiting until the gateways list ${MODEL} with ${providers.length} providers`)
  const settled = (count: number = providers.length): Promise<void> =>
    waitForAll({ ...site, providers: count })
  await settled()
  await noteMembers(notebook, namesOf(members))
  const { developer } = notebook.notes
  if (developer === undefined) throw new MeshError('the demo has no developer account')

  return {
    bootstrap: fleet.bootstrap,
    ledger: fleet.ledger,
    gateways,
    providers,
    daemons: fleet.daemons,
    home,
    model: MODEL,
    ports,
    apiKey: developer.apiKey,
    accountId: developer.accountId,
    networkFile: join(home, NETWORK_FILE),
    admin: (args) => admin(args),
    settled,
  }
}

/** Starts the ledger, which tells its peer id, and writes the network file for all others. */
async function layGround(
  { home, ports, fleet, log, signal }: Site,
  admin: (args: readonly string[]) => Promise<unknown>,
): Promise<void> {
  const path = join(home, NETWORK_FILE)
  let bootstrap = await readBootstrapPeer(path)
  if (bootstrap === undefined) {
    log('making keys and an empty ledger')
    const idOf = ['id', '--home', join(home, 'bootstrap')]
    const [id] = await Promise.all([
      runCommand(COMMANDS.node, idOf, { env: fleet.env, signal }),
      admin(['init']),
    ])
    bootstrap = (id as { peerId: string }).peerId
  }
  log('starting the ledger and the bootstrap peer')
  const { peerId } = await fleet.ledger.start()
  await writeNetworkFile(path, { ledger: peerId, bootstrap, ports })
}

function requireBuild(): void {
  const missing = Object.values(COMMANDS).find((path) => !existsSync(path))
  if (missing !== undefined) throw new MeshError(`${missing} is missing; run: npm run build`)
}

async function choosePorts(options: MeshOptions): Promise<MeshPorts> {
  const { ports, gateways = 2 } = options
  if (ports === 'free') return freePorts(gateways)
  const chosen = ports ?? fixedPorts(DEFAULT_PORTS.base, DEFAULT_PORTS.http, gateways)
  await requirePorts(chosen)
  return chosen
}

async function waitForAll(site: Site & { providers: number }): Promise<void> {
  const { fleet, log, signal, providers } = site
  await Promise.all(
    fleet.gateways.map(({ name, url, logFile }) =>
      waitForGateway({
        name,
        url,
        logFile,
        model: MODEL,
        providers,
        withinMs: MEET_MS,
        signal,
        log,
      }),
    ),
  )
}

/** A token that let its process in is kept for as long as the process is. */
async function noteMembers(notebook: Notebook, names: readonly string[]): Promise<void> {
  for (const name of names) {
    const enrolment = notebook.notes.enrolments[name]
    if (enrolment !== undefined) enrolment.used = true
  }
  await notebook.save()
}

function namesOf(daemons: readonly Daemon[]): string[] {
  return daemons.map(({ name }) => name)
}

/** The work's result, or the signal's reason as soon as it is aborted. */
async function untilAborted<Value>(work: Promise<Value>, signal: AbortSignal): Promise<Value> {
  // Nobody may be listening to it any more when it fails.
  work.catch(() => undefined)
  signal.throwIfAborted()
  const aborted = Promise.withResolvers<never>()
  const onAbort = (): void => aborted.reject(signal.reason)
  signal.addEventListener('abort', onAbort)
  try {
    return await Promise.race([work, aborted.promise])
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}
