import type { Candidate, RankedCandidate, RouteRequest } from './candidate.ts'

/** Candidates whose predicted times differ by less than this share are as good as equal, and chance decides. */
const TIE_SHARE = 0.1

/** Slowest believable speed, tokens/s: keeps a division finite and an unmeasured provider comparable. */
const SPEED_MIN = 0.1

/** Predicted times are capped here, ms: beyond an hour all are equally hopeless. */
const FINISH_MAX_MS = 3_600_000

/** Verdicts in order: a free slot first, then a busy provider (it may free one), then one that rests after a failure. */
const VERDICTS = ['free', 'busy', 'resting'] as const
const FREE = 0
const BUSY = 1
const RESTING = 2

/**
 * Ranks candidates by predicted finish time: waiting for a slot, prefill, decode. Pure: `random` (0 to below 1) is
 * drawn once per candidate and decides only among near ties. Draining providers are left out.
 */
export function rank(
  candidates: readonly Candidate[],
  request: RouteRequest,
  random: () => number,
): RankedCandidate[] {
  const ranked = candidates
    .filter((candidate) => !candidate.draining)
    .map((candidate) => {
      const finishMs = predictFinishMs(candidate, request)
      const order = orderOf(candidate, request)
      return { peerId: candidate.peerId, finishMs, order, key: stretched(finishMs, random) }
    })
  ranked.sort((a, b) => a.order - b.order || a.key - b.key)
  return ranked.map(({ peerId, finishMs, order }) => ({
    peerId,
    finishMs,
    verdict: VERDICTS[order],
  }))
}

/**
 * The candidate that {@link rank} would put first, in one pass and without a copy. `random` is drawn only where it can
 * decide, and `isUsable` is asked only of a candidate that is better than all before it.
 */
export function choose<C extends Candidate>(
  candidates: Iterable<C>,
  request: RouteRequest,
  rules: { random: () => number; isUsable: (candidate: C) => boolean },
): C | undefined {
  let best: C | undefined
  let bestOrder: number = RESTING
  let bestKey = Number.POSITIVE_INFINITY
  for (const candidate of candidates) {
    if (candidate.draining) continue
    const order = orderOf(candidate, request)
    if (order > bestOrder) continue
    const finishMs = predictFinishMs(candidate, request)
    const limit = order < bestOrder ? Number.POSITIVE_INFINITY : bestKey
    if (finishMs >= limit) continue
    const key = stretched(finishMs, rules.random)
    if (key >= limit || !rules.isUsable(candidate)) continue
    best = candidate
    bestOrder = order
    bestKey = key
  }
  return best
}

/**
 * Predicted time to the last token, ms. Busy slots are the greater of the provider's word and our own requests there:
 * the heartbeat lags behind us, and we do not see other gateways. A request beyond the slots waits for a share of one
 * average answer per request before it. What is not a number is as bad as can be.
 */
export function predictFinishMs(candidate: Candidate, request: RouteRequest): number {
  const workMs =
    durationMs(request.promptTokens, candidate.prefillTokensPerSecond) +
    durationMs(request.outputTokens, candidate.decodeTokensPerSecond)
  const queued = busySlots(candidate, request.nowMs) + candidate.queueLength
  const before = Math.max(0, queued - candidate.slots + 1)
  const finishMs = workMs + (before * workMs) / Math.max(1, candidate.slots)
  return finishMs < FINISH_MAX_MS ? finishMs : FINISH_MAX_MS
}

function durationMs(tokens: number, tokensPerSecond: number): number {
  return (tokens * 1_000) / (tokensPerSecond > SPEED_MIN ? tokensPerSecond : SPEED_MIN)
}

function orderOf(candidate: Candidate, request: RouteRequest): 0 | 1 | 2 {
  if (candidate.restUntilMs > request.nowMs) return RESTING
  return busySlots(candidate, request.nowMs) < candidate.slots ? FREE : BUSY
}

function busySlots({ slots, slotsBusy, inFlight, fullUntilMs }: Candidate, nowMs: number): number {
  const known = Math.max(slotsBusy, inFlight)
  return fullUntilMs > nowMs ? Math.max(known, slots) : known
}

/** A near tie is broken by chance: each time is stretched by up to the tie share before it is compared. */
function stretched(finishMs: number, random: () => number): number {
  return finishMs * (1 + TIE_SHARE * random())
}
