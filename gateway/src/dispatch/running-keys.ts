/** One request that runs on a key. */
export interface KeyWatch {
  /** Aborts when the client goes or the key is revoked. */
  readonly signal: AbortSignal
  /** Whether the key was revoked while the request ran. */
  isRevoked(): boolean
  /** The request has ended. */
  end(): void
}

/** Which keys have requests that run now: a revoked key's are stopped, not only refused the next time. */
export interface RunningKeys {
  /** Joins the client's own signal with the key's. */
  watch(keyHash: Uint8Array, client: AbortSignal): KeyWatch
  /** Stops what runs on these keys. */
  revoke(keyHashes: readonly Uint8Array[]): void
}

/** Makes {@link RunningKeys}. Bounded by the requests that run at once. */
export function createRunningKeys(): RunningKeys {
  const running = new Map<string, Set<AbortController>>()
  return {
    watch(keyHash, client) {
      const key = Buffer.from(keyHash).toString('hex')
      const controller = new AbortController()
      const watches = running.get(key) ?? new Set()
      running.set(key, watches.add(controller))
      return {
        signal: AbortSignal.any([client, controller.signal]),
        isRevoked: () => controller.signal.aborted,
        end() {
          watches.delete(controller)
          if (watches.size === 0 && running.get(key) === watches) running.delete(key)
        },
      }
    },
    revoke(keyHashes) {
      for (const keyHash of keyHashes) {
        const watches = running.get(Buffer.from(keyHash).toString('hex')) ?? []
        for (const controller of watches) controller.abort()
      }
    },
  }
}
