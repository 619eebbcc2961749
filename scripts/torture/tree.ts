import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const REPOSITORY = fileURLToPath(new URL('../../', import.meta.url))

/** A fault to plant: every occurrence of a text of a source file becomes another. */
export interface Plant {
  /** Below the repository, e.g. `ledger/src/store/writer.ts`. */
  file: string
  find: string
  replace: string
}

/** A copy of the ledger's sources that runs by itself, so that a run neither sees nor disturbs other work. */
export interface Tree {
  directory: string
  remove(): void
}

/**
 * Copies the sources of the ledger and the protocol and plants faults in them. Throws where a fault finds nothing to
 * replace: a mutant that is not there would look like one that survives, or worse, like one that is caught.
 */
export function copyTree(directory: string, plants: readonly Plant[] = []): Tree {
  for (const member of ['ledger', 'protocol']) copyMember(directory, member)
  linkModules(directory)
  for (const { file, find, replace } of plants) {
    const path = join(directory, file)
    const text = readFileSync(path, 'utf8')
    if (!text.includes(find)) throw new Error(`nothing to replace in ${file}: ${find}`)
    writeFileSync(
      path,
      text.replaceAll(find, () => replace),
    )
  }
  return { directory, remove: () => rmSync(directory, { recursive: true, force: true }) }
}

function copyMember(directory: string, member: string): void {
  const source = join(REPOSITORY, member)
  const copy = join(directory, member)
  cpSync(join(source, 'src'), join(copy, 'src'), { recursive: true })
  const manifest = JSON.parse(readFileSync(join(source, 'package.json'), 'utf8')) as {
    exports?: unknown
  }
  // Sources run as they are: what a build would write is not looked at.
  const sources = {
    '.': './src/index.ts',
    './mesh': './src/mesh/index.ts',
    './polyfill': './src/mesh/polyfill.ts',
  }
  const changed = member === 'protocol' ? { ...manifest, exports: sources } : manifest
  writeFileSync(join(copy, 'package.json'), JSON.stringify(changed))
  const own = join(source, 'node_modules')
  if (existsSync(own)) symlinkSync(own, join(copy, 'node_modules'))
}

/** Every installed package but our own, which are the copies. */
function linkModules(directory: string): void {
  const source = join(REPOSITORY, 'node_modules')
  const links = join(directory, 'node_modules')
  mkdirSync(join(links, '@lexora'), { recursive: true })
  for (const name of readdirSync(source)) {
    if (name !== '@lexora' && !name.startsWith('.'))
      symlinkSync(join(source, name), join(links, name))
  }
  for (const member of ['ledger', 'protocol']) {
    symlinkSync(join(directory, member), join(links, '@lexora', member))
  }
}
