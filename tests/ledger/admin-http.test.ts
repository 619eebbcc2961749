import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ledgerHome } from '../../ledger/src/home.ts'
import { createAdminApp } from '../../ledger/src/http/admin/admin-app.ts'
import { createAdminEdge } from '../../ledger/src/http/admin/admin-edge.ts'
import { openPeople } from '../../ledger/src/open-people.ts'
import { createLedgerService, type LedgerService } from '../../ledger/src/service.ts'
import { codeOf, countingRandom, openLedger, SILENT } from './fixture.ts'

const PASSWORD = 'correct horse battery'
const OPERATOR = 'op@example.org'
const ADA = 'ada@example.org'

describe('operators’ HTTP', () => {
  let directory = ''
  let service: LedgerService
  let app: ReturnType<typeof createAdminApp>

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'lexora-admin-'))
    const { store, clock } = await openLedger()
    const random = countingRandom()
    const config = { from: 'x@example.org', siteUrl: 'https://lexora.example' }
    const people = await openPeople(ledgerHome(directory), config, random)
    const parts = { clock: () => clock.nowMs, random, freeDiskBytes: () => 1024 ** 4, log: SILENT }
    service = await createLedgerService({ store, people, ...parts })
    app = createAdminApp({ service, log: SILENT })
  })
  afterEach(async () => {
    await app.close()
    await service.stop()
    await rm(directory, { recursive: true })
  })

  const send = async (path: string, body?: object, headers: Record<string, string> = {}) => {
    const answer = await app.inject({
      method: body === undefined ? 'GET' : 'POST',
      url: path,
      headers: { host: '127.0.0.1:1', ...headers },
      ...(body === undefined ? {} : { payload: body }),
    })
    return { status: answer.statusCode, ...(answer.json() as Record<string, unknown>) } as {
      status: number
      ok: boolean
      data: Record<string, unknown>
    }
  }

  async function lastToken(): Promise<string> {
    const names = (await readdir(join(directory, 'mail'))).toSorted()
    const texts = await Promise.all(
      names.map((name) => readFile(join(directory, 'mail', name), 'utf8')),
    )
    const flat = texts.map((text) => text.replaceAll('=\r\n', '').replaceAll('=3D', '='))
    return /token=(lxm_\w+)/.exec(flat.at(-1) ?? '')?.[1] ?? ''
  }

  async function logIn(): Promise<Record<string, string>> {
    await service.people?.createOperator(OPERATOR)
    await service.people?.resetPassword(await lastToken(), PASSWORD)
    const { data } = await send('/v1/login', { email: OPERATOR, password: PASSWORD })
    return { authorization: `Bearer ${String(data['token'])}` }
  }

  it('carries out operations for operators, with a reason, and notes who it was', async () => {
    const session = await logIn()
    const input = { kind: 'developer', label: 'bob' }
    const path = '/v1/operations/account.create'
    expect(await send(path, { input }, session)).toMatchObject({ status: 400 })
    expect(await send(path, { input, reason: ' ' }, session)).toMatchObject({ status: 400 })
    const made = await send(path, { input, reason: 'asked by mail' }, session)
    expect(made).toMatchObject({ status: 200, ok: true, data: { label: 'bob' } })
    const seen = await send('/v1/session', undefined, session)
    const { accountId } = seen.data['account'] as { accountId: string }
    expect(service.listAudits(1)).toMatchObject([
      { actor: accountId, operation: 'account.create', reason: 'asked by mail' },
    ])
    const looked = await send('/v1/operations/account.list', { input: { limit: 5 } }, session)
    expect(looked.status).toBe(200)
  })

  it('lets nobody else in', async () => {
    const session = await logIn()
    const input = { limit: 5 }
    const path = '/v1/operations/account.list'
    expect((await send(path, { input })).status).toBe(403)
    expect((await send(path, { input }, { authorization: 'Bearer lxs_no' })).status).toBe(403)
    expect((await send(path, { input }, { ...session, host: 'evil.example' })).status).toBe(403)
    const wrong = await send('/v1/login', { email: OPERATOR, password: 'wrong password' })
    expect(wrong.status).toBe(403)
    await service.people?.signUp({
      email: ADA,
      password: PASSWORD,
      country: 'GB',
      kind: 'developer',
      acceptsAdult: true,
      acceptsTerms: 0,
    })
    await service.people?.requestReset(ADA)
    await service.people?.resetPassword(await lastToken(), PASSWORD)
    expect((await send('/v1/login', { email: ADA, password: PASSWORD })).status).toBe(403)
    expect((await send('/v1/logout', {}, session)).status).toBe(200)
    expect((await send(path, { input }, session)).status).toBe(403)
  })

  it('ends with the operator’s account', async () => {
    const session = await logIn()
    const [operator] = service.listAccounts()
    await service.suspendAccount(operator?.accountId ?? '', 'left')
    expect((await send('/v1/session', undefined, session)).status).toBe(403)
  })

  it('says what it cannot read or do', async () => {
    const session = await logIn()
    const reason = 'why not'
    expect((await send('/v1/operations/nothing', { reason }, session)).status).toBe(404)
    expect((await send('/v1/operations/backup', { reason }, session)).status).toBe(403)
    expect((await send('/elsewhere', undefined, session)).status).toBe(404)
    const refused = await send('/v1/operations/account.grant', { input: {}, reason }, session)
    expect(refused).toMatchObject({ status: 400, ok: false, error: { code: 'invalid_request' } })
    const long = { input: 'x'.repeat(300 * 1024), reason }
    expect((await send('/v1/operations/verify', long, session)).status).toBe(413)
  })

  it('listens on loopback only', async () => {
    const edge = createAdminEdge({ service, log: SILENT }, { host: '0.0.0.0', port: 0 })
    expect(await codeOf(edge.start())).toBe('invalid_request')
    const good = createAdminEdge({ service, log: SILENT }, { host: '127.0.0.1', port: 0 })
    await good.start()
    const answer = await fetch(`${good.url}/v1/session`)
    expect(answer.status).toBe(403)
    await good.stop()
    await good.stop()
  })
})
