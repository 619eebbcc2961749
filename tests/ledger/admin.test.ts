import { once } from 'node:events'
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { connectAdmin } from '../../ledger/src/admin/admin-client.ts'
import { type AdminServer, createAdminServer } from '../../ledger/src/admin/admin-server.ts'
import { runOperation } from '../../ledger/src/admin/operations.ts'
import type { LedgerService } from '../../ledger/src/service.ts'
import { codeOf, openShop, SILENT } from './fixture.ts'

describe('the admin socket', () => {
  let directory = ''
  let path = ''
  let server: AdminServer
  let service: LedgerService
  let accountId = ''

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'lexora-admin-'))
    path = join(directory, 'admin.sock')
    const shop = await openShop({ paid: 5n })
    service = shop.service
    accountId = shop.accountId
    server = createAdminServer({ service, log: SILENT }, { path })
    await server.start()
  })
  afterEach(async () => {
    await server.stop()
    await rm(directory, { recursive: true, force: true })
  })

  async function ask(operation: string, input: unknown): Promise<unknown> {
    const client = await connectAdmin(path)
    if (client === undefined) throw new Error('no ledger runs')
    return client.ask(operation, input)
  }

  /** Sends raw bytes and returns what comes back. */
  async function send(bytes: string): Promise<string> {
    const socket = connect(path)
    await once(socket, 'connect')
    socket.write(bytes)
    let text = ''
    socket.on('error', () => {})
    for await (const chunk of socket) text += String(chunk)
    return text
  }

  it('is its owner’s alone', async () => {
    expect((await stat(path)).mode & 0o777).toBe(0o600)
  })

  it('answers as the table does without it', async () => {
    const input = { limit: 10 }
    expect(await ask('account.list', input)).toEqual(
      await runOperation(service, 'account.list', input),
    )
    const grant = { accountId, amount: '9007199254740993', id: 'g' }
    expect(await ask('account.grant', grant)).toMatchObject({
      repeated: false,
      balance: { promoNanoUsd: '9007199254740993' },
    })
    expect(service.balance(accountId).promoNanoUsd).toBe(9_007_199_254_740_993n)
  })

  it('carries errors with their code and facts', async () => {
    await expect(ask('key.revoke', { keyId: 'key_none' })).rejects.toMatchObject({
      code: 'not_found',
      facts: { keyId: 'key_none' },
    })
  })

  it.each([
    ['an unknown operation', 'account.steal', {}, 'unknown_method'],
    ['a name of every object', 'toString', {}, 'unknown_method'],
    ['a missing field', 'account.create', { kind: 'developer' }, 'invalid_request'],
    ['a field too many', 'verify', { force: true }, 'invalid_request'],
    [
      'money as a number',
      'account.grant',
      { accountId: 'a', amount: 5, id: 'x' },
      'invalid_request',
    ],
    [
      'money below zero',
      'account.grant',
      { accountId: 'a', amount: '-5', id: 'x' },
      'invalid_request',
    ],
    ['no object', 'verify', 'all', 'invalid_request'],
  ])('refuses %s', async (_, operation, input, code) => {
    expect(await codeOf(ask(operation, input))).toBe(code)
  })

  it.each(['nonsense\n', '{}\n', '{"v":2,"operation":"verify","input":{}}\n', '\n'])(
    'refuses the line %j',
    async (line) => {
      expect(JSON.parse(await send(line))).toMatchObject({
        ok: false,
        error: { code: 'malformed' },
      })
    },
  )

  it('refuses a line that does not end', async () => {
    const answer = JSON.parse(await send('x'.repeat(300 * 1024))) as unknown
    expect(answer).toMatchObject({ ok: false, error: { code: 'frame_too_large' } })
    expect(await ask('prices.show', {})).toMatchObject({ version: 1 })
  })

  it('serves several at once', async () => {
    const asked = Array.from({ length: 12 }, (_, index) =>
      ask('account.create', { kind: 'developer', label: `d${index}` }),
    )
    await Promise.all(asked)
    expect(service.listAccounts().filter((each) => /^d\d/.test(each.label))).toHaveLength(12)
  })

  it('checks the books of a running ledger', async () => {
    expect(await ask('verify', {})).toMatchObject({ problems: [], customersPaid: '5' })
  })

  it('is not waited for without end, and says so', async () => {
    const silent = join(directory, 'silent.sock')
    const deaf = createServer(() => {}).listen(silent)
    await once(deaf, 'listening')
    const client = await connectAdmin(silent, { answerMs: 50 })
    expect(await codeOf(client?.ask('account.deposit', {}) ?? Promise.resolve())).toBe('timeout')
    deaf.close()
  })

  it('takes the place of a socket that was left behind', async () => {
    await server.stop()
    await writeFile(path, '')
    await server.start()
    expect(await ask('prices.show', {})).toMatchObject({ version: 1 })
  })

  it('is told from a ledger that does not run', async () => {
    await server.stop()
    expect(await connectAdmin(path)).toBeUndefined()
    expect(await connectAdmin(join(directory, 'none.sock'))).toBeUndefined()
  })

  it('refuses a path that no socket can have', async () => {
    const long = createAdminServer({ service, log: SILENT }, { path: `/${'x'.repeat(120)}` })
    expect(await codeOf(long.start())).toBe('invalid_request')
  })

  it('sets prices with the next version where none is named', async () => {
    const model = { model: 'm', inputNanoUsd: '1', cachedInputNanoUsd: '1', outputNanoUsd: '2' }
    expect(await ask('prices.set', { feeBasisPoints: 5, models: [model] })).toEqual({
      version: 2,
      effectiveAtMs: 0,
      feeBasisPoints: 5,
      models: [model],
    })
    expect(service.prices().models[0]?.outputNanoUsd).toBe(2n)
  })
})
