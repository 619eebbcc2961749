import { execFile } from 'node:child_process'
import { MeshError } from './mesh-error.ts'

/** How long one command may take, in ms: it loads in under a second and asks one question. */
const COMMAND_MS = 20_000
/** Longest answer, in bytes. */
const ANSWER_BYTES_MAX = 16 * 1024 * 1024

/** Runs a built command line with `--json` to its end and returns its data. Throws {@link MeshError} with its words. */
export async function runCommand(
  command: string,
  args: readonly string[],
  options: { env: NodeJS.ProcessEnv; signal?: AbortSignal },
): Promise<unknown> {
  const { failure, stdout, stderr } = await run([command, ...args, '--json'], options)
  const answer = parse(stdout)
  if (failure === undefined && answer?.ok === true) return answer.data
  const words = answer?.error?.message ?? (stderr.trim() || (failure?.message ?? 'no answer'))
  throw new MeshError(`lexora-ledger ${args.slice(0, 2).join(' ')} failed: ${words}`, {
    cause: failure,
  })
}

interface Answer {
  ok?: boolean
  data?: unknown
  error?: { message?: string }
}

function run(
  args: string[],
  options: { env: NodeJS.ProcessEnv; signal?: AbortSignal },
): Promise<{ failure: Error | undefined; stdout: string; stderr: string }> {
  const limits = { timeout: COMMAND_MS, maxBuffer: ANSWER_BYTES_MAX }
  return new Promise((resolve) => {
    execFile(process.execPath, args, { ...options, ...limits }, (error, stdout, stderr) => {
      resolve({ failure: error ?? undefined, stdout, stderr })
    })
  })
}

/** The last line is the answer. */
function parse(stdout: string): Answer | undefined {
  try {
    return JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as Answer
  } catch {
    return undefined
  }
}
