import { type ErrorCode, LexoraError } from '@lexora/protocol'
import { Level } from 'level'
import { OUTBOX_ASIDE_MAX, OUTBOX_RECEIPTS_MAX } from '../constants.ts'

/** A receipt that the ledger has not settled yet. */
export interface OutboxEntry {
  holdId: string
  /** A sealed receipt. */
  receipt: Uint8Array
  /** Nobody but this provider will bring it to the ledger. */
  gatewayLost: boolean
}

/** What is known of an entry without reading it. */
export interface OutboxItem {
  holdId: string
  storedAtMs: number
  gatewayLost: boolean
}

/** Where the outbox is and how much it keeps. */
export interface OutboxOptions {
  /** A folder of its own. */
  path: string
  /** Default {@link OUTBOX_RECEIPTS_MAX}. */
  receiptsMax?: number
  /** Default {@link OUTBOX_ASIDE_MAX}. */
  asideMax?: number
}

/**
 * Receipts on disk until the ledger has settled them. Once `put` resolves the receipt is with the operating system and
 * survives the death of this process. It is not synced to the disk: that would cost every answer a disk write, and a
 * receipt only counts where the machine's fall and the gateway's coincide.
 */
export interface Outbox {
  /** Receipts kept now. */
  readonly size: number
  /** Why no further receipt could be kept with so many requests running: `storage_full`, or undefined. */
  refusal(running: number): LexoraError | undefined
  /** Keeps a receipt. Throws `storage_full` when there is no room or the disk refused it. */
  put(entry: OutboxEntry): Promise<void>
  /** What is kept, oldest first. */
  items(): Iterable<OutboxItem>
  /** The sealed receipt of a hold, if it is kept. */
  receipt(holdId: string): Promise<Uint8Array | undefined>
  /** Forgets a settled receipt. */
  remove(holdId: string): Promise<void>
  /** Takes a receipt out that the ledger will never accept; the newest of them stay for the operator. */
  setAside(holdId: string, code: ErrorCode): Promise<void>
  /** Receipts set aside now. */
  readonly asideSize: number
  close(): Promise<void>
}

interface StoredReceipt {
  receipt: string
  storedAtMs: number
  gatewayLost: boolean
}

interface AsideReceipt extends StoredReceipt {
  code: ErrorCode
}

type Store = Level<string, StoredReceipt | AsideReceipt>
type Sublevel<Value> = ReturnType<typeof Level.prototype.sublevel<string, Value>>

/**
 * Opens the outbox of a node, or makes it. Throws `conflict` when another process has it open and `internal` when the
 * folder cannot be used.
 */
export async function openOutbox(clock: () => number, options: OutboxOptions): Promise<Outbox> {
  const store: Store = new Level(options.path, { valueEncoding: 'json' })
  try {
    await store.open()
  } catch (error) {
    throw openError(error, options.path)
  }
  const outbox = new LevelOutbox(store, clock, {
    receiptsMax: options.receiptsMax ?? OUTBOX_RECEIPTS_MAX,
    asideMax: options.asideMax ?? OUTBOX_ASIDE_MAX,
  })
  await outbox.load()
  return outbox
}

class LevelOutbox implements Outbox {
  readonly #store: Store
  readonly #clock: () => number
  readonly #limits: { receiptsMax: number; asideMax: number }
  readonly #receipts: Sublevel<StoredReceipt>
  readonly #aside: Sublevel<AsideReceipt>
  readonly #items = new Map<string, OutboxItem>()
  #asideKeys: string[] = []
  #writing = 0
  #broken = false

  constructor(
    store: Store,
    clock: () => number,
    limits: { receiptsMax: number; asideMax: number },
  ) {
    this.#store = store
    this.#clock = clock
    this.#limits = limits
    this.#receipts = store.sublevel('receipts', { valueEncoding: 'json' })
    this.#aside = store.sublevel('aside', { valueEncoding: 'json' })
  }

  async load(): Promise<void> {
    const found: OutboxItem[] = []
    for await (const [holdId, { storedAtMs, gatewayLost }] of this.#receipts.iterator()) {
      found.push({ holdId, storedAtMs, gatewayLost })
    }
    found.sort((a, b) => a.storedAtMs - b.storedAtMs)
    for (const item of found) this.#items.set(item.holdId, item)
    this.#asideKeys = await this.#aside.keys().all()
  }

  get size(): number {
    return this.#items.size
  }

  get asideSize(): number {
    return this.#asideKeys.length
  }

  refusal(running: number): LexoraError | undefined {
    if (this.#broken) {
      return new LexoraError('storage_full', 'this provider cannot write receipts to its disk')
    }
    const { receiptsMax } = this.#limits
    if (this.#items.size + this.#writing + running < receiptsMax) return undefined
    const facts = { receipts: this.#items.size, receiptsMax }
    return new LexoraError('storage_full', 'too many receipts of this provider are not settled', {
      facts,
    })
  }

  async put({ holdId, receipt, gatewayLost }: OutboxEntry): Promise<void> {
    const refused = this.refusal(0)
    if (refused !== undefined) throw refused
    const storedAtMs = this.#clock()
    this.#writing += 1
    try {
      await this.#receipts.put(holdId, { receipt: base64(receipt), storedAtMs, gatewayLost })
      this.#items.set(holdId, { holdId, storedAtMs, gatewayLost })
    } catch (cause) {
      // LevelDB refuses every write after the first that failed; a restart finds out whether the disk is well again.
      this.#broken = true
      const message = 'the receipt could not be written to the disk'
      throw new LexoraError('storage_full', message, { cause })
    } finally {
      this.#writing -= 1
    }
  }

  items(): Iterable<OutboxItem> {
    return this.#items.values()
  }

  async receipt(holdId: string): Promise<Uint8Array | undefined> {
    const stored = await this.#receipts.get(holdId)
    return stored === undefined ? undefined : Buffer.from(stored.receipt, 'base64')
  }

  async remove(holdId: string): Promise<void> {
    await this.#receipts.del(holdId)
    this.#items.delete(holdId)
  }

  async setAside(holdId: string, code: ErrorCode): Promise<void> {
    const stored = await this.#receipts.get(holdId)
    if (stored === undefined) return
    // Keys begin with the time, so that the oldest can be dropped.
    const key = `${this.#clock().toString().padStart(15, '0')}:${holdId}`
    const kept = [...this.#asideKeys, key]
    const dropped = kept.splice(0, Math.max(0, kept.length - this.#limits.asideMax))
    await this.#store.batch([
      { type: 'put', sublevel: this.#aside, key, value: { ...stored, code } },
      { type: 'del', sublevel: this.#receipts, key: holdId },
      ...dropped.map((old) => ({ type: 'del' as const, sublevel: this.#aside, key: old })),
    ])
    this.#asideKeys = [...this.#asideKeys.filter((old) => !dropped.includes(old)), key]
    this.#items.delete(holdId)
  }

  close(): Promise<void> {
    return this.#store.close()
  }
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64')
}

function openError(error: unknown, path: string): LexoraError {
  const cause = error instanceof Error ? error.cause : undefined
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined
  if (code === 'LEVEL_LOCKED') {
    return new LexoraError('conflict', `another process uses the receipt outbox ${path}`, {
      facts: { path },
      cause,
    })
  }
  return new LexoraError('internal', `the receipt outbox ${path} cannot be opened`, {
    facts: { path },
    cause: error,
  })
}
