import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type CapabilityRecord,
  type ChatRequest,
  chatRequestCodec,
  type FinishReason,
  INFER_METHOD,
  INFER_REQUEST_BYTES_MAX,
  type InferRequest,
  inferEventCodec,
  inferRequestCodec,
  inferTerminalCodec,
  type LexoraError,
  type Receipt,
  requestHash,
  type Signer,
  sealReceipt,
  type Usage,
} from '@lexora/protocol'
import { onTestFinished } from 'vitest'
import { createLeases } from '../../../gateway/src/billing/leases.ts'
import { createSettlements, type Settlements } from '../../../gateway/src/billing/settlements.ts'
import {
  createDispatcher,
  type DispatchEvent,
  type Dispatcher,
} from '../../../gateway/src/dispatch/dispatcher.ts'
import { createDirectory, type Directory } from '../../../gateway/src/routing/directory.ts'
import type { RequestContext } from '../../../protocol/src/mesh/serve.ts'
import { establishSession, type Session } from '../../../protocol/src/mesh/session.ts'
import { type MemoryStream, memoryPair } from '../../protocol/mesh/memory-pair.ts'
import {
  load,
  MODEL,
  modelLoad,
  NOW,
  newSigner,
  offer,
  record,
  type TestClock,
  type TestLog,
  testClock,
  testLog,
} from '../fixture.ts'
import { ScriptedLedger } from '../scripted-ledger.ts'

const LIMITS = { frameBytesMax: INFER_REQUEST_BYTES_MAX + 1_024 }

/** What a terminal frame may say other than the truth. */
export interface Lies {
  terminal?: { finishReason?: FinishReason; usage?: Partial<Usage> }
  receipt?: Partial<Receipt>
  signer?: Signer
  /** Changes the sealed receipt itself. */
  sealed?: (bytes: Uint8Array) => Uint8Array
}

/** One request at a scripted provider. */
export class Turn {
  readonly request: InferRequest
  readonly context: RequestContext
  readonly #provider: ScriptedProvider
  promptTokens = 0
  cachedTokens = 0
  sequence = 0
  sent = 0

  constructor(provider: ScriptedProvider, request: InferRequest, context: RequestContext) {
    this.#provider = provider
    this.request = request
    this.context = context
  }

  accept(promptTokens: number = 7, cachedTokens: number = 2): void {
    this.promptTokens = promptTokens
    this.cachedTokens = cachedTokens
    this.context.send(inferEventCodec.encode({ kind: 'accept', promptTokens, cachedTokens }))
  }

  tokens(text: string, ids: number[] = [1], sequence: number = this.sequence): void {
    this.sequence = sequence + 1
    this.sent += ids.length
    this.context.send(inferEventCodec.encode({ kind: 'tokens', sequence, ids, text }))
  }

  /** The signed terminal frame, true but for the lies. */
  end(finishReason: FinishReason = 'stop', lies: Lies = {}): Uint8Array {
    const usage: Usage = {
      promptTokens: this.promptTokens,
      cachedTokens: this.cachedTokens,
      completionTokens: this.sent,
    }
    const receipt: Receipt = { ...this.#provider.receiptFor(this.request), usage, finishReason }
    const sealed = sealReceipt(lies.signer ?? this.#provider.signer, {
      ...receipt,
      tokenEnd: this.sent,
      ...lies.receipt,
    })
    return inferTerminalCodec.encode({
      finishReason: lies.terminal?.finishReason ?? finishReason,
      usage: { ...usage, ...lies.terminal?.usage },
      receipt: lies.sealed?.(sealed) ?? sealed,
    })
  }

  /** Resolves when the gateway cancels or the session ends. */
  aborted(): Promise<void> {
    const { signal } = this.context
    return new Promise((resolve) => {
      if (signal.aborted) resolve()
      else signal.addEventListener('abort', () => resolve(), { once: true })
    })
  }
}

export type Script = (turn: Turn) => Promise<Uint8Array> | Uint8Array

/** A provider at the far end of a real session, which does as its script says. */
export class ScriptedProvider {
  readonly signer: Signer = newSigner()
  readonly turns: Turn[] = []
  script: Script
  /** The gateway's end of the session and the provider's. */
  near: Session | undefined
  far: Session | undefined
  stream: MemoryStream | undefined
  readonly #gateway: string

  constructor(gateway: string, script: Script) {
    this.#gateway = gateway
    this.script = script
  }

  get peerId(): string {
    return this.signer.peerId
  }

  receiptFor(request: InferRequest): Receipt {
    const { requestId, salt, chat } = request
    return {
      holdId: `hold-${this.holdNumber(request)}`,
      requestId,
      requestHash: requestHash(salt, chatRequestCodec.encode(chat)),
      model: chat.model,
      modelSha256: offer().fileSha256,
      provider: this.peerId,
      gateway: this.#gateway,
      tokenStart: 0,
      tokenEnd: 0,
      usage: { promptTokens: 0, cachedTokens: 0, completionTokens: 0 },
      finishReason: 'stop',
      queueMs: 0,
      prefillMs: 1,
      decodeMs: 1,
      priceVersion: 3,
      issuedAtMs: NOW,
    }
  }

  /** Which hold the voucher of a request is for; the test's ledger numbers them. */
  holdNumber: (request: InferRequest) => number = () => 1

