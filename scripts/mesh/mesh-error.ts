/** A mesh that cannot start or go on: one line for the user, and the exit code that belongs to it. */
export class MeshError extends Error {
  /** 1 in general, 8 where another one runs in the same home folder. */
  readonly exitCode: number

  constructor(message: string, options: ErrorOptions & { exitCode?: number } = {}) {
    super(message, options)
    this.name = 'MeshError'
    this.exitCode = options.exitCode ?? 1
  }
}

/** The words of whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
