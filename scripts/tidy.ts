/**
 * Text checks that no linter of ours has. `npm run tidy` prints one line a finding, with the cause and the way out.
 * Size limits, imports and dead code belong to oxlint, Biome and knip: see CONTRIBUTING.md.
 */
import { execFileSync } from 'node:child_process'
import { lstatSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** One thing that is not tidy. */
export interface Finding {
  readonly file: string
  /** Counted from 1. */
  readonly line: number
  readonly cause: string
  readonly fix: string
}

interface TextFile {
  readonly path: string
  readonly text: string
  readonly lines: readonly string[]
}

/** Everything wrong in the checkout at `root`: its tracked files, and new ones that git does not ignore. */
export function tidy(root: string): Finding[] {
  const files = readTextFiles(root)
  return [...files.flatMap(tidyFile), ...tidyManifests(files)]
}

function tidyFile(file: TextFile): Finding[] {
  const findings = [...fileName(file), ...foreignWords(file)]
  if (isGenerated(file.path)) return findings
  if (isCode(file.path)) findings.push(...openTasks(file), ...deadCode(file))
  if (isSource(file.path)) findings.push(...undocumented(file), ...indexes(file))
  if (isPure(file.path)) findings.push(...clock(file))
  return [...findings, ...entryPoint(file)]
}

// What a file is.

const BINARY = /\.(?:gguf|onnx|png|ico|woff2|bin)$/
const isGenerated = (path: string): boolean => path.includes('/generated/')
const isCode = (path: string): boolean => /\.(?:ts|tsx|js|mjs|proto|css|sh)$/.test(path)
const isSource = (path: string): boolean =>
  /^(?:protocol|ledger|node|gateway)\/src\/.*\.tsx?$/.test(path)
const isPure = (path: string): boolean =>
  /^(?:protocol\/src\/(?!mesh\/)|ledger\/src\/core\/|node\/src\/engines\/engine\.ts$)/.test(path)

function readTextFiles(root: string): TextFile[] {
  const listed = execFileSync(
    'git',
    ['ls-files', '-z', '--cached', '--others', '--exclude-standard'],
    {
      cwd: root,
      encoding: 'utf8',
      maxBuffer: 2 ** 26,
    },
  )
  return listed
    .split('\0')
    .filter((path) => path !== '' && !BINARY.test(path) && isFile(join(root, path)))
    .map((path) => {
      const text = readFileSync(join(root, path), 'utf8')
      return { path, text, lines: text.split('\n') }
    })
}

/** Neither deleted in the work tree nor a link. */
function isFile(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isFile() ?? false
}

/** A finding on every line that `wrong` says is one. */
function eachLine(
  file: TextFile,
  wrong: (line: string, index: number) => boolean,
  words: { cause: string; fix: string },
): Finding[] {
  return file.lines.flatMap((line, index) =>
    wrong(line, index) ? [{ file: file.path, line: index + 1, ...words }] : [],
  )
}

// Checks of one file.

const EMPTY_NAMES = new Set(['utils', 'util', 'types', 'common', 'helpers', 'helper', 'misc'])

function fileName({ path }: TextFile): Finding[] {
  const empty = path
    .split('/')
    .map((part) => part.replace(/(?:\.test)?\.\w+$/, ''))
    .find((part) => EMPTY_NAMES.has(part))
  if (empty === undefined || !isCode(path)) return []
  const fix =
    'name the file for the one noun or verb in it, or move its parts to where they are used'
  return [{ file: path, line: 1, cause: `the name '${empty}' says nothing`, fix }]
}

/** Paths of somebody's machine and addresses of package registries. */
function foreignWords(file: TextFile): Finding[] {
  const path = /(?<![\w.~-])\/(?:home|Users|root|work)\/\w|\b[A-Z]:\\Users\\/
  const host = /https?:\/\/[\w.-]*(?:registry|artifactory|verdaccio|nexus)[\w.-]*/
  return [
    ...eachLine(file, (line) => path.test(line), {
      cause: "a path of somebody's machine",
      fix: 'make it relative to the checkout or to the user’s home',
    }),
    ...eachLine(file, (line) => host.test(line), {
      cause: "a registry's address",
      fix: 'leave it out: every user has a registry configured (locks: npm install --omit-lockfile-registry-resolved)',
    }),
  ]
}

function openTasks(file: TextFile): Finding[] {
  const task = /(?:\/\/|\*|#).*\b(?:TOD[O]|FIXM[E]|XX[X]|HAC[K])\b/
  return eachLine(file, (line) => task.test(line) && !/#\d+/.test(line), {
    cause: 'a task without an issue',
    fix: 'do it, or file an issue and name its number (#12) on the line',
  })
}

/** Line comments that read as code. Examples belong into TSDoc, where they are not looked at. */
function deadCode(file: TextFile): Finding[] {
  const code = [
    /^(?:import|export) .*['"{]/,
    /^(?:const|let|var) [\w{[].* = /,
    /^(?:if|for|while|switch) \(.*\) ?(?:\{|return|throw|continue|break)/,
    /^(?:await |return |void )?[\w.]+\(.*\)[;,]?$/,
    /^\}(?: else \{)?[,;)]*$/,
  ]
  const commented = (line: string): boolean => {
    const comment = /^\s*\/\/ ?(.*)$/.exec(line)?.[1]?.trim()
    return comment !== undefined && code.some((pattern) => pattern.test(comment))
  }
  return eachLine(file, commented, {
    cause: 'commented-out code',
    fix: 'delete it (git remembers), or say in a sentence what the reader should know',
  })
}

/** One comment may stand above several constants, one a line. */
function undocumented(file: TextFile): Finding[] {
  const declaration =
    /^export (?:declare |abstract |async )*(?:function\*?|class|interface|type|const) (\w+)/
  const nameAt = (index: number): string | undefined =>
    declaration.exec(file.lines[index] ?? '')?.[1]
  const constantAt = (index: number): boolean =>
    /^export const .*[^{[(]$/.test(file.lines[index] ?? '')
  const missing = (_: string, index: number): boolean => {
    const name = nameAt(index)
    if (name === undefined) return false
    let above = index - 1
    while (nameAt(above) === name || (constantAt(index) && constantAt(above))) above--
    return !/\*\/$|^\/\//.test(file.lines[above] ?? '')
  }
  return eachLine(file, missing, {
    cause: 'an exported name without a comment',
    fix: 'say above it what it is for; a constant also says its unit and why it has that value',
  })
}

function indexes(file: TextFile): Finding[] {
  if (basename(file.path) !== 'index.ts') return []
  const code = file.text.replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '')
  const rest = code.replace(/export (?:type )?(?:\*(?: as \w+)?|\{[^}]*\})(?: from '[^']+')?/g, '')
  if (rest.trim() === '') return []
  const cause = `an index that does more than re-export: ${rest.trim().split('\n', 1)[0]}`
  return [{ file: file.path, line: 1, cause, fix: 'move it to a file that is named for it' }]
}

function clock(file: TextFile): Finding[] {
  return eachLine(file, (line) => /\bnew Date\(\s*\)/.test(line), {
    cause: 'pure code that reads the clock',
    fix: 'take the time as an argument',
  })
}

/** Node 20 lacks Promise.withResolvers, which libp2p calls: without it a dial fails with a misleading ECONNRESET. */
function entryPoint(file: TextFile): Finding[] {
  const findings: Finding[] = []
  const command = /^\w+\/src\/cli\.ts$/.test(file.path)
  const started =
    command || /^(?!tests\/).*(?:^|[/-])worker\.ts$|^tests\/support\/setup\.ts$/.test(file.path)
  const meshes =
    /^scripts\/[^/]+\.ts$/.test(file.path) &&
    /^(?:import|\}) .*from '@lexora\/protocol\/mesh'$/m.test(file.text)
  const first = file.lines.findIndex((line) => line.startsWith('import '))
  if ((started || meshes) && file.lines[first] !== "import '@lexora/protocol/polyfill'") {
    const cause = 'an entry point whose first import is not the polyfill'
    const fix = 'make "import \'@lexora/protocol/polyfill\'" its first import'
    findings.push({ file: file.path, line: Math.max(first, 0) + 1, cause, fix })
  }
  if (command && file.lines[0] !== '#!/usr/bin/env node') {
    const fix = 'start it with "#!/usr/bin/env node": npm links it as a command'
    findings.push({ file: file.path, line: 1, cause: 'a command without its first line', fix })
  }
  return findings
}

// Checks of the package.json files together.

type Pins = Readonly<Record<string, unknown>>

interface Manifest {
  readonly file: TextFile
  readonly version?: string
  readonly engines?: Pins
  readonly dependencies?: Pins
  readonly devDependencies?: Pins
  readonly optionalDependencies?: Pins
  readonly overrides?: Pins
}

function tidyManifests(files: readonly TextFile[]): Finding[] {
  const manifests = files
    .filter(({ path }) => basename(path) === 'package.json')
    .map((file): Manifest => ({ ...JSON.parse(file.text), file }))
  const root = manifests.find(({ file }) => file.path === 'package.json')
  const members = manifests.filter(({ file }) => /^\w+\/package\.json$/.test(file.path))
  if (root === undefined) return []
  return [
    ...manifests.flatMap(loosePins),
    ...members.flatMap((member) => oneRelease(member, root)),
    ...onePinEach([root, ...members]),
  ]
}

const pinsOf = (manifest: Manifest): [name: string, pin: unknown][] => [
  ...Object.entries(manifest.dependencies ?? {}),
  ...Object.entries(manifest.devDependencies ?? {}),
  ...Object.entries(manifest.optionalDependencies ?? {}),
]

function loosePins(manifest: Manifest): Finding[] {
  const overrides = Object.entries(manifest.overrides ?? {}).flatMap(([name, pin]) =>
    typeof pin === 'object' && pin !== null ? Object.entries(pin) : [[name, pin] as const],
  )
  const exact = /^(?:npm:(?:@[\w.-]+\/)?[\w.-]+@)?\d+\.\d+\.\d+(?:-[\w.]+)?$/
  return [...pinsOf(manifest), ...overrides]
    .filter(([, pin]) => typeof pin !== 'string' || !exact.test(pin))
    .map(([name, pin]) =>
      inManifest(manifest, name, `${name} is pinned to ${String(pin)}`, 'name one exact version'),
    )
}

function oneRelease(member: Manifest, root: Manifest): Finding[] {
  const findings: Finding[] = []
  if (member.version !== root.version) {
    findings.push(
      inManifest(
        member,
        'version',
        'a version of its own',
        `all members are ${String(root.version)}, as the root`,
      ),
    )
  }
  if (member.engines?.['node'] !== root.engines?.['node']) {
    findings.push(
      inManifest(
        member,
        'engines',
        'a range of Node of its own',
        `use the root's: ${String(root.engines?.['node'])}`,
      ),
    )
  }
  for (const [name, pin] of pinsOf(member)) {
    if (name.startsWith('@lexora/') && pin !== root.version) {
      findings.push(
        inManifest(
          member,
          name,
          `${name} is pinned to ${String(pin)}`,
          `pin it to ${String(root.version)}`,
        ),
      )
    }
  }
  return findings
}

function onePinEach(manifests: readonly Manifest[]): Finding[] {
  const seen = new Map<string, { pin: unknown; path: string }>()
  const findings: Finding[] = []
  for (const manifest of manifests) {
    for (const [name, pin] of pinsOf(manifest)) {
      const earlier = seen.get(name)
      if (earlier === undefined) seen.set(name, { pin, path: manifest.file.path })
      else if (earlier.pin !== pin) {
        const cause = `${name} is ${String(pin)} here and ${String(earlier.pin)} in ${earlier.path}`
        findings.push(inManifest(manifest, name, cause, 'use one version in all members'))
      }
    }
    // Newer types let code through that Node 20 cannot run.
    const types = manifest.devDependencies?.['@types/node']
    if (typeof types === 'string' && !types.startsWith('20.')) {
      const cause = 'types newer than the oldest Node that we run on'
      findings.push(inManifest(manifest, '@types/node', cause, 'stay on 20.x'))
    }
  }
  return findings
}

function inManifest({ file }: Manifest, name: string, cause: string, fix: string): Finding {
  const line = file.lines.findIndex((text) => text.includes(`"${name}"`))
  return { file: file.path, line: line + 1, cause, fix }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const findings = tidy(process.argv[2] ?? fileURLToPath(new URL('..', import.meta.url)))
  for (const { file, line, cause, fix } of findings)
    console.log(`${file}:${line}: ${cause}: ${fix}`)
  if (findings.length > 0) {
    console.log(`tidy: ${findings.length} found`)
    process.exitCode = 1
  }
}
