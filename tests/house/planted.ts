import { spawnSync } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The checkout that is tested. */
export const REPOSITORY = fileURLToPath(new URL('../../', import.meta.url))

const TOOLS = join(REPOSITORY, 'scripts/tools/node_modules/.bin')

/** What decides a check's answer, so a planted tree has the same. */
const CONFIGURATION = ['.gitignore', '.oxlintrc.json', 'biome.json', 'knip.json']
const CONFIGURATION_EVERYWHERE = ['package.json', 'tsconfig.base.json', 'tsconfig.json']

/** A small copy of the house in a temporary folder, with files of the test's own in it. */
export interface PlantedTree {
  readonly root: string
  write(files: Readonly<Record<string, string>>): void
  remove(): void
}

/** Makes a tree with the checkout's configuration and dependencies, and none of its sources. */
export function plantTree(): PlantedTree {
  const root = mkdtempSync(join(tmpdir(), 'lexora-house-'))
  for (const file of configuration()) {
    mkdirSync(dirname(join(root, file)), { recursive: true })
    cpSync(join(REPOSITORY, file), join(root, file))
  }
  symlinkSync(join(REPOSITORY, 'node_modules'), join(root, 'node_modules'))
  return {
    root,
    write: (files) => {
      for (const [file, text] of Object.entries(files)) {
        mkdirSync(dirname(join(root, file)), { recursive: true })
        writeFileSync(join(root, file), text)
      }
    },
    remove: () => rmSync(root, { recursive: true, force: true }),
  }
}

function configuration(): string[] {
  const patterns = [
    ...CONFIGURATION,
    ...CONFIGURATION_EVERYWHERE.flatMap((name) => [name, `**/${name}`]),
  ]
  const args = ['ls-files', '-z', '--cached', '--others', '--exclude-standard', ...patterns]
  const { stdout } = spawnSync('git', args, { cwd: REPOSITORY, encoding: 'utf8' })
  return [
    ...new Set(
      stdout.split('\0').filter((file) => file !== '' && existsSync(join(REPOSITORY, file))),
    ),
  ]
}

/** Throws, with the way out, where the tools of the check are not installed. */
export function requireTools(): void {
  if (!existsSync(join(TOOLS, 'oxlint'))) {
    throw new Error(
      'The tools of the check are not installed: run `npm run tools`, then this again.',
    )
  }
}

/** What a tool said, both streams in one text. */
export interface ToolAnswer {
  readonly status: number | null
  readonly text: string
}

/** Runs a tool of the check in a planted tree. */
export function runTool(tree: PlantedTree, name: string, args: readonly string[]): ToolAnswer {
  return run(tree, join(TOOLS, name), args)
}

/** Runs a program in a planted tree, for at most a minute. */
export function run(tree: PlantedTree, program: string, args: readonly string[]): ToolAnswer {
  const { status, stdout, stderr, error } = spawnSync(program, args, {
    cwd: tree.root,
    encoding: 'utf8',
    timeout: 60_000,
    env: { ...process.env, OXLINT_TSGOLINT_PATH: join(TOOLS, 'tsgolint'), NO_COLOR: '1' },
  })
  if (error !== undefined) throw error
  return { status, text: stdout + stderr }
}
