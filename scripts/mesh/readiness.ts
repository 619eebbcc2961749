import { setTimeout as delay } from 'node:timers/promises'
import { MeshError } from './mesh-error.ts'

/** How often a gateway is asked, in ms. */
const ASK_MS = 100
/** How long one answer may take, in ms. */
const ANSWER_MS = 2_000
/** How often people are told what is missing, in ms. */
const TELL_MS = 5_000

/** What a gateway must say to be called ready. */
export interface Readiness {
  /** Who is asked, for people. */
  name: string
  url: string
  logFile: string
  model: string
  /** Providers of the model that it must list. */
  providers: number
  /** Time for it all, in ms. */
  withinMs: number
  signal: AbortSignal
  log: (line: string) => void
}

/**
 * Waits until a gateway is ready and lists the model with all its providers. Throws {@link MeshError} saying what was
 * still missing at the deadline.
 */
export async function waitForGateway(readiness: Readiness): Promise<void> {
  const { name, withinMs, signal, log } = readiness
  const startedAtMs = Date.now()
  let toldAtMs = startedAtMs
  for (;;) {
    const missing = await whatIsMissing(readiness)
    if (missing === undefined) return
    signal.throwIfAborted()
    const nowMs = Date.now()
    if (nowMs - startedAtMs > withinMs) {
      throw new MeshError(
        `${name} is not ready after ${withinMs / 1000} s: ${missing} (log: ${readiness.logFile})`,
      )
    }
    if (nowMs - toldAtMs > TELL_MS) {
      log(`waiting for ${name}: ${missing}`)
      toldAtMs = nowMs
    }
    await delay(ASK_MS, undefined, { signal })
  }
}

async function whatIsMissing(readiness: Readiness): Promise<string | undefined> {
  const { url, model, providers } = readiness
  try {
    const { checks = [] } = await ask<{ checks?: { name: string; ok: boolean }[] }>(`${url}/readyz`)
    const failing = checks.filter(({ ok }) => !ok).map((check) => check.name)
    if (failing.length > 0) return `it has no ${failing.join(', no ')} yet`
    const { data } = await ask<{ data: { id: string; providers: number }[] }>(`${url}/v1/models`)
    const listed = data.find(({ id }) => id === model)?.providers ?? 0
    return listed !== providers
      ? `it lists ${model} with ${listed} of ${providers} providers`
      : undefined
  } catch (error) {
    return `${url} does not answer (${error instanceof Error ? error.message : String(error)})`
  }
}

async function ask<Answer>(url: string): Promise<Answer> {
  const response = await fetch(url, { signal: AbortSignal.timeout(ANSWER_MS) })
  return (await response.json()) as Answer
}
