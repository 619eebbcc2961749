import type { EngineEvent, EngineStream } from './engine.ts'

/**
 * Makes a stream of a generator such that `return()` also ends a `next()` that is still pending. A bare generator
 * would let `return()` wait behind it: forever, where the model hangs.
 */
export function chatStream(
  caller: AbortSignal,
  generate: (signal: AbortSignal) => AsyncGenerator<EngineEvent, void, void>,
): EngineStream {
  const controller = new AbortController()
  const abort = (): void => controller.abort()
  const events = generate(controller.signal)
  const settle = (): void => caller.removeEventListener('abort', abort)
  if (caller.aborted) abort()
  else caller.addEventListener('abort', abort, { once: true })

  return {
    async next() {
      try {
        const result = await events.next()
        if (result.done === true) settle()
        return result
      } catch (error) {
        settle()
        throw error
      }
    },
    async return() {
      settle()
      abort()
      return await events.return()
    },
    async throw(error) {
      settle()
      abort()
      return await events.throw(error)
    },
    [Symbol.asyncIterator]() {
      return this
    },
  }
}
