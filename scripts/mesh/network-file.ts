import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { COMMANDS } from './fleet.ts'
import { MeshError } from './mesh-error.ts'
import { writeWhole } from './notebook.ts'
import { LOOPBACK, type MeshPorts } from './ports.ts'

/** The network file's name in the home folder. */
export const NETWORK_FILE = 'network.json'

/** Runs a command line and returns its data. */
export type Run = (command: string, args: readonly string[]) => Promise<unknown>

/**
 * Writes the network file: whom to trust and where to begin. On the first start it makes the ledger and the bootstrap
 * peer's key; later only the ports may change.
 */
export async function writeNetworkFile(site: {
  home: string
  ports: MeshPorts
  run: Run
}): Promise<void> {
  const { home, ports, run } = site
  const path = join(home, NETWORK_FILE)
  const known = await readPeers(path)
  const { ledger, bootstrap } = known ?? (await makePeers(home, run))
  await writeWhole(path, {
    name: 'lexora-demo',
    ledger: { peerId: ledger, addresses: [address(ports.ledger)] },
    bootstrap: [`${address(ports.bootstrap)}/p2p/${bootstrap}`],
  })
}

interface Peers {
  ledger: string
  bootstrap: string
}

async function readPeers(path: string): Promise<Peers | undefined> {
  try {
    const file = JSON.parse(await readFile(path, 'utf8')) as {
      ledger: { peerId: string }
      bootstrap: string[]
    }
    const bootstrap = file.bootstrap[0]?.split('/p2p/')[1]
    return bootstrap === undefined ? undefined : { ledger: file.ledger.peerId, bootstrap }
  } catch {
    // No file yet, or one that says nothing: the keys themselves tell.
    return undefined
  }
}

async function makePeers(home: string, run: Run): Promise<Peers> {
  const [ledger, bootstrap] = await Promise.all([
    makeLedger(join(home, 'ledger'), run),
    run(COMMANDS.node, ['id', '--home', join(home, 'bootstrap')]).then(peerIdIn),
  ])
  return { ledger, bootstrap }
}

async function makeLedger(home: string, run: Run): Promise<string> {
  await run(COMMANDS.ledger, ['init', '--home', home])
  return peerIdIn(await run(COMMANDS.ledger, ['id', '--home', home]))
}

function peerIdIn(data: unknown): string {
  const peerId = (data as { peerId?: unknown } | null)?.peerId
  if (typeof peerId === 'string') return peerId
  throw new MeshError('a command line answered without a peer id')
}

function address(port: number): string {
  return `/ip4/${LOOPBACK}/tcp/${port}`
}
