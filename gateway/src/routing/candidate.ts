/** One provider as the router sees it: plain numbers out of one moment's snapshot. */
export interface Candidate {
  peerId: string
  /** Slots for this model, and how many the provider last said were busy. */
  slots: number
  slotsBusy: number
  queueLength: number
  /** This gateway's own requests running there: fresher than any heartbeat. */
  inFlight: number
  draining: boolean
  /** Speed of one slot, tokens/s: observed by this gateway, or claimed and clamped where nothing was observed yet. */
  prefillTokensPerSecond: number
  decodeTokensPerSecond: number
  /** Unix ms until which recent failures rule it out while others can serve. */
  restUntilMs: number
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
