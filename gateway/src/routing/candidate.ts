/** One provider as the router sees it: plain numbers that hold for this moment. */
export interface Candidate {
  readonly peerId: string
  /** Slots for this model, and how many the provider last said were busy. */
  readonly slots: number
  readonly slotsBusy: number
  readonly queueLength: number
  /** This gateway's own requests running there: fresher than any heartbeat. */
  readonly inFlight: number
  readonly draining: boolean
  /** Speed of one slot, tokens/s: observed by this gateway, or claimed and clamped where nothing was observed yet. */
  readonly prefillTokensPerSecond: number
  readonly decodeTokensPerSecond: number
  /** Unix ms until which recent failures rule it out while others can serve. */
  readonly restUntilMs: number
  /** Unix ms until which it counts as full, since it refused a request. */
  readonly fullUntilMs: number
}

/** What the router needs to know of a request. Tokens are estimates: money never depends on them. */
export interface RouteRequest {
  promptTokens: number
  outputTokens: number
  nowMs: number
}

/** A ranked candidate with the reason for its place, so that a decision can be explained. */
export interface RankedCandidate {
  peerId: string
  /** Predicted time until the answer is complete, ms. */
  finishMs: number
  verdict: 'free' | 'busy' | 'resting'
}
