/**
 * Adds prebuilt llama.cpp engines for other hardware to this checkout:
 *
 *     npm run engine-pack -- cuda
 *
 * `npm ci` installs the engine for a CPU only: the packs for GPUs and ARM are large, and npm cannot tell which of them
 * a machine can use, so the root package.json leaves them out. The next `npm ci` leaves them out again.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('..', import.meta.url))

/** What can be asked for, the packages behind it, and the processor (Node's word) that runs it. */
const PACKS: Readonly<Record<string, { packages: readonly string[]; arch: string }>> = {
  cuda: { packages: ['linux-x64-cuda'], arch: 'x64' },
  // The rest of CUDA's files: a pack of its own, since one would be too large for the registry.
  'cuda-ext': { packages: ['linux-x64-cuda', 'linux-x64-cuda-ext'], arch: 'x64' },
  vulkan: { packages: ['linux-x64-vulkan'], arch: 'x64' },
  arm64: { packages: ['linux-arm64'], arch: 'arm64' },
  armv7l: { packages: ['linux-armv7l'], arch: 'arm' },
}

function main(names: readonly string[]): string | undefined {
  const known = Object.keys(PACKS).join(', ')
  if (names.length === 0) return `name one or more of: ${known} (npm run engine-pack -- cuda)`
  const unknown = names.find((name) => PACKS[name] === undefined)
  if (unknown !== undefined) return `there is no pack '${unknown}': name one or more of: ${known}`
  if (process.platform !== 'linux') {
    return `the packs are for Linux, this is ${process.platform}: npm ci has installed its engine already`
  }
  const foreign = names.find((name) => PACKS[name]?.arch !== process.arch)
  if (foreign !== undefined) {
    return `the pack '${foreign}' is for ${PACKS[foreign]?.arch}, this machine is ${process.arch}`
  }
  const version = installedVersion('node-llama-cpp')
  if (version === undefined) return 'node-llama-cpp is not installed: run npm ci first'

  const wanted = new Set(names.flatMap((name) => PACKS[name]?.packages ?? []))
  // npm removes what it did not install now, so packs from earlier runs are named again.
  for (const name of Object.values(PACKS).flatMap(({ packages }) => packages)) {
    if (existsSync(`${ROOT}node_modules/@node-llama-cpp/${name}`)) wanted.add(name)
  }
  return install([...wanted], version)
}

/** Installs packs beside what is there: neither package.json nor the lock file changes. */
function install(packs: readonly string[], version: string): string | undefined {
  const specifiers = packs.map((name) => `@node-llama-cpp/${name}@${version}`)
  console.log(`installing ${specifiers.join(' ')}`)
  const npm = spawnSync('npm', ['install', '--no-save', ...specifiers], {
    cwd: ROOT,
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  if (npm.error !== undefined) return `npm did not start: ${npm.error.message}`
  if (npm.status !== 0)
    return `npm could not install it (exit code ${npm.status}); its words are above`
  const missing = packs.find((name) => installedVersion(`@node-llama-cpp/${name}`) !== version)
  if (missing !== undefined)
    return `npm said yes, but @node-llama-cpp/${missing}@${version} is not there`
  console.log('installed; the next `npm ci` removes it again')
  return undefined
}

/** The version of a package in node_modules, if what is there is that package and not a stand-in. */
function installedVersion(name: string): string | undefined {
  const file = `${ROOT}node_modules/${name}/package.json`
  if (!existsSync(file)) return undefined
  const manifest: { name?: string; version?: string } = JSON.parse(readFileSync(file, 'utf8'))
  return manifest.name === name ? manifest.version : undefined
}

const failure = main(process.argv.slice(2))
if (failure !== undefined) {
  console.error(`engine-pack: ${failure}`)
  process.exitCode = 1
}
