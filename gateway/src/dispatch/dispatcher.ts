import { randomBytes } from 'node:crypto'
import {
  type ChatRequest,
  type FinishReason,
  LexoraError,
  promptTokensBound,
  REQUEST_ID_BYTES,
  type Usage,
} from '@lexora/protocol'
import type { Logger } from 'pino'
import type { Leases } from '../billing/leases.ts'
import type { Directory, Provider } from '../routing/directory.ts'
import type { Observed } from '../routing/observed.ts'
import { rank } from '../routing/router.ts'
import { type AttemptResult, attempt } from './attempt.ts'
import { blameOf } from './blame.ts'
import { explain } from './explain.ts'
import { type Delivery, type DeliveryComponents, releaseHold, settleDelivery } from './delivery.ts'
import { attemptRequest, type PreparedRequest, prepareRequest } from './request.ts'

/** Most providers asked for one request: the third failure in a row is rarely bad luck. */
const ATTEMPTS_MAX = 3

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
}

/** Takes requests from hold to settlement. */
export interface Dispatcher {
  /**
   * Runs one request to its end, whatever happens to the client: authorise, route, stream, settle. Events go to `emit`
   * in order. When `signal` aborts the provider is told to stop and what was delivered is settled.
   * Rejects with the LexoraError that the client must see; it resolves only after a believed terminal frame or after
   * the client went away.
   */
  run(request: DispatchRequest, signal: AbortSignal, emit: (event: DispatchEvent) => void): Promise<void>
  /** Requests that run now. */
  readonly runningCount: number
}

/** A request with its hold placed. */
interface Running {
  request: PreparedRequest
  signal: AbortSignal
  emit: (event: DispatchEvent) => void
  log: Logger
}

