/** Regenerates protocol/src/wire/generated from the .proto files beside it. Needs `npm run tools` once. */
import { execFileSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const wire = `${root}protocol/src/wire`

for (const file of readdirSync(wire).filter((name) => name.endsWith('.proto'))) {
  execFileSync(
    `${root}scripts/tools/node_modules/.bin/protons`,
    [`${wire}/${file}`, '-o', `${wire}/generated`],
    {
      stdio: 'inherit',
    },
  )
}
