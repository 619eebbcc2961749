import { randomBytes } from 'node:crypto'
import { link, mkdir, open, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { generateKeyPair, privateKeyFromProtobuf, privateKeyToProtobuf } from '@libp2p/crypto/keys'
import type { Ed25519PrivateKey } from '@libp2p/interface'
import { LexoraError } from '../errors.ts'
import { peerIdOf } from '../peer-id.ts'

/** A libp2p Ed25519 key in protobuf is 68 bytes; other kinds, up to RSA 4096, stay below this and are refused by name. */
const KEY_FILE_BYTES_MAX = 4096

/**
 * Reads the Ed25519 identity of this process, or makes it on the first start (mode 0600, written whole or not at all,
 * also when two processes start at once). Throws LexoraError `forbidden` when others can read the file and `malformed`
 * when it holds something else.
 */
export async function loadOrCreateKey(path: string): Promise<Ed25519PrivateKey> {
  return (await loadKey(path)) ?? (await createKey(path))
}

/** A new identity that is kept nowhere, for tests and benchmarks. */
export function generateKey(): Promise<Ed25519PrivateKey> {
  return generateKeyPair('Ed25519')
}

/** The raw 32-byte seed of a key, for `node:crypto` and other signers. Secret. */
export function seedOfKey(key: Ed25519PrivateKey): Uint8Array {
  return key.raw.subarray(0, 32)
}

/** The raw 32-byte public key of a key. */
export function publicKeyOfKey(key: Ed25519PrivateKey): Uint8Array {
  return key.publicKey.raw
}

/** The peer id of a key. */
export function peerIdOfKey(key: Ed25519PrivateKey): string {
  return peerIdOf(key.publicKey.raw)
}

async function loadKey(path: string): Promise<Ed25519PrivateKey | undefined> {
  const file = await open(path, 'r').catch((error: unknown) => {
    if (isFileError(error, 'ENOENT')) return undefined
    throw error
  })
  if (file === undefined) return undefined
  try {
    const { mode, size } = await file.stat()
    // Windows has no such bits and reports 0666 for every file.
    if (process.platform !== 'win32' && (mode & 0o077) !== 0) {
      const message = `other users can read the key file; run: chmod 600 ${path}`
      throw new LexoraError('forbidden', message, {
        facts: { path, mode: (mode & 0o777).toString(8) },
      })
    }
    if (size > KEY_FILE_BYTES_MAX) throw malformed(path)
    return parseKey(path, await file.readFile())
  } finally {
    await file.close()
  }
}

/** Writes a temporary file and links it to its name, which fails when another process was first. */
async function createKey(path: string): Promise<Ed25519PrivateKey> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  const key = await generateKey()
  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`
  try {
    const file = await open(temporary, 'wx', 0o600)
    try {
      await file.writeFile(privateKeyToProtobuf(key))
      await file.sync()
    } finally {
      await file.close()
    }
    await link(temporary, path)
    return key
  } catch (error) {
    const existing = isFileError(error, 'EEXIST') ? await loadKey(path) : undefined
    if (existing === undefined) throw error
    return existing
  } finally {
    await rm(temporary, { force: true })
  }
}

function parseKey(path: string, bytes: Uint8Array): Ed25519PrivateKey {
  let key: ReturnType<typeof privateKeyFromProtobuf>
  try {
    key = privateKeyFromProtobuf(bytes)
  } catch (cause) {
    throw malformed(path, cause)
  }
  if (key.type !== 'Ed25519') throw malformed(path)
  return key
}

function malformed(path: string, cause?: unknown): LexoraError {
  const message = `the key file does not hold an Ed25519 key: ${path}`
  return new LexoraError('malformed', message, {
    facts: { path },
    ...(cause === undefined ? {} : { cause }),
  })
}

function isFileError(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}
