/**
 * A whole mesh on this machine, on loopback only: `npm start`. Progress goes to stderr, what can be used to stdout.
 */
import '../protocol/src/mesh/polyfill.ts'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { watchLaunchers } from './mesh/launchers.ts'
import { DEFAULT_PORTS, type Mesh, startMesh } from './mesh/mesh.ts'
import { MeshError, messageOf } from './mesh/mesh-error.ts'
import { fixedPorts, type MeshPorts } from './mesh/ports.ts'

const EXIT = { failure: 1, usage: 2, interrupted: 130 } as const
const GATEWAYS = 2
const PROVIDERS_MAX = 16
const PORT_MAX = 65_535 - 32
/** One Ctrl-C can arrive twice, from the terminal and from the program that started us; a person is slower. */
const SAME_SIGNAL_MS = 250
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

const HELP = `Starts a bootstrap peer, a ledger, two gateways and providers on this machine.

  npm start
  npm start -- --providers 3 --base-port 5100 --http-port 9080

  --home DIR        keys, books and logs; default .lexora in the checkout (LEXORA_START_HOME)
  --base-port N     first port for peers; default ${DEFAULT_PORTS.base} (LEXORA_START_BASE_PORT)
  --http-port N     first port for HTTP; default ${DEFAULT_PORTS.http} (LEXORA_START_HTTP_PORT)
  --providers N     1 to ${PROVIDERS_MAX}; default 2 (LEXORA_START_PROVIDERS)
  --json            print one line of JSON when all is ready
  --help

Ctrl-C stops everything and waits for it, twice at once. Exit codes: 0 stopped, 1 failed, 2 usage, 8 already running,
130 stopped at once.`

interface Settings {
  home: string
  ports: MeshPorts
  providers: number
  json: boolean
}

/** Reads flags before environment before defaults. Throws {@link MeshError} with exit code 2. */
function readSettings(): Settings | 'help' {
  const { values } = parse()
  if (values.help === true) return 'help'
  const { env } = process
  const home = values.home ?? env['LEXORA_START_HOME']
  const base = number('--base-port', values['base-port'] ?? env['LEXORA_START_BASE_PORT'], {
    fallback: DEFAULT_PORTS.base,
    max: PORT_MAX,
  })
  const http = number('--http-port', values['http-port'] ?? env['LEXORA_START_HTTP_PORT'], {
    fallback: DEFAULT_PORTS.http,
    max: PORT_MAX,
  })
  return {
    home: home ?? join(fileURLToPath(new URL('..', import.meta.url)), '.lexora'),
    ports: fixedPorts(base, http, GATEWAYS),
    providers: number('--providers', values.providers ?? env['LEXORA_START_PROVIDERS'], {
      fallback: 2,
      max: PROVIDERS_MAX,
    }),
    json: values.json === true,
  }
}

function parse(): ReturnType<typeof parseArgs<typeof FLAGS>> {
  try {
    return parseArgs(FLAGS)
  } catch (error) {
    throw new MeshError(`${messageOf(error)} (--help lists the flags)`, { exitCode: EXIT.usage })
  }
}

const FLAGS = {
  options: {
    home: { type: 'string' },
    'base-port': { type: 'string' },
    'http-port': { type: 'string' },
    providers: { type: 'string' },
    json: { type: 'boolean' },
    help: { type: 'boolean', short: 'h' },
  },
} as const

function number(
  flag: string,
  text: string | undefined,
  { fallback, max }: { fallback: number; max: number },
): number {
  if (text === undefined) return fallback
  if (/^\d+$/.test(text) && Number(text) >= 1 && Number(text) <= max) return Number(text)
  throw new MeshError(`${flag} must be a whole number from 1 to ${max}`, { exitCode: EXIT.usage })
}

function tell(line: string): void {
  process.stderr.write(`${line}\n`)
}

