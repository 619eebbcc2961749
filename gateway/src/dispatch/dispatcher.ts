import { randomBytes } from 'node:crypto'
import {
  type ChatRequest,
  type FinishReason,
  LexoraError,
  MAX_TOKENS_MAX,
  promptTokensBound,
  REQUEST_ID_BYTES,
  type Usage,
} from '@lexora/protocol'
import type { Logger } from 'pino'
import type { Leases } from '../billing/leases.ts'
import type { Candidate } from '../routing/candidate.ts'
import type { Directory, Provider } from '../routing/directory.ts'
import type { Observed } from '../routing/observed.ts'
import { choose } from '../routing/router.ts'
import { type AttemptResult, attempt } from './attempt.ts'
import { blameOf } from './blame.ts'
import { type Delivery, type DeliveryComponents, releaseHold, settleDelivery } from './delivery.ts'
import { explain } from './explain.ts'
import { blameFor, brokenOff, undelivered, withoutExcuse } from './outcome.ts'
import { attemptRequest, type PreparedRequest, prepareRequest } from './request.ts'
import { createRunningKeys } from './running-keys.ts'

/** Most providers asked for one request: the third failure in a row is rarely bad luck. */
const ATTEMPTS_MAX = 3

/**
 * Share of requests that go to a provider that was never asked, where there is a free one. Its claimed speed is clamped,
 * so beside a fast one that is known it would otherwise wait for work until all of those are full.
 */
const EXPLORE_SHARE = 0.05

/** Output tokens that the router reckons with where the client allows more: a usual answer. */
const OUTPUT_TOKENS_TYPICAL = 256

/** Most requests that one gateway runs at once; each holds its answer's buffers and a place at the ledger. */
const REQUESTS_MAX = 4_096

/** What a request tells its client while it runs. */
export type DispatchEvent =
  | { kind: 'accepted'; promptTokens: number; provider: string }
  | { kind: 'tokens'; ids: number[]; text: string }
  | { kind: 'finished'; reason: FinishReason; usage: Usage }

/** What dispatching uses. */
export interface DispatcherComponents extends DeliveryComponents {
  directory: Directory
  leases: Leases
  log: Logger
  /** 0 to below 1; breaks near ties between providers. */
  random: () => number
}

/** One request as the HTTP edge hands it over. */
export interface DispatchRequest {
  keyHash: Uint8Array
  chat: ChatRequest
  /** The request's name in logs. */
  requestId: string
  /** Whether the client reads tokens as they come. Of an answer that it gets whole, a part is nothing. */
  stream: boolean
}

/** Takes requests from hold to settlement. */
export interface Dispatcher {
  /**
   * Runs one request to its end, whatever happens to the client: authorise, route, stream, settle. Events go to `emit`
   * in order. When `signal` aborts the provider is told to stop and what was delivered is settled.
   * Rejects with the LexoraError that the client must see, `cancelled` where it has gone; resolves only after a believed
   * terminal frame.
   */
  run(
    request: DispatchRequest,
    signal: AbortSignal,
    emit: (event: DispatchEvent) => void,
  ): Promise<void>
  /** Stops what runs on these API keys; it is settled as if the client had gone, who is told `api_key_revoked`. */
  revokeKeys(keyHashes: readonly Uint8Array[]): void
  /** Requests that run now. */
  readonly runningCount: number
}

/** What this gateway saw of one attempt. Times count from its start, ms. */
interface Seen {
  result: AttemptResult
  firstTokenMs: number
  totalMs: number
}

/** A request with its hold placed. */
interface Running {
  request: PreparedRequest
  signal: AbortSignal
  emit: (event: DispatchEvent) => void
  log: Logger
  stream: boolean
}

/** Makes a dispatcher. */
export function createDispatcher(components: DispatcherComponents): Dispatcher {
  return new RequestDispatcher(components)
}

class RequestDispatcher implements Dispatcher {
  readonly #components: DispatcherComponents
  readonly #keys = createRunningKeys()
  #runningCount = 0

  constructor(components: DispatcherComponents) {
    this.#components = components
  }

