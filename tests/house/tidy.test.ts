import { spawnSync } from 'node:child_process'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Finding, tidy } from '../../scripts/tidy.ts'
import { type PlantedTree, plantTree } from './planted.ts'

/** A fault: the file that has it, the cause that must be named for it, and its text. */
type Fault = readonly [file: string, cause: string, text: string]

const manifest = (facts: object): string =>
  JSON.stringify({ version: '0.1.0', engines: { node: '>=20.19.0' }, ...facts }, null, 2)

// Put together from parts, so that the checkout's own tidy does not find them here.
const TASK = ['TO', 'DO'].join('')
const HOME = ['', 'home', 'somebody', 'models'].join('/')
const REGISTRY = ['https:/', 'registry.example.org', 'p-1.0.0.tgz'].join('/')

const FAULTS: readonly Fault[] = [
  ['node/src/utils.ts', "the name 'utils' says nothing", ''],
  ['gateway/src/http/types.ts', "the name 'types' says nothing", ''],
  ['tests/common/start.ts', "the name 'common' says nothing", ''],
  ['node/src/task.ts', 'a task without an issue', `// ${TASK}: later\n`],
  ['scripts/task.sh', 'a task without an issue', `# ${TASK}: later\n`],
  ['node/src/gone.ts', 'commented-out code', '// const answer = 42\n'],
  ['node/src/gone-call.ts', 'commented-out code', '  // await engine.stop()\n'],
  ['node/src/gone-branch.ts', 'commented-out code', '// if (busy) {\n'],
  ['node/src/silent.ts', 'an exported name without a comment', '\nexport const LIMIT = 4\n'],
  ['node/src/quiet.ts', 'an exported name without a comment', 'export async function f() {}\n'],
  ['protocol/src/index.ts', 'an index that does more', "export * from './a.ts'\nconst x = 1\n"],
  ['ledger/src/core/now.ts', 'pure code that reads the clock', 'const now = new Date()\n'],
  [
    'gateway/src/cli.ts',
    'first import is not the polyfill',
    "#!/usr/bin/env node\nimport 'pino'\n",
  ],
  ['ledger/src/cli.ts', 'a command without its first line', "import '@lexora/protocol/polyfill'\n"],
  ['node/src/engines/worker.ts', 'first import is not the polyfill', "import 'pino'\n"],
  [
    'scripts/mesh.ts',
    'first import is not the polyfill',
    "import { createHost } from '@lexora/protocol/mesh'\n",
  ],
  ['README.md', "a path of somebody's machine", `Put the model into ${HOME}.\n`],
  ['package-lock.json', "a registry's address", `{ "resolved": "${REGISTRY}" }\n`],
  [
    'node/package.json',
    'pino is pinned to ^10.0.0',
    manifest({ dependencies: { pino: '^10.0.0' } }),
  ],
  [
    'gateway/package.json',
    'zod is 2.0.0 here and 1.0.0 in',
    manifest({ dependencies: { zod: '2.0.0', '@lexora/protocol': '0.0.9' } }),
  ],
  ['gateway/package.json', '@lexora/protocol is pinned to 0.0.9', ''],
  ['ledger/package.json', 'a version of its own', manifest({ version: '0.2.0' })],
  ['protocol/package.json', 'a range of Node of its own', manifest({ engines: { node: '>=18' } })],
  [
    'package.json',
    'types newer than the oldest Node',
    manifest({
      devDependencies: { '@types/node': '26.0.0', zod: '1.0.0' },
      overrides: { cookie: { a: 'npm:@b/c@1.0.0', d: 'latest' } },
    }),
  ],
  ['package.json', 'd is pinned to latest', ''],
]

const CLEAN: Readonly<Record<string, string>> = {
  'node/src/cli.ts': "#!/usr/bin/env node\n/** Starts. */\nimport '@lexora/protocol/polyfill'\n",
  'node/src/constants.ts': `/** Both halves. // ${TASK} (#12): one. */\nexport const A = 1\nexport const B = 2\n`,
  'node/src/overloads.ts':
    '/** Finds. */\nexport function find(a: 1): 1\nexport function find(a: 2): 2\n',
  'protocol/src/mesh/index.ts':
    "/** What mesh exports. */\nexport type { Host } from './host.ts'\nexport {\n  createHost,\n} from './host.ts'\n",
  'node/src/prose.ts': '// If the peer (a stranger) is slow, the return path (below) closes it.\n',
  'protocol/src/wire/generated/types.ts': 'export const generated = 1\n',
}

describe('tidy()', () => {
  let tree: PlantedTree
  let findings: readonly Finding[]

  beforeAll(() => {
    tree = plantTree()
    spawnSync('git', ['init', '--quiet'], { cwd: tree.root })
    tree.write(CLEAN)
    for (const [file, , text] of FAULTS) if (text !== '') tree.write({ [file]: text })
    tree.write({
      'node/src/utils.ts': '\n',
      'gateway/src/http/types.ts': '\n',
      'tests/common/start.ts': '\n',
    })
    findings = tidy(tree.root)
  })
  afterAll(() => tree.remove())

  it.each(FAULTS)('finds in %s: %s', (file, cause) => {
    const causes = findings.filter((finding) => finding.file === file).map((one) => one.cause)
    expect(causes.join('\n')).toContain(cause)
  })

  it('names the line, counted from 1', () => {
    const silent = findings.find(({ file }) => file === 'node/src/silent.ts')
    expect(silent?.line).toBe(2)
  })

  it.each(Object.keys(CLEAN).filter((file) => !file.includes('generated')))(
    'lets %s be',
    (file) => {
      expect(findings.filter((finding) => finding.file === file)).toEqual([])
    },
  )
})
