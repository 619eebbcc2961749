export { type Backoff, type BackoffOptions, backoff } from './backoff.ts'
export type { Call, CallFrame, CallOptions } from './call.ts'
export { remoteMessageOf } from './error-payload.ts'
export type { GossipSubscriber, GossipVerdict } from './gossip.ts'
export {
  createMeshHost,
  type MeshHost,
  type MeshHostComponents,
  type MeshHostOptions,
} from './host.ts'
export { generateKey, loadOrCreateKey, peerIdOfKey, publicKeyOfKey, seedOfKey } from './key-file.ts'
export { isLateWrite } from './late-write.ts'
export {
  createLedgerClient,
  type LedgerClient,
  type LedgerClientComponents,
  type LedgerClientOptions,
} from './ledger-client.ts'
export { SESSION_LIMITS, type SessionLimits } from './limits.ts'
export { type MeshLog, silentLog } from './log.ts'
export type { FindOptions, FoundProvider } from './rendezvous.ts'
export type { NoticeHandler, RequestContext, RequestHandler, SessionHandlers } from './serve.ts'
export { establishSession, type Session, type SessionOptions } from './session.ts'
export type { OpenOptions, ServeOptions, SessionTarget } from './session-hub.ts'
export type { SessionStream, SessionStreamListener } from './session-stream.ts'
export type { RequestOptions } from './unary.ts'
