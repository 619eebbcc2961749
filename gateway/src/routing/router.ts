import type { Candidate, RankedCandidate, RouteRequest } from './candidate.ts'

/** Candidates whose predicted times differ by less than this share are as good as equal, and chance decides. */
const TIE_SHARE = 0.1

/** Slowest believable speed, tokens/s: keeps a division finite and an unmeasured provider comparable. */
const SPEED_MIN = 0.1

/** Predicted times are capped here, ms: beyond an hour all are equally hopeless. */
const FINISH_MAX_MS = 3_600_000

/** Order of verdicts: a free slot first, then a busy provider (it may free one), then one that rests after a failure. */
const VERDICT_ORDER = { free: 0, busy: 1, resting: 2 } as const

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
      // A near tie is broken by chance: each time is stretched by up to the tie share before sorting.
      return {
        peerId: candidate.peerId,
        finishMs,
        verdict: verdictOf(candidate, request),
        key: finishMs * (1 + TIE_SHARE * random()),
      }
    })
  ranked.sort((a, b) => VERDICT_ORDER[a.verdict] - VERDICT_ORDER[b.verdict] || a.key - b.key)
  return ranked.map(({ peerId, finishMs, verdict }) => ({ peerId, finishMs, verdict }))
}

/**
 * Predicted time to the last token, ms. Busy slots are the greater of the provider's word and our own requests there:
 * the heartbeat lags behind us, and we do not see other gateways. A request beyond the slots waits for a share of one
 * average answer per request before it.
 */
export function predictFinishMs(candidate: Candidate, request: RouteRequest): number {
  const prefillMs =
    (request.promptTokens / Math.max(SPEED_MIN, candidate.prefillTokensPerSecond)) * 1_000
  const decodeMs =
    (request.outputTokens / Math.max(SPEED_MIN, candidate.decodeTokensPerSecond)) * 1_000
  const before = Math.max(0, busySlots(candidate) + candidate.queueLength - candidate.slots + 1)
  const waitMs = before * ((prefillMs + decodeMs) / Math.max(1, candidate.slots))
  return Math.min(FINISH_MAX_MS, waitMs + prefillMs + decodeMs)
}

function verdictOf(candidate: Candidate, request: RouteRequest): RankedCandidate['verdict'] {
  if (candidate.restUntilMs > request.nowMs) return 'resting'
  return busySlots(candidate) < candidate.slots ? 'free' : 'busy'
}

function busySlots(candidate: Candidate): number {
  return Math.max(candidate.slotsBusy, candidate.inFlight)
}
