import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

const source = (path: string): string => fileURLToPath(new URL(path, import.meta.url))

export default defineConfig({
  resolve: {
    // Unit tests read the sources; tests that start real processes run what `npm run build` wrote.
    alias: [
      { find: /^@lexora\/protocol$/, replacement: source('protocol/src/index.ts') },
      { find: /^@lexora\/protocol\/mesh$/, replacement: source('protocol/src/mesh/index.ts') },
      {
        find: /^@lexora\/protocol\/polyfill$/,
        replacement: source('protocol/src/mesh/polyfill.ts'),
      },
    ],
  },
  test: {
    include: ['tests/**/*.test.ts'],
    setupFiles: ['tests/support/setup.ts'],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // Two cores: more workers only take time from the processes that the tests start.
    maxWorkers: 2,
  },
})
