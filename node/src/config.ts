import { homedir } from 'node:os'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import {
  LexoraError,
  MODEL_ID_LENGTH_MAX,
  MODELS_PER_PROVIDER_MAX,
  type NetworkConfig,
} from '@lexora/protocol'
import { z } from 'zod'
import { readNetworkFile } from './network-file.ts'

const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const
/** Least severe level that is logged. */
export type LogLevel = (typeof LOG_LEVELS)[number]

/** A model to serve. */
export interface ModelChoice {
  id: string
  /** A GGUF file; unused by the fake engine. */
  path: string
}

/** What runs the models. The fake engine makes words of no meaning, for tests and benchmarks. */
export type EngineChoice =
  | { kind: 'llama'; slots: number; threads: number | 'measure'; gpu: 'auto' | false }
  | { kind: 'fake'; slots: number; tokenDelayMs: number }

/** Everything a provider node is started with. */
export interface NodeConfig {
  /** Folder for the key and the receipts. */
  home: string
  network: NetworkConfig
  models: ModelChoice[]
  engine: EngineChoice
  /** Multiaddresses to listen on; none for a node that only dials out. */
  listen: string[]
  announce: string[]
  /** Redeemed once, the first time this node meets the ledger. */
  enrolmentToken?: string
  logLevel: LogLevel
}

/** Everything a bootstrap peer is started with. */
export interface BootstrapConfig {
  home: string
  /** Without it the peer serves a network whose ledger it does not know, and checks no certificates. */
  network?: NetworkConfig
  listen: string[]
  announce: string[]
  enrolmentToken?: string
  logLevel: LogLevel
}

/** What the command line gives; each has an environment variable behind it. */
export interface NodeFlags {
  home?: string
  network?: string
  enrol?: string
  model?: string[]
  engine?: string
  slots?: string
  threads?: string
  gpu?: string
  fakeTokenDelay?: string
  listen?: string[]
  announce?: string[]
  logLevel?: string
}

/** Most slots of one model: each costs its context's memory, and no machine here has room for more. */
const SLOTS_MAX = 256
const THREADS_MAX = 1_024
const FAKE_DELAY_MAX_MS = 60_000

const ADDRESS_EXAMPLE = 'must be a multiaddress such as /ip4/0.0.0.0/tcp/4001'

function wholeNumber(flag: string, max: number): z.ZodCoercedNumber<unknown> {
  const error = `${flag} must be a whole number from 1 to ${max}`
  return z.coerce.number({ error }).int(error).min(1, error).max(max, error)
}

const schema = z.object({
  home: z
    .string()
    .min(1, '--home must name a folder')
    .default(join(homedir(), '.lexora', 'node')),
  network: z.string().min(1).optional(),
  enrol: z.string().min(1, '--enrol must be a token').optional(),
  model: z
    .array(z.string().min(1, '--model must name a file'))
    .max(MODELS_PER_PROVIDER_MAX, `at most ${MODELS_PER_PROVIDER_MAX} models`)
    .optional(),
  engine: z.enum(['llama', 'fake'], { error: '--engine must be llama or fake' }).default('llama'),
  slots: wholeNumber('--slots', SLOTS_MAX).default(2),
  threads: wholeNumber('--threads', THREADS_MAX).optional(),
  gpu: z.enum(['auto', 'off'], { error: '--gpu must be auto or off' }).default('auto'),
  fakeTokenDelay: z.coerce
    .number({ error: '--fake-token-delay must be in milliseconds' })
    .min(0)
    .max(FAKE_DELAY_MAX_MS)
    .default(0),
  listen: z.array(z.string().startsWith('/', `--listen ${ADDRESS_EXAMPLE}`)).optional(),
  announce: z.array(z.string().startsWith('/', `--announce ${ADDRESS_EXAMPLE}`)).default([]),
  logLevel: z
    .enum(LOG_LEVELS, { error: `--log-level must be one of ${LOG_LEVELS.join(', ')}` })
    .default('info'),
})

/**
 * Reads the configuration of `start`: flag before environment before default.
 * Throws `invalid_request` with every problem at once, in the operator's terms.
 */