function present(mesh: Mesh, seconds: string): string {
  const [first = '', second = first] = mesh.gateways.map(({ url }) => `${url}/v1`)
  const question = 'What is the capital of France?'
  const body = JSON.stringify({
    model: mesh.model,
    messages: [{ role: 'user', content: question }],
    temperature: 0,
  })
  return `
Ready in ${seconds} s. The OpenAI API is at

  ${mesh.gateways.map(({ url }) => `${url}/v1`).join('\n  ')}

  API key  ${mesh.apiKey}   (for this demonstration, with a free grant of $5)
  model    ${mesh.model}   (a demonstration model of 3 MB)

Try it with curl:

curl -s ${first}/chat/completions -H "Authorization: Bearer ${mesh.apiKey}" -H "Content-Type: application/json" -d '${body}'

or with OpenAI's own client, in this folder:

node --input-type=module -e '
import OpenAI from "openai"
const client = new OpenAI({ baseURL: "${second}", apiKey: "${mesh.apiKey}" })
const messages = [{ role: "user", content: "${question}" }]
const stream = await client.chat.completions.create({ model: "${mesh.model}", messages, temperature: 0, stream: true })
for await (const chunk of stream) process.stdout.write(chunk.choices[0]?.delta?.content ?? "")
console.log()
'

Logs:
${mesh.daemons.map(({ name, logFile }) => `  ${name.padEnd(11)} ${logFile}`).join('\n')}

Ctrl-C stops everything; what it did is kept in ${mesh.home}
`
}

function summary(mesh: Mesh): object {
  return {
    event: 'ready',
    pid: process.pid,
    home: mesh.home,
    baseUrls: mesh.gateways.map(({ url }) => `${url}/v1`),
    apiKey: mesh.apiKey,
    accountId: mesh.accountId,
    model: mesh.model,
    networkFile: mesh.networkFile,
    processes: mesh.daemons.map(({ name, pid, logFile }) => ({ name, pid, logFile })),
  }
}

/** Runs a mesh until it is told to stop. Resolves with the exit code. */
async function run(settings: Settings): Promise<number> {
  const { home, ports, providers, json } = settings
  const startedAtMs = Date.now()
  const ending = Promise.withResolvers<MeshError>()
  const stopping = new AbortController()
  let signalledAtMs = Number.NEGATIVE_INFINITY

  const end = (reason: MeshError): void => {
    stopping.abort(reason)
    ending.resolve(reason)
  }
  const onSignal = (name: string): void => {
    const nowMs = Date.now()
    if (nowMs - signalledAtMs < SAME_SIGNAL_MS) return
    // On the way out every process that is left is killed.
    if (stopping.signal.aborted) process.exit(EXIT.interrupted)
    signalledAtMs = nowMs
    tell(
      `${name}: stopping gateways, providers, ledger and bootstrap peer; once more stops at once`,
    )
    end(new MeshError(`stopped by ${name}`, { exitCode: 0 }))
  }
  for (const name of SIGNALS) process.on(name, onSignal)
  watchLaunchers(() => onSignal('the program that started this has ended'))
  // A reader that went away, as in `npm start | head`, is no reason to leave the mesh behind.
  process.stdout.on('error', () => onSignal('the output was closed'))
  process.stderr.on('error', () => onSignal('the output was closed'))

  const mesh = await startMesh({
    home,
    ports,
    providers,
    gateways: GATEWAYS,
    log: tell,
    onFailure: end,
    signal: stopping.signal,
  }).catch((error: unknown) => {
    if (error !== stopping.signal.reason) throw error
  })
  if (mesh !== undefined) {
    const seconds = ((Date.now() - startedAtMs) / 1000).toFixed(1)
    process.stdout.write(json ? `${JSON.stringify(summary(mesh))}\n` : present(mesh, seconds))
  }
  const reason = await ending.promise
  if (reason.exitCode !== 0) tell(`start: ${reason.message}`)
  await mesh?.stop()
  tell('all stopped')
  return reason.exitCode
}

async function main(): Promise<number> {
  try {
    const settings = readSettings()
    if (settings !== 'help') return await run(settings)
    process.stdout.write(`${HELP}\n`)
    return 0
  } catch (error) {
    tell(`start: ${messageOf(error)}`)
    return error instanceof MeshError ? error.exitCode : EXIT.failure
  }
}

process.exit(await main())
