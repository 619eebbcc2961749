import { readFile } from 'node:fs/promises'
import { LexoraError, type NetworkConfig, parseNetworkConfig } from '@lexora/protocol'

/** Reads a network file. Throws `invalid_request` naming the file and what is wrong with it. */
export async function readNetworkFile(path: string): Promise<NetworkConfig> {
  try {
    return parseNetworkConfig(JSON.parse(await readFile(path, 'utf8')))
  } catch (cause) {
    throw new LexoraError('invalid_request', `${path}: ${faultOf(cause)}`, { cause })
  }
}

function faultOf(cause: unknown): string {
  if (cause instanceof LexoraError) return cause.message
  if (cause instanceof SyntaxError) return 'the network file is not JSON'
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown'
  if (code === 'ENOENT') return 'there is no such network file'
  return `the network file cannot be read (${code})`
}
