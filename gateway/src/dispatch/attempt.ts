import {
  INFER_METHOD,
  type InferEvent,
  type InferTerminal,
  inferEventCodec,
  inferTerminalCodec,
  LexoraError,
  openReceipt,
  type Receipt,
  type Usage,
} from '@lexora/protocol'
import type { Call } from '@lexora/protocol/mesh'
import type { Provider } from '../routing/directory.ts'

/** A provider must accept or reject within this time, ms: it only tokenises. Beyond it the peer is as good as gone. */
const ACCEPT_TIMEOUT_MS = 10_000

/**
 * Longest silence between frames, ms, on top of what prefill may take. A machine in a living room may stall for some
 * seconds when its owner starts a game.
 */
const IDLE_TIMEOUT_MS = 20_000

/** Slowest prefill that we wait for, tokens/s: a small CPU. */
const PREFILL_SPEED_MIN = 20

/** Most bytes of one token on the wire: its id, its text and the frame around them. */
const BYTES_PER_TOKEN_MAX = 256
/** Bytes of an answer beside its tokens: accept and terminal frame. */
const RESPONSE_BYTES_BASE = 128 * 1024

/**
 * Largest sealed receipt. All its texts are ours and short: an honest one has about 600 bytes, and one blown up to a
 * record's limit would not fit the ledger's message once it is countersigned.
 */
const RECEIPT_BYTES_MAX = 4 * 1024

/** What one provider is asked. */
export interface AttemptRequest {
  /** The encoded {@link InferRequest}. */
  payload: Uint8Array
  /** What the receipt must say. */
  expected: Pick<
    Receipt,
    'holdId' | 'requestId' | 'requestHash' | 'model' | 'gateway' | 'priceVersion'
  > & {
    modelSha256: Uint8Array
  }
  promptTokensMax: number
  maxTokens: number
}

/** Tells of progress as it happens. */
export interface AttemptEvents {
  accepted(promptTokens: number): void
  tokens(ids: number[], text: string): void
}

/** What an attempt delivered, however it ended. */
export interface AttemptResult {
  /** What this gateway counted itself. */
  usage: Usage
  /** The provider's signed end; undefined where it was lost, too slow, or not to be believed. */
  terminal: InferTerminal | undefined
  /** Why there is no terminal. */
  error: LexoraError | undefined
}

/** A running attempt. */
export interface Attempt {
  readonly result: Promise<AttemptResult>
  /** The client is gone: asks the provider to stop. The terminal frame with the receipt still comes. */
  cancel(): void
}

/** Asks one provider and checks everything it says. Never rejects: what went wrong is in the result. */
export function attempt(
  provider: Provider,
  request: AttemptRequest,
  events: AttemptEvents,
): Attempt {
  const call = provider.session.call(INFER_METHOD, request.payload, {
    firstFrameTimeoutMs: ACCEPT_TIMEOUT_MS,
    idleTimeoutMs: IDLE_TIMEOUT_MS + (request.promptTokensMax / PREFILL_SPEED_MIN) * 1_000,
    maxResponseBytes: RESPONSE_BYTES_BASE + request.maxTokens * BYTES_PER_TOKEN_MAX,
  })
  let isCancelled = false
  const context: AttemptContext = { provider, request, events, isCancelled: () => isCancelled }
  return {
    result: receive(call, context),
    cancel() {
      isCancelled = true
      call.cancel()
    },
  }
}

interface AttemptContext {
  provider: Provider
  request: AttemptRequest
  events: AttemptEvents
  isCancelled: () => boolean
}