  get runningCount(): number {
    return this.#runningCount
  }

  async run(
    request: DispatchRequest,
    signal: AbortSignal,
    emit: (event: DispatchEvent) => void,
  ): Promise<void> {
    if (this.#runningCount >= REQUESTS_MAX) {
      throw new LexoraError(
        'rate_limited',
        'this gateway runs as many requests as it can; try again soon',
      )
    }
    this.#runningCount++
    const watch = this.#keys.watch(request.keyHash, signal)
    try {
      await this.#run(request, { signal: watch.signal, emit })
      if (watch.isRevoked()) throw keyRevoked()
    } catch (caught) {
      const error = watch.isRevoked() ? keyRevoked() : caught
      throw error instanceof LexoraError ? explain(error, request.chat.model) : error
    } finally {
      watch.end()
      this.#runningCount--
    }
  }

  revokeKeys(keyHashes: readonly Uint8Array[]): void {
    this.#keys.revoke(keyHashes)
  }

  async #run(
    { keyHash, chat, requestId, stream }: DispatchRequest,
    client: Pick<Running, 'signal' | 'emit'>,
  ): Promise<void> {
    const { ledger, leases, directory } = this.#components
    if (client.signal.aborted) throw clientGone()
    const id = randomBytes(REQUEST_ID_BYTES)
    // More output than the largest context holds is never needed, and would only reserve money.
    const contextTokens = directory.contextTokensMax(chat.model) ?? MAX_TOKENS_MAX
    const maxTokens = Math.min(chat.maxTokens, contextTokens, MAX_TOKENS_MAX)
    const bounded = { ...chat, maxTokens }
    const authorised = await ledger.authorise({
      keyHash,
      requestId: id,
      model: chat.model,
      promptTokensMax: promptTokensBound(bounded),
      maxTokens,
    })
    const { holdId } = authorised
    const letGo = leases.keep(holdId)
    const log = this.#components.log.child({ requestId, holdId })
    try {
      const { request, delivery } = await this.#deliver(
        () => prepareRequest(bounded, id, authorised),
        { log, stream, ...client },
      ).catch((error: unknown) => {
        releaseHold(ledger, holdId, log)
        throw error
      })
      await settleDelivery(this.#components, { request, log }, delivery)
      finish(client, delivery.result)
    } finally {
      letGo()
    }
  }

  /** What happens between hold and settlement: whatever it throws, nothing was delivered. */
  async #deliver(
    prepare: () => PreparedRequest,
    running: Omit<Running, 'request'>,
  ): Promise<{ request: PreparedRequest; delivery: Delivery }> {
    const request = prepare()
    return { request, delivery: await this.#serve({ request, ...running }) }
  }

  /** Asks providers in turn until one delivers. Throws where nothing was delivered and nobody is left to ask. */
  async #serve(running: Running): Promise<Delivery> {
    const { request, signal, log } = running
    const asked = new Set<string>()
    let last: LexoraError | undefined
    while (asked.size < ATTEMPTS_MAX) {
      if (signal.aborted) throw clientGone()
      const peerId = this.#choose(request, asked)
      if (peerId === undefined) break
      asked.add(peerId)
      const outcome = await this.#ask(peerId, running)
      if (!(outcome instanceof LexoraError)) return outcome
      last = outcome
      if (blameOf(last.code) === 'client') throw last
      log.info({ peer: peerId, code: last.code }, 'attempt delivered nothing')
    }
    throw noneLeft(request.model, last)
  }

  /** The best provider that can be asked and was not asked yet. */
  #choose(request: PreparedRequest, asked: ReadonlySet<string>): string | undefined {
    const { directory, clock, random } = this.#components
    const features = {
      promptTokens: request.promptTokensMax,
      outputTokens: Math.min(request.maxTokens, OUTPUT_TOKENS_TYPICAL),
      nowMs: clock(),
    }
    const lanes = directory.lanes(request.model)
    const isUsable = ({ peerId }: Candidate): boolean =>
      !asked.has(peerId) && directory.get(peerId) !== undefined
    const explores = random() >= 1 - EXPLORE_SHARE
    const isNewcomer = (candidate: Candidate): boolean =>
      candidate.inFlight === 0 &&
      directory.observation(candidate.peerId, request.model)?.isUntried === true &&
      isUsable(candidate)
    const newcomer = explores
      ? choose(lanes, features, { random, isUsable: isNewcomer })
      : undefined
    return (newcomer ?? choose(lanes, features, { random, isUsable }))?.peerId
  }

  /** One attempt: what it delivered, or the error after which another provider may be asked. */
  async #ask(peerId: string, running: Running): Promise<Delivery | LexoraError> {
    const { directory, signer } = this.#components
    const { model } = running.request
    const provider = directory.get(peerId)
    const offer = directory.offer(peerId, model)
    if (provider === undefined || offer === undefined) {
      return new LexoraError('provider_lost', 'the provider left while it was being chosen')
    }
    const observation = directory.observation(peerId, model)
    const release = directory.debit(peerId, model)
    const seen = await receive(
      provider,
      attemptRequest(running.request, signer.peerId, offer),
      running,
    )
    release()
    const result = withoutExcuse(seen.result, running.request, offer)
    if (!running.signal.aborted) this.#judge(observation, { ...seen, result })
    return (
      undelivered(result, running) ?? { provider: peerId, modelSha256: offer.fileSha256, result }
    )
  }

  /** Learns from an attempt. */
  #judge(observation: Observed | undefined, { result, firstTokenMs, totalMs }: Seen): void {
    const { terminal, usage } = result
    if (terminal !== undefined && terminal.finishReason !== 'failed') {
      const { promptTokens, completionTokens } = usage
      observation?.answered({ promptTokens, outputTokens: completionTokens, firstTokenMs, totalMs })
      return
    }
    const blame = blameFor(result)
    if (blame === 'provider') observation?.failed(this.#components.clock())
    if (blame === 'capacity') observation?.refused(this.#components.clock())
  }
}