/** Makes a dispatcher. */
export function createDispatcher(components: DispatcherComponents): Dispatcher {
  const { ledger, directory, leases, signer, clock } = components
  let runningCount = 0

  /** The best provider that was not asked yet: a pure ranking over this moment's snapshot. */
  function choose(request: PreparedRequest, asked: ReadonlySet<string>): string | undefined {
    const features = {
      promptTokens: request.promptTokensMax,
      outputTokens: Math.min(request.maxTokens, OUTPUT_TOKENS_TYPICAL),
      nowMs: clock(),
    }
    const candidates = directory.candidates(request.model).filter(({ peerId }) => !asked.has(peerId))
    return rank(candidates, features, components.random)[0]?.peerId
  }

  /** Asks providers in turn until one delivers. Throws where nothing was delivered and nobody is left to ask. */
  async function serve(running: Running): Promise<Delivery> {
    const asked = new Set<string>()
    let last: LexoraError | undefined
    for (let peerId = choose(running.request, asked); peerId !== undefined; peerId = choose(running.request, asked)) {
      if (asked.size >= ATTEMPTS_MAX) break
      asked.add(peerId)
      const outcome = await ask(peerId, running)
      if (!(outcome instanceof LexoraError)) return outcome
      last = outcome
      if (running.signal.aborted) throw new LexoraError('cancelled', 'the client went away')
      if (blameOf(last.code) === 'client') throw last
      running.log.info({ peer: peerId, code: last.code }, 'attempt failed before the first token')
    }
    throw noneLeft(running.request.model, last)
  }

  /** One attempt: what it delivered, or the error after which another provider may be asked. */
  async function ask(peerId: string, running: Running): Promise<Delivery | LexoraError> {
    const provider = directory.get(peerId)
    const offer = directory.offer(peerId, running.request.model)
    if (provider === undefined || offer === undefined) {
      return new LexoraError('provider_lost', 'the provider left while it was being chosen')
    }
    const observation = directory.observation(peerId, running.request.model)
    const release = directory.debit(peerId, running.request.model)
    const request = attemptRequest(running.request, signer.peerId, offer)
    const { result, firstTokenMs, totalMs } = await stream(provider, request, running)
    release()
    judge(observation, running, { result, firstTokenMs, totalMs })
    const { terminal, error, usage } = result
    if (terminal === undefined && usage.completionTokens === 0) {
      return error ?? new LexoraError('internal', 'an attempt ended without a reason')
    }
    return { provider: peerId, modelSha256: offer.fileSha256, result }
  }

  /** Learns from an attempt. A client that went away is nobody's fault. */
  function judge(
    observation: Observed | undefined,
    running: Running,
    seen: { result: AttemptResult; firstTokenMs: number; totalMs: number },
  ): void {
    const { result, firstTokenMs, totalMs } = seen
    if (running.signal.aborted) return
    if (result.terminal === undefined) {
      if (result.error === undefined || blameOf(result.error.code) === 'provider') observation?.failed(clock())
    } else if (result.terminal.finishReason === 'failed') {
      observation?.failed(clock())
    } else {
      const { promptTokens, completionTokens } = result.usage
      observation?.answered({ promptTokens, outputTokens: completionTokens, firstTokenMs, totalMs })
    }
  }

  async function run(
    { keyHash, chat, requestId }: DispatchRequest,
    client: Pick<Running, 'signal' | 'emit'>,
  ): Promise<void> {
    const id = randomBytes(REQUEST_ID_BYTES)
    const bounded = { ...chat, maxTokens: Math.min(chat.maxTokens, contextOf(chat.model) ?? chat.maxTokens) }
    const authorised = await ledger.authorise({
      keyHash,
      requestId: id,
      model: chat.model,
      promptTokensMax: promptTokensBound(bounded),
      maxTokens: bounded.maxTokens,
    })
    const request = prepareRequest(bounded, id, authorised)
    const letGo = leases.keep(request.holdId)
    const log = components.log.child({ requestId, holdId: request.holdId })
    try {
      const delivery = await serve({ request, log, ...client }).catch((error: unknown) => {
        releaseHold(ledger, request.holdId, log)
        throw error
      })
      await settleDelivery(components, { request, log }, delivery)
      finish(client, delivery.result)
    } finally {
      letGo()
    }
  }

  /** The largest context that anyone offers for the model: more output than that is never needed. */
  function contextOf(model: string): number | undefined {
    return directory.models().get(model)?.offer.contextTokens
  }

  return {
    async run(request, signal, emit) {
      if (runningCount >= REQUESTS_MAX) {
        throw new LexoraError('rate_limited', 'this gateway runs as many requests as it can; try again soon')
      }
      runningCount++
      try {
        await run(request, { signal, emit })
      } catch (error) {
        throw error instanceof LexoraError ? explain(error, request.chat.model) : error
      } finally {
        runningCount--
      }
    },
    get runningCount() {
      return runningCount
    },
  }
}

/** Runs an attempt and passes its tokens on; the client's leaving cancels it. */
async function stream(
  provider: Provider,
  request: Parameters<typeof attempt>[1],
  { signal, emit }: Running,
): Promise<{ result: AttemptResult; firstTokenMs: number; totalMs: number }> {
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
function finish({ signal, emit }: Pick<Running, 'signal' | 'emit'>, { terminal, error, usage }: AttemptResult): void {
  if (signal.aborted) return
  if (terminal === undefined) {
    throw new LexoraError('provider_lost', 'the provider was lost in the middle of the answer', { cause: error })
  }
  if (terminal.finishReason === 'failed') {
    throw new LexoraError('provider_fault', 'the provider’s engine failed in the middle of the answer')
  }
  emit({ kind: 'finished', reason: terminal.finishReason, usage })
}

function noneLeft(model: string, last: LexoraError | undefined): LexoraError {
  if (last?.code === 'provider_busy') {
    return new LexoraError('provider_busy', `every provider of ${model} is busy now; try again soon`)
  }
  return new LexoraError('no_provider', `no provider serves ${model} now; try again soon`, { cause: last })
}