async function receive(call: Call, context: AttemptContext): Promise<AttemptResult> {
  const answer = answerChecker(context.request)
  try {
    for await (const frame of call.frames) {
      if (frame.kind === 'end') {
        const terminal = inferTerminalCodec.decode(frame.payload)
        answer.end(terminal)
        checkTerminal(terminal, answer.usage(), context)
        return { usage: answer.usage(), terminal, error: undefined }
      }
      const event = inferEventCodec.decode(frame.payload)
      answer.take(event)
      if (event.kind === 'accept') context.events.accepted(event.promptTokens)
      else context.events.tokens(event.ids, event.text)
    }
    throw new LexoraError('session_closed', 'the provider’s answer has no end')
  } catch (error) {
    call.cancel()
    return { usage: answer.usage(), terminal: undefined, error: asLexoraError(error) }
  }
}

interface AnswerChecker {
  take(event: InferEvent): void
  end(terminal: InferTerminal): void
  usage(): Usage
}

/** Counts an answer as it passes and refuses what breaks the protocol's order or the hold's bounds. */
function answerChecker(request: AttemptRequest): AnswerChecker {
  let accepted: { promptTokens: number; cachedTokens: number } | undefined
  let sequence = 0
  let completionTokens = 0
  return {
    take(event) {
      if (event.kind === 'accept') {
        if (accepted !== undefined) fault('accepted twice')
        if (event.promptTokens > request.promptTokensMax)
          fault('counts more prompt tokens than the prompt has bytes')
        accepted = event
        return
      }
      if (accepted === undefined) fault('sent tokens before it accepted')
      if (event.sequence !== sequence++) fault('left a gap in its tokens')
      // A frame that is refused is not passed on, and so it is not counted either.
      const total = completionTokens + event.ids.length
      if (total > request.maxTokens) fault('sent more tokens than were asked for')
      if (total === 0 && event.text !== '') fault('sent text before its first token')
      completionTokens = total
    },
    end({ finishReason }) {
      if (accepted === undefined) fault('ended before it accepted')
      if (finishReason === 'failed' && completionTokens === 0)
        fault('failed before its first token')
    },
    usage: () => ({
      promptTokens: accepted?.promptTokens ?? 0,
      cachedTokens: accepted?.cachedTokens ?? 0,
      completionTokens,
    }),
  }
}

/** A terminal frame is believed when the provider signed it, for this request, over what we counted ourselves. */
function checkTerminal(terminal: InferTerminal, counted: Usage, context: AttemptContext): void {
  if (terminal.receipt.byteLength > RECEIPT_BYTES_MAX) fault('sent a receipt that is too long')
  const { receipt, signedBy } = openReceipt(terminal.receipt)
  const { provider, request, isCancelled } = context
  if (signedBy !== provider.peerId || receipt.provider !== provider.peerId) {
    fault('did not sign its own receipt')
  }
  if (!isFor(receipt, request.expected)) fault('signed a receipt for another request')
  if (receipt.finishReason !== terminal.finishReason) fault('ended otherwise than it signed')
  if (receipt.finishReason === 'cancelled' && !isCancelled()) fault('gave up without being asked')
  if (
    receipt.tokenStart !== 0 ||
    !sameUsage(receipt.usage, counted) ||
    !sameUsage(terminal.usage, counted)
  ) {
    fault('counts other tokens than it delivered')
  }
}

/** Whether a receipt names this request in every part. */
function isFor(receipt: Receipt, expected: AttemptRequest['expected']): boolean {
  return Object.entries(expected).every(([field, value]) => {
    const said = receipt[field as keyof typeof expected]
    return value instanceof Uint8Array
      ? Buffer.compare(value, said as Uint8Array) === 0
      : value === said
  })
}

function sameUsage(a: Usage, b: Usage): boolean {
  return (
    a.promptTokens === b.promptTokens &&
    a.cachedTokens === b.cachedTokens &&
    a.completionTokens === b.completionTokens
  )
}

function fault(what: string): never {
  throw new LexoraError('provider_fault', `the provider ${what}`)
}

function asLexoraError(error: unknown): LexoraError {
  if (error instanceof LexoraError) return error
  return new LexoraError('internal', 'an attempt failed', { cause: error })
}