/** Runs an attempt and passes its tokens on; the client's leaving cancels it. */
async function receive(
  provider: Provider,
  request: Parameters<typeof attempt>[1],
  { signal, emit }: Running,
): Promise<Seen> {
  const startMs = performance.now()
  let firstTokenMs = 0
  const running = attempt(provider, request, {
    accepted: (promptTokens) => emit({ kind: 'accepted', promptTokens, provider: provider.peerId }),
    tokens(ids, text) {
      if (firstTokenMs === 0) firstTokenMs = performance.now() - startMs
      emit({ kind: 'tokens', ids, text })
    },
  })
  const cancel = (): void => running.cancel()
  if (signal.aborted) cancel()
  signal.addEventListener('abort', cancel, { once: true })
  const result = await running.result
  signal.removeEventListener('abort', cancel)
  return { result, firstTokenMs, totalMs: performance.now() - startMs }
}

/** Something was delivered or properly ended: tells the client which. */
function finish(
  { signal, emit }: Pick<Running, 'signal' | 'emit'>,
  { terminal, error, usage }: AttemptResult,
): void {
  if (signal.aborted) throw clientGone()
  if (terminal === undefined) throw brokenOff(error)
  if (terminal.finishReason === 'failed') {
    throw new LexoraError(
      'provider_fault',
      'the provider’s engine failed in the middle of the answer',
    )
  }
  emit({ kind: 'finished', reason: terminal.finishReason, usage })
}

function keyRevoked(): LexoraError {
  return new LexoraError('api_key_revoked', 'the API key was revoked while the request ran')
}

function clientGone(): LexoraError {
  return new LexoraError('cancelled', 'the client went away')
}

function noneLeft(model: string, last: LexoraError | undefined): LexoraError {
  if (last?.code === 'provider_busy') {
    return new LexoraError(
      'provider_busy',
      `every provider of ${model} is busy now; try again soon`,
    )
  }
  return new LexoraError('no_provider', `no provider serves ${model} now; try again soon`, {
    cause: last,
  })
}
