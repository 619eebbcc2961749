import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type PlantedTree, plantTree, REPOSITORY, requireTools, run, runTool } from './planted.ts'

/** A fault: the file that has it, its text, and the rule that must name the file. */
type Fault = readonly [file: string, rule: string, text: string]

const lines = (count: number, line: (index: number) => string): string =>
  Array.from({ length: count }, (_, index) => line(index)).join('\n')

const uses = (specifier: string): string =>
  `import * as thing from '${specifier}'\nexport const it: unknown = thing\n`

const IMPORTS = 'no-restricted-imports'
const PROPERTIES = 'no-restricted-properties'

const STAIRCASE: readonly Fault[] = [
  // role → role, and reach past a package's front door
  ['node/src/serving/other-role.ts', IMPORTS, uses('@lexora/gateway')],
  ['gateway/src/other-role.ts', IMPORTS, uses('@lexora/ledger')],
  ['ledger/src/rpc/other-role-type.ts', IMPORTS, "export type { Part } from '@lexora/node'\n"],
  ['ledger/src/rpc/other-role-again.ts', IMPORTS, "export * from '@lexora/node'\n"],
  ['gateway/src/http/reach.ts', IMPORTS, uses('../../../protocol/src/price.ts')],
  ['gateway/src/routing/reach-role.ts', IMPORTS, uses('../../../node/src/constants.ts')],
  ['node/src/reach-tests.ts', IMPORTS, uses('../../tests/support/thing.ts')],
  [
    'node/src/other-role-later.ts',
    IMPORTS,
    "export const it = async () => await import('@lexora/gateway')\n",
  ],
  // up the stairs, and sideways
  ['node/src/capacity/upward.ts', IMPORTS, uses('../serving/door.ts')],
  ['ledger/src/accounts/upward.ts', IMPORTS, uses('../rpc/door.ts')],
  ['gateway/src/http/sideways.ts', IMPORTS, uses('../mesh/door.ts')],
  ['node/src/serving/sideways.ts', IMPORTS, uses('../mesh/door.ts')],
  ['node/src/engines/to-the-root.ts', IMPORTS, uses('../node.ts')],
  ['gateway/src/mesh/to-the-root.ts', IMPORTS, uses('../gateway.ts')],
  ['node/src/node.ts', IMPORTS, uses('./cli.ts')],
  ['gateway/src/routing/configuration.ts', IMPORTS, uses('../config.ts')],
  // the pure rooms
  ['ledger/src/core/store.ts', IMPORTS, uses('../store/level.ts')],
  ['ledger/src/core/disk.ts', IMPORTS, uses('node:fs')],
  ['ledger/src/core/library.ts', IMPORTS, uses('level')],
  ['ledger/src/core/mesh.ts', IMPORTS, uses('@lexora/protocol/mesh')],
  ['ledger/src/core/random.ts', IMPORTS, "export { randomBytes } from 'node:crypto'\n"],
  ['ledger/src/core/clock.ts', PROPERTIES, 'export const now: number = Date.now()\n'],
  ['ledger/src/core/dice.ts', PROPERTIES, 'export const dice: number = Math.random()\n'],
  ['ledger/src/core/key.ts', 'no-restricted-globals', 'export const id = globalThis.crypto\n'],
  ['ledger/src/core/timer.ts', 'no-restricted-globals', 'setTimeout(() => {}, 1)\n'],
  ['node/src/engines/engine.ts', IMPORTS, uses('node-llama-cpp')],
  ['protocol/src/disk.ts', IMPORTS, uses('node:fs/promises')],
  ['protocol/src/network.ts', IMPORTS, uses('libp2p')],
  ['protocol/src/wire/upward.ts', IMPORTS, uses('../mesh/door.ts')],
  ['protocol/src/mesh/role.ts', IMPORTS, uses('@lexora/node')],
  ['protocol/src/mesh/reach-role.ts', IMPORTS, uses('../../../node/src/constants.ts')],
  // what only config.ts and the command line may do
  ['node/src/serving/environment.ts', 'no-process-env', 'export const it = process.env\n'],
  ['node/src/cli.ts', 'no-process-env', 'export const it = process.env\n'],
  ['node/src/unpacked.ts', PROPERTIES, 'export const { env } = process\n'],
  ['node/src/environment.ts', IMPORTS, uses('node:process')],
  ['gateway/src/printing.ts', 'no-console', "console.log('hello')\n"],
  ['gateway/src/writing.ts', PROPERTIES, "process.stdout.write('hello')\n"],
  ['ledger/src/leaving.ts', PROPERTIES, 'process.exit(1)\n'],
]

