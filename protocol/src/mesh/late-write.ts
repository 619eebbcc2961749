/**
 * Whether an uncaught error is libp2p's own late write: yamux opens a stream in a microtask of its own, and where the
 * connection died before that it throws with nobody to catch (libp2p 3, yamux 8). The stream's user learns of the death
 * by itself, so a process must not end for it: any peer that hangs up at the right moment could stop it.
 */
export function isLateWrite(error: unknown): boolean {
  return (
    error instanceof Error &&
    error.name === 'StreamStateError' &&
    error.stack?.includes('libp2p') === true
  )
}
