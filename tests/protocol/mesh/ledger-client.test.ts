import { afterEach, describe, expect, it, vi } from 'vitest'
import {
  CERTIFICATE_LIFETIME_MS,
  CERTIFICATE_RENEW_BEFORE_MS,
  certificateCodec,
  certificateResponseCodec,
  checkCertificate,
  createSigner,
  enrolRequestCodec,
  issueCertificate,
  keyInfoRequestCodec,
  LEDGER_METHODS,
  LEDGER_PROTOCOL,
  LexoraError,
  type MembershipCertificate,
  open,
  PRICES_NOTICE,
  type Signer,
} from '../../../protocol/src/index.ts'
import { createMeshHost, type MeshHost } from '../../../protocol/src/mesh/host.ts'
import { generateKey, seedOfKey } from '../../../protocol/src/mesh/key-file.ts'
import {
  createLedgerClient,
  type LedgerClient,
  type LedgerClientOptions,
} from '../../../protocol/src/mesh/ledger-client.ts'
import { silentLog } from '../../../protocol/src/mesh/log.ts'
import type { RequestHandler } from '../../../protocol/src/mesh/serve.ts'
import type { Session } from '../../../protocol/src/mesh/session.ts'
import { NOTHING } from './session-pair.ts'

const stops: (() => unknown)[] = []
afterEach(async () => {
  vi.useRealTimers()
  vi.restoreAllMocks()
  for (const stop of stops.splice(0).reverse()) await stop()
})

type PrivateKey = Awaited<ReturnType<typeof generateKey>>

async function startHost(privateKey: PrivateKey, listen: string[]): Promise<MeshHost> {
  const options = { privateKey, listen, bootstrap: [], dhtServer: false, topics: [] }
  const host = await createMeshHost({}, options)
  stops.push(() => host.stop())
  await host.start()
  return host
}

/** A ledger that knows members by peer id, and a token that makes one. */
class ScriptedServer {
  readonly members = new Set<string>()
  readonly sessions: Session[] = []
  /** Methods that were called, in order. */
  readonly calls: string[] = []
  /** Called before each answer; what it throws is the answer. */
  before: (method: string, session: Session) => void = () => {}
  /** Answers of methods other than those of membership. */
  answers: Record<string, RequestHandler> = {}
  certificate: Partial<MembershipCertificate> = {}
  nowMs: () => number = () => Date.now()
  readonly signer: Signer
  serial = 0
  host: MeshHost | undefined
  readonly #key: PrivateKey
  #address = '/ip4/127.0.0.1/tcp/0'

  constructor(key: PrivateKey) {
    this.#key = key
    this.signer = createSigner(seedOfKey(key))
  }

  get peerId(): string {
    return this.signer.peerId
  }

  get addresses(): string[] {
    return this.host?.addresses() ?? []
  }

