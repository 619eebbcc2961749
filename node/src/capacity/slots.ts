import { LexoraError, type ModelLoad } from '@lexora/protocol'
import { SPEED_SAMPLE_TOKENS_MIN, SPEED_SAMPLE_WEIGHT } from '../constants.ts'

/** What one answer took, for the moving average. */
export interface DecodeSample {
  completionTokens: number
  decodeMs: number
}

/** A reserved place in an engine. */
export interface Slot {
  /** Gives the place back; only the first call counts. A sample of a finished answer feeds the average. */
  release(sample?: DecodeSample): void
}

/** Who may run now: the slots of every model and what they do. */
export interface Slots {
  /** Takes a slot. Throws `provider_draining`, `model_not_found` or `provider_busy`. */
  reserve(model: string): Slot
  /** Slots in use, over all models. */
  readonly running: number
  readonly isDraining: boolean
  /** From now on nothing new is taken. */
  drain(): void
  /** Resolves when nothing runs any more, or when the signal aborts: true if nothing runs. */
  idle(signal: AbortSignal): Promise<boolean>
  /** Every model's load now. */
  loads(): ModelLoad[]
  /** Tells of each change of load. Returns an unsubscribe. */
  onChange(listener: () => void): () => void
}

interface ModelState {
  slots: number
  busy: number
  tokensPerSecond: number
}

/** Makes the slots of the given models. */
export function createSlots(models: readonly { id: string; slots: number }[]): Slots {
  return new ModelSlots(models)
}

class ModelSlots implements Slots {
  readonly #states: ReadonlyMap<string, ModelState>
  readonly #listeners = new Set<() => void>()
  #running = 0
  #draining = false

  constructor(models: readonly { id: string; slots: number }[]) {
    this.#states = new Map(
      models.map(({ id, slots }) => [id, { slots, busy: 0, tokensPerSecond: 0 }]),
    )
  }

  get running(): number {
    return this.#running
  }

  get isDraining(): boolean {
    return this.#draining
  }

  reserve(model: string): Slot {
    if (this.#draining) {
      throw new LexoraError('provider_draining', 'this provider is stopping and takes nothing new')
    }
    const state = this.#states.get(model)
    if (state === undefined) {
      throw new LexoraError('model_not_found', 'this provider does not serve the model')
    }
    const { slots } = state
    if (state.busy >= slots) {
      throw new LexoraError('provider_busy', 'every slot of the model is in use', {
        facts: { slots },
      })
    }
    state.busy += 1
    this.#running += 1
    this.#changed()
    let held = true
    return {
      release: (sample) => {
        if (!held) return
        held = false
        this.#release(state, sample)
      },
    }
  }

  drain(): void {
    if (this.#draining) return
    this.#draining = true
    this.#changed()
  }

  idle(signal: AbortSignal): Promise<boolean> {
    return new Promise((resolve) => {
      const look = (): void => {
        if (this.#running > 0 && !signal.aborted) return
        this.#listeners.delete(look)
        signal.removeEventListener('abort', look)
        resolve(this.#running === 0)
      }
      this.#listeners.add(look)
      signal.addEventListener('abort', look)
      look()
    })
  }

  loads(): ModelLoad[] {
    return Array.from(this.#states, ([model, { slots, busy, tokensPerSecond }]) => ({
      model,
      slots,
      slotsBusy: busy,
      queueLength: 0,
      decodeTokensPerSecond: tokensPerSecond,
    }))
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  #release(state: ModelState, sample: DecodeSample | undefined): void {
    state.busy -= 1
    this.#running -= 1
    if (sample !== undefined) observe(state, sample)
    this.#changed()
  }

  #changed(): void {
    for (const listener of this.#listeners) listener()
  }
}

/** The first token comes out of the prefill, so n tokens are n - 1 steps of decoding. */
function observe(state: ModelState, { completionTokens, decodeMs }: DecodeSample): void {
  if (completionTokens < SPEED_SAMPLE_TOKENS_MIN || decodeMs <= 0) return
  const speed = ((completionTokens - 1) * 1_000) / decodeMs
  state.tokensPerSecond =
    state.tokensPerSecond === 0
      ? speed
      : state.tokensPerSecond + SPEED_SAMPLE_WEIGHT * (speed - state.tokensPerSecond)
}
