import { chmod, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { generateKeyPair, privateKeyToProtobuf } from '@libp2p/crypto/keys'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  loadOrCreateKey,
  peerIdOfKey,
  publicKeyOfKey,
  seedOfKey,
} from '../../../protocol/src/mesh/key-file.ts'
import { publicKeyOf } from '../../../protocol/src/peer-id.ts'

let folder = ''
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lexora-key-'))
})
afterEach(async () => {
  await rm(folder, { recursive: true })
})

describe('loadOrCreateKey()', () => {
  it('makes a key that only its owner can read, and finds it again', async () => {
    const path = join(folder, 'deep', 'peer.key')
    const key = await loadOrCreateKey(path)
    expect((await stat(path)).mode & 0o777).toBe(0o600)
    expect((await loadOrCreateKey(path)).raw).toEqual(key.raw)
    expect(await readdir(join(folder, 'deep'))).toEqual(['peer.key'])
  })

  it('gives processes that start at once the same key', async () => {
    const path = join(folder, 'peer.key')
    const keys = await Promise.all(Array.from({ length: 8 }, () => loadOrCreateKey(path)))
    expect(new Set(keys.map(peerIdOfKey)).size).toBe(1)
  })

  it('refuses a file that others can read and says what to run', async () => {
    const path = join(folder, 'peer.key')
    await loadOrCreateKey(path)
    await chmod(path, 0o640)
    await expect(loadOrCreateKey(path)).rejects.toMatchObject({
      code: 'forbidden',
      message: expect.stringContaining(`chmod 600 ${path}`) as string,
    })
  })

  it('refuses what is not an Ed25519 key, and leaves it there', async () => {
    const other = privateKeyToProtobuf(await generateKeyPair('secp256k1'))
    for (const content of [Buffer.from('no key'), Buffer.alloc(0), Buffer.alloc(10_000), other]) {
      const path = join(folder, 'peer.key')
      await writeFile(path, content, { mode: 0o600 })
      await expect(loadOrCreateKey(path)).rejects.toMatchObject({ code: 'malformed' })
      expect((await stat(path)).size).toBe(content.length)
    }
  })

  it('has the raw parts of the key', async () => {
    const key = await loadOrCreateKey(join(folder, 'peer.key'))
    expect(seedOfKey(key)).toHaveLength(32)
    expect(peerIdOfKey(key)).toBe(peerIdFromPrivateKey(key).toString())
    expect(publicKeyOf(peerIdOfKey(key))).toEqual(publicKeyOfKey(key))
  })
})