  /** Starts, again on the port that it had. */
  async start(): Promise<void> {
    const host = await startHost(this.#key, [this.#address])
    const [first = ''] = host.addresses()
    this.#address = first.replace(/\/p2p\/.*$/, '')
    this.host = host
    await host.serveSessions(LEDGER_PROTOCOL, {
      hello: () => NOTHING,
      accept: (peerId) => ({ requests: this.#handlers(peerId), notices: {} }),
      onSession: (session) => void this.sessions.push(session),
    })
  }

  #handlers(peerId: string): Record<string, RequestHandler> {
    const answers: Record<string, RequestHandler> = {
      ...this.answers,
      [LEDGER_METHODS.renewCertificate]: async () => this.#issue(peerId),
      [LEDGER_METHODS.enrol]: async (payload) => {
        const { token } = enrolRequestCodec.decode(payload)
        if (token !== 'good') throw new LexoraError('enrolment_refused', 'no such token')
        this.members.add(peerId)
        return this.#issue(peerId)
      },
    }
    const handlers = Object.entries(answers).map(([method, answer]): [string, RequestHandler] => [
      method,
      async (payload, context) => {
        this.calls.push(method)
        this.before(method, context.session)
        return answer(payload, context)
      },
    ])
    return Object.fromEntries(handlers)
  }

  #issue(peerId: string): Uint8Array {
    if (!this.members.has(peerId)) throw new LexoraError('not_a_member', 'who are you?')
    const nowMs = this.nowMs()
    const certificate = issueCertificate(this.signer, {
      peerId,
      role: 'gateway',
      accountRef: 'acc',
      notBeforeMs: nowMs,
      notAfterMs: nowMs + CERTIFICATE_LIFETIME_MS,
      serial: ++this.serial,
      ...this.certificate,
    })
    return certificateResponseCodec.encode({ certificate })
  }
}

interface Setting {
  server: ScriptedServer
  client: LedgerClient
  host: MeshHost
  clock: { offsetMs: number }
  certificates: Uint8Array[]
  refusals: LexoraError[]
  logged: string[]
}

interface SettingOptions extends Partial<LedgerClientOptions> {
  answers?: Record<string, RequestHandler>
  member?: boolean
}

async function setting({
  answers,
  member = true,
  ...options
}: SettingOptions = {}): Promise<Setting> {
  const server = new ScriptedServer(await generateKey())
  server.answers = answers ?? {}
  await server.start()
  const host = await startHost(await generateKey(), [])
  if (member) server.members.add(host.peerId)
  const clock = { offsetMs: 0 }
  server.nowMs = () => Date.now() + clock.offsetMs
  const logged: string[] = []
  const write = (_fields: object, message: string): void => void logged.push(message)
  const client = createLedgerClient(
    { host, log: { debug: write, info: write, warn: write, error: write }, clock: server.nowMs },
    {
      ledger: { peerId: server.peerId, addresses: server.addresses },
      role: 'gateway',
      software: 'test',
      ...options,
    },
  )
  stops.push(() => client.stop())
  const certificates: Uint8Array[] = []
  const refusals: LexoraError[] = []
  client.onCertificate((certificate) => certificates.push(certificate))
  client.onRefused((error) => refusals.push(error))
  return { server, client, host, clock, certificates, refusals, logged }
}

const { renewCertificate, enrol, prices, voidHold, keyInfo } = LEDGER_METHODS

function serialOf(bytes: Uint8Array | undefined): number {
  return certificateCodec.decode(open('lexora-certificate', bytes ?? NOTHING).payload).serial
}

function ask(client: LedgerClient): Promise<string> {
  return client.send(voidHold, keyInfoRequestCodec, { keyHash: new Uint8Array(32) }).then(
    () => 'answered',
    (error: unknown) => (error as LexoraError).code,
  )
}

describe('membership', () => {
  it('of a member: a certificate is asked for at once', async () => {
    const { server, client, host, certificates } = await setting()
    expect(client.certificate()).toBeUndefined()
    expect(client.isConnected).toBe(false)
    client.start()
    await expect.poll(() => certificates.length).toBe(1)
    expect(client.isConnected).toBe(true)
    const certificate = client.certificate() ?? NOTHING
    const check = { ledgerPeerId: server.peerId, nowMs: Date.now(), peerId: host.peerId }
    expect(checkCertificate(certificate, check)).toMatchObject({ role: 'gateway', serial: 1 })
    expect(server.calls).toEqual([renewCertificate])
  })

  it('of a stranger with a token: it is redeemed once, later sessions only renew', async () => {
    const { server, client, certificates } = await setting({
      member: false,
      enrolmentToken: 'good',
    })
    client.start()
    await expect.poll(() => certificates.length).toBe(1)
    expect(server.calls).toEqual([renewCertificate, enrol])
    server.sessions[0]?.close()
    await expect.poll(() => certificates.length, { timeout: 5_000 }).toBe(2)
    expect(server.calls).toEqual([renewCertificate, enrol, renewCertificate])
    expect(serialOf(client.certificate())).toBe(2)
  })

  it.each<[string, SettingOptions, string]>([
    ['without a token', {}, 'not_a_member'],
    ['with a bad token', { enrolmentToken: 'bad' }, 'enrolment_refused'],
  ])(
    'of a stranger %s: the owner is told why, and calls still say what they say',
    async (_name, options, code) => {
      const { client, refusals } = await setting({ ...options, member: false })
      client.start()
      await expect.poll(() => refusals.map((error) => error.code)).toContain(code)
      expect(client.certificate()).toBeUndefined()
      expect(await ask(client)).toBe('unknown_method')
    },
  )

  it('comes later, without a new start', async () => {
    const { server, client, host, certificates, refusals } = await setting({ member: false })
    client.start()
    await expect.poll(() => refusals.length).toBeGreaterThan(0)
    server.members.add(host.peerId)
    await expect.poll(() => certificates.length, { timeout: 5_000 }).toBe(1)
  })

  it.each<[string, Partial<MembershipCertificate>]>([
    ['another role', { role: 'provider' }],
    ['another peer', { peerId: createSigner(new Uint8Array(32).fill(1)).peerId }],
  ])('in %s is no membership', async (_name, certificate) => {
    const { server, client, refusals, certificates } = await setting()
    server.certificate = certificate
    client.start()
    await expect.poll(() => refusals.map(({ code }) => code)).toContain('not_a_member')
    expect(certificates).toEqual([])
    expect(client.certificate()).toBeUndefined()
  })

  it('ends with its certificate where that could not be renewed', async () => {
    const { client, clock, certificates } = await setting()
    client.start()
    await expect.poll(() => certificates.length).toBe(1)
    clock.offsetMs = CERTIFICATE_LIFETIME_MS - 5_000
    expect(client.certificate()).toBe(certificates[0])
    clock.offsetMs = CERTIFICATE_LIFETIME_MS + 1
    expect(client.certificate()).toBeUndefined()
  })

  it('is renewed once half of it is over, on the session that is open', async () => {
    const { server, client, clock, certificates } = await setting()
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    client.start()
    await until(() => certificates.length === 1, 10)
    clock.offsetMs = CERTIFICATE_LIFETIME_MS - CERTIFICATE_RENEW_BEFORE_MS - 60_000
    await vi.advanceTimersByTimeAsync(30_000)
    expect(server.calls.length).toBe(1)
    clock.offsetMs = CERTIFICATE_LIFETIME_MS - CERTIFICATE_RENEW_BEFORE_MS + 60_000
    await vi.advanceTimersByTimeAsync(30_000)
    await until(() => certificates.length === 2)
    expect(server.sessions.length).toBe(1)
    expect(serialOf(client.certificate())).toBe(2)
  })
})

/** Waits without touching a fake clock, or by moving it on a little in each turn. */
async function until(condition: () => boolean, stepMs: number = 0): Promise<void> {
  const deadline = process.hrtime.bigint() + 10_000_000_000n
  while (!condition()) {
    if (process.hrtime.bigint() > deadline)
      throw new Error(`it never came to: ${String(condition)}`)
    if (stepMs > 0) await vi.advanceTimersByTimeAsync(stepMs)
    await new Promise((resolve) => setImmediate(resolve))
  }
}

describe('the link', () => {
  it('comes back after the ledger restarts; meanwhile calls fail as ledger_unavailable', async () => {
    const echo: RequestHandler = () => Promise.resolve(NOTHING)
    const { server, client, certificates } = await setting({ answers: { [voidHold]: echo } })
    expect(await ask(client)).toBe('ledger_unavailable')
    client.start()
    await expect.poll(() => certificates.length).toBe(1)
    expect(await ask(client)).toBe('answered')
    await server.host?.stop()
    await expect.poll(() => client.isConnected).toBe(false)
    expect(await ask(client)).toBe('ledger_unavailable')
    expect(client.certificate()).toBe(certificates[0])
    await server.start()
    await expect.poll(() => certificates.length, { timeout: 15_000 }).toBe(2)
    expect(await ask(client)).toBe('answered')
  }, 30_000)

  it('a call that the session does not survive is ledger_unavailable too', async () => {
    const hang: RequestHandler = (_payload, { session }) => {
      session.close()
      return new Promise(() => {})
    }
    const { client, certificates } = await setting({ answers: { [voidHold]: hang } })
    client.start()
    await expect.poll(() => certificates.length).toBe(1)
    expect(await ask(client)).toBe('ledger_unavailable')
  })

  it('a ledger that takes no more calls is away; its other errors are its own', async () => {
    const answers = {
      [voidHold]: () => Promise.reject(new LexoraError('provider_busy', 'too many')),
      [keyInfo]: () => Promise.reject(new LexoraError('invalid_api_key', 'no')),
    }
    const { client, certificates } = await setting({ answers })
    client.start()
    await expect.poll(() => certificates.length).toBe(1)
    expect(await ask(client)).toBe('ledger_unavailable')
    const asking = client.send(keyInfo, keyInfoRequestCodec, { keyHash: new Uint8Array(32) })
    await expect(asking).rejects.toMatchObject({ code: 'invalid_api_key' })
  })

  it('a ledger that does not answer is given up after 5 s', async () => {
    const { client, certificates } = await setting({
      answers: { [voidHold]: () => new Promise(() => {}) },
    })
    client.start()
    await expect.poll(() => certificates.length).toBe(1)
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    let outcome: string | undefined
    void ask(client).then((code) => {
      outcome = code
    })
    await vi.advanceTimersByTimeAsync(4_990)
    expect(outcome).toBeUndefined()
    await vi.advanceTimersByTimeAsync(20)
    await until(() => outcome !== undefined)
    expect(outcome).toBe('ledger_unavailable')
    expect(client.isConnected).toBe(true)
  })

  it('an answer that cannot be read is malformed', async () => {
    const { client, certificates } = await setting({
      answers: { [prices]: () => Promise.resolve(new Uint8Array([255])) },
    })
    client.start()
    await expect.poll(() => certificates.length).toBe(1)
    await expect(client.request(prices, certificateResponseCodec)).rejects.toMatchObject({
      code: 'malformed',
    })
  })

  it('broken in the same turn as the certificate came is taken up again soon, not at the next check', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const signer = createSigner(new Uint8Array(32).fill(1))
    let opened = 0
    const openSession = (): Promise<Session> => {
      opened++
      let isOpen = true
      let closed = (): void => {}
      const certificate = issueCertificate(signer, {
        peerId: signer.peerId,
        role: 'gateway',
        accountRef: '',
        notBeforeMs: Date.now(),
        notAfterMs: Date.now() + CERTIFICATE_LIFETIME_MS,
        serial: 1,
      })
      const session: Partial<Session> = {
        get isOpen() {
          return isOpen
        },
        onClose: (listener) => {
          closed = () => listener(undefined)
          return () => {}
        },
        close: () => {},
        request() {
          // The answer and the goodbye were in one chunk: the promise is settled, then the session ends.
          const answer = Promise.resolve(certificateResponseCodec.encode({ certificate }))
          if (opened === 1) {
            isOpen = false
            closed()
          }
          return answer
        },
      }
      return Promise.resolve(session as Session)
    }
    const host = { peerId: signer.peerId, openSession } as unknown as MeshHost
    const client = createLedgerClient(
      { host, log: silentLog(), clock: Date.now },
      { ledger: { peerId: signer.peerId, addresses: [] }, role: 'gateway', software: 'test' },
    )
    stops.push(() => client.stop())
    client.start()
    await vi.advanceTimersByTimeAsync(1)
    expect(opened).toBe(1)
    await vi.advanceTimersByTimeAsync(1_000)
    expect(opened).toBe(2)
    expect(client.isConnected).toBe(true)
  })

  it('stopped while it is being made stays closed, and nobody is told of anything', async () => {
    const { server, client, certificates } = await setting()
    client.start()
    await expect.poll(() => server.sessions.length).toBe(1)
    client.stop()
    client.stop()
    await expect.poll(() => server.sessions[0]?.isOpen).toBe(false)
    expect(client.isConnected).toBe(false)
    expect(await ask(client)).toBe('ledger_unavailable')
    const calls = server.calls.length
    const heard = certificates.length
    const host = server.host
    await expect.poll(() => host?.connectedPeers().length).toBe(1)
    expect(server.calls.length).toBe(calls)
    expect(certificates.length).toBe(heard)
  })

  it('stopped before it is made opens no session', async () => {
    const { server, client } = await setting()
    client.start()
    await new Promise((resolve) => setTimeout(resolve))
    client.stop()
    const other = await startHost(await generateKey(), [])
    await other.openSession(
      { peerId: server.peerId, addresses: server.addresses },
      LEDGER_PROTOCOL,
      {
        hello: () => NOTHING,
        accept: () => ({ requests: {}, notices: {} }),
      },
    )
    await expect.poll(() => server.sessions.filter((session) => session.isOpen).length).toBe(1)
    expect(client.isConnected).toBe(false)
  })
})

describe('notices', () => {
  it('reach their handler; one that throws breaks nothing', async () => {
    const received: string[] = []
    const { server, client, certificates } = await setting({
      notices: {
        [PRICES_NOTICE]: (payload) => {
          received.push(Buffer.from(payload).toString())
          throw new Error('it cannot be read')
        },
      },
    })
    client.start()
    await expect.poll(() => certificates.length).toBe(1)
    server.sessions[0]?.notify(PRICES_NOTICE, Buffer.from('one'))
    server.sessions[0]?.notify('unheard-of', Buffer.from('x'))
    server.sessions[0]?.notify(PRICES_NOTICE, Buffer.from('two'))
    await expect.poll(() => received).toEqual(['one', 'two'])
    expect(client.isConnected).toBe(true)
  })
})
