/** The part of a pino logger that the mesh writes to. Fields never hold payloads. */
export interface MeshLog {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

/** Writes nothing: the log of a mesh part that was given none. */
export function silentLog(): MeshLog {
  const nothing = (): void => {}
  return { debug: nothing, info: nothing, warn: nothing, error: nothing }
}
