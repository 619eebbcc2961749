import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { lastError } from '../../scripts/mesh/log-file.ts'

describe('lastError()', () => {
  let folder = ''
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'lexora-log-'))
  })
  afterEach(() => rm(folder, { recursive: true, force: true }))

  const info = JSON.stringify({ level: 30, msg: 'attempt failed before the first token' })

  async function errorOf(...lines: string[]): Promise<string | undefined> {
    const path = join(folder, 'log')
    await writeFile(path, lines.map((line) => `${line}\n`).join(''))
    return lastError(path, 0)
  }

  it('takes no piece of a long log’s lines for an error', async () => {
    expect(await errorOf(...Array<string>(1_000).fill(info))).toBeUndefined()
  })

  it('finds an error, and what a crash says, behind a long log', async () => {
    const lines = Array<string>(1_000).fill(info)
    expect(await errorOf(...lines, '{"level":60,"msg":"failed","err":{"message":"why"}}')).toBe(
      'failed: why',
    )
    expect(await errorOf(...lines, 'TypeError: x is not a function')).toContain('TypeError')
  })
})