const STYLE: readonly Fault[] = [
  ['node/src/cycle-one.ts', 'no-cycle', uses('./cycle-two.ts')],
  ['node/src/cycle-two.ts', 'no-cycle', uses('./cycle-one.ts')],
  ['node/src/default.ts', 'no-default-export', 'export default 1\n'],
  ['node/src/CamelCase.ts', 'filename-case', 'export const one = 1\n'],
  [
    'node/src/floating.ts',
    'no-floating-promises',
    'export const f = (): void => { Promise.resolve(1) }\n',
  ],
  [
    'node/src/misused.ts',
    'no-misused-promises',
    'export const f = (g: () => Promise<boolean>): number => { if (g()) return 1; return 2 }\n',
  ],
  [
    'node/src/switch.ts',
    'switch-exhaustiveness-check',
    "export function f(x: 'a' | 'b'): number { switch (x) { case 'a': return 1 } return 2 }\n",
  ],
  ['node/src/any.ts', 'no-explicit-any', 'export const x: any = 1\n'],
  ['node/src/certain.ts', 'no-non-null-assertion', 'export const f = (x?: string): string => x!\n'],
  ['node/src/long.ts', 'max-lines', lines(301, (n) => `export const line${n} = ${n}`)],
  [
    'node/src/long-function.ts',
    'max-lines-per-function',
    `export function f(): void {\n${lines(70, () => 'void 0')}\n}\n`,
  ],
  [
    'node/src/params.ts',
    'max-params',
    'export const f = (a: 1, b: 1, c: 1, d: 1, e: 1) => [a, b, c, d, e]\n',
  ],
  [
    'node/src/complex.ts',
    'complexity',
    `export function f(n: number): number {\n${lines(12, (n) => `if (n === ${n}) return 1`)}\nreturn 2 }\n`,
  ],
  [
    'node/src/deep.ts',
    'max-depth',
    'export function f(x: boolean) { if (x) { if (x) { if (x) { if (x) { return 1 } } } } return 2 }\n',
  ],
  [
    'tests/node/only.test.ts',
    'no-focused-tests',
    "import { it } from 'vitest'\nit.only('x', () => {})\n",
  ],
]

/** Doors and rooms that the faults lead to, and neighbours that do what is allowed: none may be reported. */
const CLEAN: Readonly<Record<string, string>> = {
  'node/src/config.ts': 'export const home: string | undefined = process.env.LEXORA_HOME\n',
  'gateway/src/cli.ts': `${uses('./gateway.ts')}console.log(it)\nprocess.exit(1)\n`,
  'ledger/src/cli.ts': uses('./cli/verify.ts'),
  'ledger/src/cli/verify.ts': uses('../ledger.ts'),
  'ledger/src/ledger.ts': uses('./rpc/door.ts'),
  'ledger/src/rpc/door.ts': uses('../store/level.ts'),
  'gateway/src/gateway.ts': `${uses('./http/door.ts')}export { thing } from './mesh/door.ts'\n`,
  'gateway/src/http/door.ts': uses('../routing/candidates.ts'),
  'gateway/src/mesh/door.ts': uses('@lexora/protocol/mesh'),
  'gateway/src/routing/candidates.ts':
    "import { createHash } from 'node:crypto'\nexport const thing = createHash('sha256')\n",
  'ledger/src/core/journal.ts':
    "import { createHash } from 'node:crypto'\nimport { formatUsd } from '@lexora/protocol'\nexport const it = [createHash, formatUsd]\n",
  'ledger/src/core/apply.ts': uses('./journal.ts'),
  'ledger/src/store/level.ts': uses('../core/apply.ts'),
  'protocol/src/mesh/host.ts':
    "import { createLibp2p } from 'libp2p'\nexport { it } from '../price.ts'\nexport const host: unknown = createLibp2p\n",
  'protocol/src/price.ts': uses('./money.ts'),
  'protocol/src/money.ts': 'export const thing = 1n\n',
  'scripts/hello.ts': 'console.log(process.env)\n',
}

