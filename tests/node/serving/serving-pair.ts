import {
  INFER_METHOD,
  type InferEvent,
  type InferTerminal,
  inferEventCodec,
  inferTerminalCodec,
  type LexoraError,
} from '@lexora/protocol'
import { type Call, establishSession, type Session } from '@lexora/protocol/mesh'
import { createSlots, type Slots } from '../../../node/src/capacity/slots.ts'
import type { Engine } from '../../../node/src/engines/engine.ts'
import { createServe, type ReceiptOutbox } from '../../../node/src/serving/serve.ts'
import { createVoucherMemory } from '../../../node/src/serving/vouchers.ts'
import { memoryPair } from '../../protocol/mesh/memory-pair.ts'
import type { TestNetwork } from '../network.ts'

/** An outbox in memory that remembers when what was put. */
export interface MemoryOutbox extends ReceiptOutbox {
  readonly entries: { holdId: string; receipt: Uint8Array; gatewayLost: boolean }[]
  refused: LexoraError | undefined
  /** Awaited by `put` before it keeps. */
  beforePut: () => Promise<void>
}

function memoryOutbox(): MemoryOutbox {
  const entries: MemoryOutbox['entries'] = []
  return {
    entries,
    refused: undefined,
    beforePut: () => Promise.resolve(),
    refusal() {
      return this.refused
    },
    async put(entry) {
      await this.beforePut()
      entries.push(entry)
    },
  }
}

export interface LoggedLine {
  level: 'debug' | 'error'
  fields: object
  message: string
}

export interface ServingPair {
  /** The gateway's end. */
  gateway: Session
  /** The provider's end. */
  provider: Session
  slots: Slots
  outbox: MemoryOutbox
  lines: LoggedLine[]
}

/** A gateway and a serving provider, joined by a session in memory. */
export async function servingPair(
  network: TestNetwork,
  engine: Engine,
  options: { slots?: number; clock?: () => number; engineStopGraceMs?: number } = {},
): Promise<ServingPair> {
  await engine.start()
  const clock = options.clock ?? ((): number => Date.now())
  const models = engine.models()
  const slots = createSlots(
    models.map(({ id, slots: own }) => ({ id, slots: options.slots ?? own })),
  )
  const outbox = memoryOutbox()
  const lines: LoggedLine[] = []
  const serve = createServe(
    {
      slots,
      vouchers: createVoucherMemory(clock),
      find: (id) => {
        const model = models.find((one) => one.id === id)
        return model === undefined ? undefined : { engine, model }
      },
      outbox,
      signer: network.provider,
      clock,
      log: {
        debug: (fields, message) => void lines.push({ level: 'debug', fields, message }),
        error: (fields, message) => void lines.push({ level: 'error', fields, message }),
      },
    },
    {
      ledgerPeerId: network.ledger.peerId,
      ...(options.engineStopGraceMs === undefined
        ? {}
        : { engineStopGraceMs: options.engineStopGraceMs }),
    },
  )
  const [left, right] = memoryPair()
  const hello = (): Uint8Array => new Uint8Array(0)
  const [gateway, provider] = await Promise.all([
    establishSession(
      { stream: left },
      {
        remotePeer: network.provider.peerId,
        direction: 'inbound',
        hello,
        accept: () => ({ requests: {}, notices: {} }),
      },
    ),
    establishSession(
      { stream: right },
      {
        remotePeer: network.gateway.peerId,
        direction: 'outbound',
        hello,
        accept: () => ({ requests: { [INFER_METHOD]: serve }, notices: {} }),
      },
    ),
  ])
  return { gateway, provider, slots, outbox, lines }
}

export function infer(pair: ServingPair, payload: Uint8Array, signal?: AbortSignal): Call {
  return pair.gateway.call(INFER_METHOD, payload, {
    firstFrameTimeoutMs: 5_000,
    idleTimeoutMs: 5_000,
    maxResponseBytes: 1_000_000,
    ...(signal === undefined ? {} : { signal }),
  })
}

/** Reads an answer to its end; `watch` sees each event as it comes. */
export async function readAnswer(
  call: Call,
  watch: (event: InferEvent) => void = () => {},
): Promise<{ events: InferEvent[]; terminal: InferTerminal }> {
  const events: InferEvent[] = []
  for await (const { kind, payload } of call.frames) {
    if (kind === 'end') return { events, terminal: inferTerminalCodec.decode(payload) }
    const event = inferEventCodec.decode(payload)
    events.push(event)
    watch(event)
  }
  throw new Error('an answer without an end')
}

/** Ids that were delivered in an answer. */
export function idsOf(events: readonly InferEvent[]): number[] {
  return events.flatMap((event) => (event.kind === 'tokens' ? event.ids : []))
}