  async connect(): Promise<Session> {
    const [nearStream, farStream] = memoryPair()
    this.stream = farStream
    const common = { hello: () => new Uint8Array(0), limits: LIMITS }
    const [near, far] = await Promise.all([
      establishSession(
        { stream: nearStream },
        {
          ...common,
          remotePeer: this.peerId,
          direction: 'inbound',
          accept: () => ({ requests: {}, notices: {} }),
        },
      ),
      establishSession(
        { stream: farStream },
        {
          ...common,
          remotePeer: this.#gateway,
          direction: 'outbound',
          accept: () => ({
            requests: {
              [INFER_METHOD]: async (payload, context) => {
                const turn = new Turn(this, inferRequestCodec.decode(payload), context)
                this.turns.push(turn)
                return await this.script(turn)
              },
            },
            notices: {},
          }),
        },
      ),
    ])
    this.near = near
    this.far = far
    return near
  }

  /** The provider's process is killed: its end is reset without a word, and what it had not written yet is lost. */
  die(): void {
    this.stream?.abort(new Error('killed'))
  }

  /** Says over a heartbeat that all its slots are taken. */
  fill(directory: Directory): void {
    const models = [modelLoad({ slots: 4, slotsBusy: 4 })]
    directory.updateLoad(this.peerId, load(this.peerId, { models }))
  }
}

/** A gateway's dispatcher with everything real but the ledger and the engines. */
export interface Setting {
  gateway: Signer
  clock: TestClock
  directory: Directory
  ledger: ScriptedLedger
  settlements: Settlements
  dispatcher: Dispatcher
  logged: TestLog
  /** A provider that is connected and in the directory. The earlier ones are preferred. */
  provider(script: Script, changes?: Partial<CapabilityRecord>): Promise<ScriptedProvider>
  run(options?: RunOptions): Run
}

export interface RunOptions {
  chat?: Partial<ChatRequest>
  /** Default true. */
  stream?: boolean
  signal?: AbortSignal
  onEvent?: (event: DispatchEvent) => void
}

/** One request under way. */
export interface Run {
  events: DispatchEvent[]
  /** What the client reads: all texts so far. */
  text(): string
  /** What `run` rejects with; undefined where it resolves. */
  ended: Promise<LexoraError | undefined>
}

export function chat(changes: Partial<ChatRequest> = {}): ChatRequest {
  return {
    model: MODEL,
    messages: [{ role: 'user', content: 'hello' }],
    sampling: { temperature: 0, topP: 1, minP: 0, presencePenalty: 0, frequencyPenalty: 0 },
    maxTokens: 16,
    stop: [],
    ...changes,
  }
}

export async function setting(random: () => number = () => 0): Promise<Setting> {
  const gateway = newSigner()
  const clock = testClock()
  const logged = testLog()
  const { log } = logged
  const ledger = new ScriptedLedger(gateway.peerId)
  const path = await mkdtemp(join(tmpdir(), 'lexora-dispatch-'))
  const settlements = createSettlements({ ledger, log }, { path })
  await settlements.start()
  const directory = createDirectory({ clock })
  const leases = createLeases({ ledger, log })
  const dispatcher = createDispatcher({
    ledger,
    settlements,
    signer: gateway,
    clock,
    directory,
    leases,
    log,
    random,
  })
  const providers: ScriptedProvider[] = []
  onTestFinished(async () => {
    for (const provider of providers) provider.near?.close()
    await settlements.stop()
    await rm(path, { recursive: true, force: true })
  })

  return {
    gateway,
    clock,
    directory,
    ledger,
    settlements,
    dispatcher,
    logged,
    async provider(script, changes = {}) {
      const provider = new ScriptedProvider(gateway.peerId, script)
      const decodeTokensPerSecond = 500 * 0.5 ** providers.length
      providers.push(provider)
      provider.holdNumber = ({ requestId }) =>
        1 + ledger.authorised.findIndex((asked) => Buffer.compare(asked.requestId, requestId) === 0)
      const session = await provider.connect()
      const own = record(provider.peerId, {
        models: [offer({ decodeTokensPerSecond })],
        ...changes,
      })
      directory.add(session, own, undefined)
      session.onClose(() => directory.remove(session))
      return provider
    },
    run({ chat: changes, stream = true, signal, onEvent }: RunOptions = {}) {
      const events: DispatchEvent[] = []
      const request = {
        keyHash: new Uint8Array(32),
        chat: chat(changes),
        requestId: 'req_test',
        stream,
      }
      const ended = dispatcher
        .run(request, signal ?? new AbortController().signal, (event) => {
          events.push(event)
          onEvent?.(event)
        })
        .then(
          () => undefined,
          (error: unknown) => error as LexoraError,
        )
      const text = (): string =>
        events.map((event) => (event.kind === 'tokens' ? event.text : '')).join('')
      return { events, text, ended }
    },
  }
}

/** A script that says each text as one token and stops. */
export function says(...texts: string[]): Script {
  return (turn) => {
    turn.accept()
    for (const text of texts) turn.tokens(text)
    return turn.end()
  }
}

/** A script that answers with an error before anything else. */
export function refuses(error: LexoraError): Script {
  return () => Promise.reject(error)
}

/** Never answers. */
export function hangs(): Promise<Uint8Array> {
  return new Promise(() => {})
}