describe('the lint', () => {
  it('has no pattern with look-around, which oxlint would skip without a word', () => {
    const text = readFileSync(join(REPOSITORY, '.oxlintrc.json'), 'utf8')
    expect(text.match(/"regex": ".*\(\?[!=<].*"/g)).toBeNull()
  })

  let tree: PlantedTree
  let findings: ReadonlyMap<string, readonly string[]>

  beforeAll(() => {
    requireTools()
    tree = plantTree()
    tree.write(CLEAN)
    for (const [file, , text] of [...STAIRCASE, ...STYLE]) tree.write({ [file]: text })
    findings = lint(tree)
  })
  afterAll(() => tree.remove())

  it.each(STAIRCASE)('holds the staircase: %s (%s)', (file, rule) => {
    expect(findings.get(file) ?? []).toContain(rule)
  })

  it.each(STYLE)('holds the style: %s (%s)', (file, rule) => {
    expect(findings.get(file) ?? []).toContain(rule)
  })

  it.each(Object.keys(CLEAN))('lets %s be', (file) => {
    expect(findings.get(file) ?? []).toEqual([])
  })
})

describe('the other nets', () => {
  let tree: PlantedTree

  beforeAll(() => {
    requireTools()
    tree = plantTree()
    tree.write({
      'protocol/src/index.ts': 'export const thing = 1\n',
      'protocol/src/mesh/index.ts': 'export {}\n',
      'protocol/src/wire/generated/empty.ts': 'export {}\n',
      'protocol/src/mesh/polyfill.ts': 'export {}\n',
      'node/src/cli.ts': uses('./reach.ts'),
      'node/src/reach.ts': uses('../../protocol/src/index.ts'),
      'node/src/dead.ts': 'export const nobody = 1\n',
      'node/src/leak.ts': uses('fastify'),
    })
  })
  afterAll(() => tree.remove())

  it('TypeScript refuses a relative reach into another package', () => {
    const { status, text } = run(tree, join(REPOSITORY, 'node_modules/.bin/tsc'), ['-b', 'node'])
    expect(status).not.toBe(0)
    expect(text).toMatch(/node\/src\/reach\.ts.*TS2878/)
  })

  it('Biome reports a dependency that only hoisting provides', () => {
    const { status, text } = runTool(tree, 'biome', ['lint', 'node/src/leak.ts'])
    expect(status).not.toBe(0)
    expect(text).toContain('noUndeclaredDependencies')
  })

  it('knip reports a file that nothing reaches and a dependency that nothing uses', () => {
    const { status, text } = runTool(tree, 'knip', ['--no-progress'])
    expect(status).not.toBe(0)
    expect(text).toContain('node/src/dead.ts')
    expect(text).toMatch(/node-llama-cpp\s+node\/package\.json/)
  })

  it("a package's exports close its other doors", () => {
    const resolve = createRequire(join(REPOSITORY, 'node/package.json')).resolve
    expect(() => resolve('@lexora/protocol/src/price.ts')).toThrow(
      expect.objectContaining({ code: 'ERR_PACKAGE_PATH_NOT_EXPORTED' }),
    )
  })
})

/** Every finding's rule, by file. */
function lint(tree: PlantedTree): Map<string, string[]> {
  const { text } = runTool(tree, 'oxlint', ['--format=json'])
  const answer: unknown = JSON.parse(text)
  const byFile = new Map<string, string[]>()
  for (const { filename, code } of (answer as LintAnswer).diagnostics) {
    byFile.set(filename, [...(byFile.get(filename) ?? []), code.replace(/^.*\(|\)$/g, '')])
  }
  return byFile
}

interface LintAnswer {
  readonly diagnostics: readonly { readonly filename: string; readonly code: string }[]
}
