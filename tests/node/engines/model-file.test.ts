import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { checkModelFile, sha256OfFile } from '../../../node/src/engines/model-file.ts'

let folder: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lexora-model-file-'))
})

afterAll(async () => await rm(folder, { recursive: true }))

async function file(content: Uint8Array): Promise<string> {
  const path = join(folder, 'model.gguf')
  await writeFile(path, content)
  return path
}

/** A header with the given fields; the counts are of tensors and of keys. */
function header(magic: string, version: number, counts: [bigint, bigint]): Buffer {
  const bytes = Buffer.alloc(24)
  bytes.write(magic, 'latin1')
  bytes.writeUInt32LE(version, 4)
  bytes.writeBigUInt64LE(counts[0], 8)
  bytes.writeBigUInt64LE(counts[1], 16)
  return bytes
}

describe('checkModelFile()', () => {
  it('lets a header of either version pass', async () => {
    for (const version of [2, 3]) {
      const path = await file(header('GGUF', version, [300n, 40n]))
      await expect(checkModelFile(path)).resolves.toBeUndefined()
    }
  })

  it.each([
    ['another kind of file', header('PK\u0003\u0004', 3, [1n, 1n])],
    ['another version', header('GGUF', 4, [1n, 1n])],
    ['too many tensors', header('GGUF', 3, [1_000_001n, 1n])],
    ['too many keys', header('GGUF', 3, [1n, 1_000_001n])],
    ['half a header', header('GGUF', 3, [1n, 1n]).subarray(0, 23)],
    ['nothing', Buffer.alloc(0)],
  ])('refuses %s', async (_, content) => {
    await expect(checkModelFile(await file(content))).rejects.toMatchObject({
      code: 'provider_fault',
    })
  })

  it('says not_found of a file that is not there', async () => {
    await expect(checkModelFile(join(folder, 'missing'))).rejects.toMatchObject({
      code: 'not_found',
    })
    await expect(sha256OfFile(join(folder, 'missing'))).rejects.toMatchObject({ code: 'not_found' })
  })
})

describe('sha256OfFile()', () => {
  it('hashes what is in the file', async () => {
    expect(await sha256OfFile(await file(Buffer.from('abc')))).toBe(
      'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
    )
  })
})