export async function readNodeConfig(flags: NodeFlags): Promise<NodeConfig> {
  const values = read(flags)
  return {
    home: values.home,
    network: await readNetworkFile(values.network ?? join(values.home, 'network.json')),
    models: modelChoices(values.model, values.engine),
    engine: engineChoice(values),
    listen: values.listen ?? [],
    announce: values.announce,
    ...(values.enrol === undefined ? {} : { enrolmentToken: values.enrol }),
    logLevel: values.logLevel,
  }
}

/** Reads the configuration of `bootstrap`. Throws `invalid_request` like {@link readNodeConfig}. */
export async function readBootstrapConfig(flags: NodeFlags): Promise<BootstrapConfig> {
  const values = read(flags)
  return {
    home: values.home,
    ...(values.network === undefined ? {} : { network: await readNetworkFile(values.network) }),
    listen: values.listen ?? ['/ip4/0.0.0.0/tcp/4001'],
    announce: values.announce,
    ...(values.enrol === undefined ? {} : { enrolmentToken: values.enrol }),
    logLevel: values.logLevel,
  }
}

/** The home folder alone, for commands that need nothing else. Throws `invalid_request`. */
export function readHome(flags: NodeFlags): string {
  return read(flags).home
}

function read(flags: NodeFlags): z.infer<typeof schema> {
  const parsed = schema.safeParse({ ...environment(), ...given(flags) })
  if (parsed.success) return parsed.data
  const problems = parsed.error.issues.map((issue) => issue.message).join('; ')
  throw new LexoraError('invalid_request', problems)
}

function engineChoice(values: z.infer<typeof schema>): EngineChoice {
  const { slots } = values
  if (values.engine === 'fake') return { kind: 'fake', slots, tokenDelayMs: values.fakeTokenDelay }
  return {
    kind: 'llama',
    slots,
    threads: values.threads ?? 'measure',
    gpu: values.gpu === 'off' ? false : 'auto',
  }
}

/** The models named, or the one that comes with the package. */
function modelChoices(named: string[] | undefined, engine: 'llama' | 'fake'): ModelChoice[] {
  const bundled = fileURLToPath(new URL('../models/lexora-tiny-chat.gguf', import.meta.url))
  const choices = (named ?? [engine === 'fake' ? 'fake' : bundled]).map(modelChoice)
  const ids = new Set(choices.map(({ id }) => id))
  if (ids.size < choices.length) {
    throw new LexoraError(
      'invalid_request',
      'two models have the same id; name them with --model ID=FILE',
    )
  }
  return choices
}

/** Reads `FILE`, whose name without ending is the id, or `ID=FILE`. */
function modelChoice(text: string): ModelChoice {
  const named = /^([^=/\\]+)=(.+)$/.exec(text)
  const path = named?.[2] ?? text
  const id = named?.[1] ?? basename(path).replace(/\.gguf$/i, '')
  if (id.length > 0 && id.length <= MODEL_ID_LENGTH_MAX) return { id, path }
  throw new LexoraError(
    'invalid_request',
    `a model id has 1 to ${MODEL_ID_LENGTH_MAX} characters; name it with --model ID=FILE`,
  )
}

/** The environment under the names of the flags. */
function environment(): NodeFlags {
  const { env } = process
  return given({
    home: env['LEXORA_HOME'],
    network: env['LEXORA_NETWORK'],
    enrol: env['LEXORA_ENROL_TOKEN'],
    model: listOf(env['LEXORA_MODELS']),
    engine: undefined, // the fake engine must be asked for where everybody sees it
    slots: env['LEXORA_SLOTS'],
    threads: env['LEXORA_THREADS'],
    gpu: env['LEXORA_GPU'],
    fakeTokenDelay: undefined,
    listen: listOf(env['LEXORA_LISTEN']),
    announce: listOf(env['LEXORA_ANNOUNCE']),
    logLevel: env['LEXORA_LOG_LEVEL'],
  })
}

/** Only what was given, so that one source does not hide another behind `undefined`. */
function given(values: { [Key in keyof NodeFlags]: NodeFlags[Key] | undefined }): NodeFlags {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined))
}

function listOf(text: string | undefined): string[] | undefined {
  if (text === undefined || text.trim() === '') return undefined
  return text.split(',').map((item) => item.trim())
}
