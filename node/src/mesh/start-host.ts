import { LexoraError } from '@lexora/protocol'
import type { MeshHost } from '@lexora/protocol/mesh'

/**
 * Starts a mesh host. Throws `conflict` when an address is taken and `invalid_request` when it cannot be listened on:
 * libp2p's own error is a page long.
 */
export async function startHost(host: MeshHost, listen: readonly string[]): Promise<void> {
  try {
    await host.start()
  } catch (cause) {
    const where = listen.join(', ')
    if (String(cause).includes('EADDRINUSE')) {
      const message = `${where} is taken by another program: stop it or pass another --listen`
      throw new LexoraError('conflict', message, { cause })
    }
    throw new LexoraError('invalid_request', `cannot listen on ${where}: pass another --listen`, {
      cause,
    })
  }
}
