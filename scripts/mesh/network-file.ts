import { readFile } from 'node:fs/promises'
import { writeWhole } from './notebook.ts'
import { LOOPBACK, type MeshPorts } from './ports.ts'

/** Its name in the home folder. */
export const NETWORK_FILE = 'network.json'

/** Writes the network file: whom to trust and where to begin. */
export async function writeNetworkFile(
  path: string,
  peers: { ledger: string; bootstrap: string; ports: MeshPorts },
): Promise<void> {
  const { ledger, bootstrap, ports } = peers
  await writeWhole(path, {
    name: 'lexora-demo',
    ledger: { peerId: ledger, addresses: [address(ports.ledger)] },
    bootstrap: [`${address(ports.bootstrap)}/p2p/${bootstrap}`],
  })
}

/** The bootstrap peer of the last start; undefined where no file tells. */
export async function readBootstrapPeer(path: string): Promise<string | undefined> {
  try {
    const { bootstrap } = JSON.parse(await readFile(path, 'utf8')) as { bootstrap: string[] }
    return bootstrap[0]?.split('/p2p/')[1]
  } catch {
    // Its key tells, a little later.
    return undefined
  }
}

function address(port: number): string {
  return `/ip4/${LOOPBACK}/tcp/${port}`
}
