import { readFile } from 'node:fs/promises'
import { LexoraError, type NetworkConfig, parseNetworkConfig } from '@lexora/protocol'
import { z } from 'zod'

/** Everything a gateway is started with. */
export interface GatewayConfig {
  /** Folder for the key, the settlement outbox and nothing else. */
  home: string
  network: NetworkConfig
  http: { host: string; port: number }
  /** Multiaddresses to listen on for peers, and to tell others instead. */
  listen: string[]
  announce: string[]
  /** Redeemed once, the first time this gateway meets the ledger. */
  enrolmentToken?: string
  logLevel: LogLevel
}

const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const
/** Least severe level that is logged. */
export type LogLevel = (typeof LOG_LEVELS)[number]

/** What the command line gives; each has an environment variable behind it. */
export interface GatewayFlags {
  home?: string
  network?: string
  httpHost?: string
  httpPort?: string
  listen?: string[]
  announce?: string[]
  enrol?: string
  logLevel?: string
}

const PORT_MAX = 65_535
const PORT_RULE = `--http-port must be a whole number from 0 to ${PORT_MAX}`

const schema = z.object({
  home: z.string({ error: 'no home folder: pass --home DIR or set LEXORA_GATEWAY_HOME' }),
  network: z.string({ error: 'no network file: pass --network FILE or set LEXORA_NETWORK' }),
  httpHost: z.string().default('127.0.0.1'),
  httpPort: z
    .string()
    .regex(/^\d{1,5}$/, PORT_RULE)
    .transform(Number)
    .refine((port) => port <= PORT_MAX, PORT_RULE)
    .default(8080),
  listen: z
    .array(
      z.string().startsWith('/', '--listen must be a multiaddress such as /ip4/0.0.0.0/tcp/4001'),
    )
    .default(['/ip4/0.0.0.0/tcp/4001']),
  announce: z.array(z.string().startsWith('/', '--announce must be a multiaddress')).default([]),
  enrol: z.string().optional(),
  logLevel: z
    .enum(LOG_LEVELS, { error: `--log-level must be one of ${LOG_LEVELS.join(', ')}` })
    .default('info'),
})

/**
 * Reads the configuration: flag before environment before default.
 * Throws `invalid_request` with every problem at once, in the operator's terms.
 */
export async function readConfig(flags: GatewayFlags): Promise<GatewayConfig> {
  const parsed = schema.safeParse({ ...environment(), ...given(flags) })
  if (!parsed.success) {
    throw new LexoraError(
      'invalid_request',
      parsed.error.issues.map((issue) => issue.message).join('; '),
    )
  }
  const { home, network, httpHost, httpPort, listen, announce, enrol, logLevel } = parsed.data
  return {
    home,
    network: await readNetworkFile(network),
    http: { host: httpHost, port: httpPort },
    listen,
    announce,
    ...(enrol === undefined ? {} : { enrolmentToken: enrol }),
    logLevel,
  }
}

/** Reads a network file. Throws `invalid_request` naming the file and what is wrong with it. */
async function readNetworkFile(path: string): Promise<NetworkConfig> {
  try {
    return parseNetworkConfig(JSON.parse(await readFile(path, 'utf8')))
  } catch (cause) {
    const why = cause instanceof LexoraError ? cause.message : reasonOf(cause)
    throw new LexoraError('invalid_request', `${path}: ${why}`, { cause })
  }
}

function reasonOf(error: unknown): string {
  if (error instanceof SyntaxError) return 'it is not JSON'
  return (error as NodeJS.ErrnoException).code === 'ENOENT'
    ? 'there is no such file'
    : 'it cannot be read'
}

/** The environment under the names of the flags. */
function environment(): GatewayFlags {
  const { env } = process
  return given({
    home: env['LEXORA_GATEWAY_HOME'],
    network: env['LEXORA_NETWORK'],
    httpHost: env['LEXORA_GATEWAY_HTTP_HOST'],
    httpPort: env['LEXORA_GATEWAY_HTTP_PORT'],
    listen: listOf(env['LEXORA_GATEWAY_LISTEN']),
    announce: listOf(env['LEXORA_GATEWAY_ANNOUNCE']),
    enrol: env['LEXORA_ENROL_TOKEN'],
    logLevel: env['LEXORA_LOG_LEVEL'],
  })
}

/** Only what was given, so that one source does not hide another behind nothing: an empty text gives nothing. */
function given(
  values: { [Key in keyof GatewayFlags]: GatewayFlags[Key] | undefined },
): GatewayFlags {
  return Object.fromEntries(
    Object.entries(values).filter(([, value]) => value !== undefined && value.length > 0),
  )
}

function listOf(text: string | undefined): string[] | undefined {
  return text
    ?.split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '')
}
