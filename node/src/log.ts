import { LexoraError } from '@lexora/protocol'
import { type DestinationStream, destination, type Logger, pino } from 'pino'

/**
 * Every field that a log line may have. What is not here is not written: that no prompt or output reaches a log does
 * not depend on whoever adds the next line.
 */
const FIELDS: ReadonlySet<string> = new Set([
  'accountRef',
  'addresses',
  'bytes',
  'cachedTokens',
  'code',
  'completionTokens',
  'contextTokens',
  'decodeTokensPerSecond',
  'device',
  'direction',
  'engine',
  'errorName',
  'event',
  'failures',
  'finishReason',
  'found',
  'gatewayLost',
  'gateways',
  'holdId',
  'method',
  'model',
  'models',
  'ms',
  'path',
  'peer',
  'peers',
  'prefillTokensPerSecond',
  'promptTokens',
  'protocol',
  'receipts',
  'running',
  'said',
  'signal',
  'slots',
  'state',
  'threads',
  'timeoutMs',
  'told',
  'topic',
])

/** Where lines go and which. */
export interface LogOptions {
  level: string
  /** What writes them, e.g. `node` or `bootstrap`. */
  component: string
  /** Default: standard error, synchronously, so that the last line before a death is there. */
  destination?: DestinationStream
}

/** Makes the log of a process: JSON lines with allow-listed fields. */
export function createLog(options: LogOptions): Logger {
  return pino(
    {
      level: options.level,
      base: { component: options.component },
      formatters: { log: allowedFields },
    },
    options.destination ?? destination({ dest: 2, sync: true }),
  )
}

function allowedFields(fields: Record<string, unknown>): Record<string, unknown> {
  const allowed: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(fields)) {
    if (name === 'err' || name === 'error') allowed['err'] = errorFields(value)
    else if (name === 'part' || FIELDS.has(name)) allowed[name] = value
  }
  return allowed
}

/** Our own messages are written for operators; those of others may quote what they were given, so they are left out. */
function errorFields(error: unknown): Record<string, unknown> {
  if (!(error instanceof Error)) return { name: typeof error }
  const fields: Record<string, unknown> = { name: error.name, at: placesOf(error) }
  if ('code' in error && typeof error.code === 'string') fields['code'] = error.code
  if (error instanceof LexoraError) fields['message'] = error.message
  if (error.cause instanceof Error) fields['cause'] = error.cause.name
  return fields
}

/** The stack without the message, which comes first in it and may have several lines. */
function placesOf(error: Error): string {
  return (error.stack ?? '')
    .split('\n')
    .filter((line) => /^\s+at /.test(line))
    .slice(0, 8)
    .map((line) => line.trim())
    .join(' < ')
}
