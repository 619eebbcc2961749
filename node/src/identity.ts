import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { createSigner, type Signer } from '@lexora/protocol'
import { loadOrCreateKey, seedOfKey } from '@lexora/protocol/mesh'

/** Who this node is. */
export interface Identity {
  privateKey: Awaited<ReturnType<typeof loadOrCreateKey>>
  signer: Signer
}

/**
 * Reads the key of a home folder, or makes both. Throws `forbidden` when others can read the key and `malformed` when
 * the file holds something else.
 */
export async function loadIdentity(home: string): Promise<Identity> {
  await mkdir(home, { recursive: true, mode: 0o700 })
  const privateKey = await loadOrCreateKey(join(home, 'peer.key'))
  return { privateKey, signer: createSigner(seedOfKey(privateKey)) }
}
