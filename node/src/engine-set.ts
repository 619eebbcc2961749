import { LexoraError } from '@lexora/protocol'
import type { Logger } from 'pino'
import type { EngineChoice, ModelChoice } from './config.ts'
import type { Engine, EngineModel } from './engines/engine.ts'
import { createFakeEngine } from './engines/fake-engine.ts'
import { createLlamaEngine } from './engines/llama-engine.ts'

/** All engines of a node as one. */
export interface EngineSet {
  /** Starts all engines. Throws what an engine throws, and `conflict` where two serve one model. */
  start(): Promise<void>
  /** Ends running answers as failed and gives everything back; may be called twice. */
  stop(): Promise<void>
  /** Empty before `start` and after `stop`. */
  models(): EngineModel[]
  /** Who serves a model. */
  find(model: string): { engine: Engine; model: EngineModel } | undefined
}

/** Makes the engines that a configuration asks for: one for each model. */
export function createEngines(
  log: Logger,
  choice: EngineChoice,
  models: readonly ModelChoice[],
): Engine[] {
  return models.map(({ id, path }) => {
    if (choice.kind === 'fake') {
      const { slots, tokenDelayMs } = choice
      return createFakeEngine({}, { modelId: id, slots, tokenDelayMs })
    }
    const { slots, threads, gpu } = choice
    return createLlamaEngine(
      { log: log.child({ part: 'engine' }) },
      { modelId: id, modelPath: path, slots, threads, gpu },
    )
  })
}

/** Puts engines together. */
export function createEngineSet(engines: readonly Engine[]): EngineSet {
  const served = new Map<string, { engine: Engine; model: EngineModel }>()
  return {
    async start() {
      // One after the other: each measures the machine's speed, which the others would spoil.
      for (const engine of engines) {
        await engine.start()
        for (const model of engine.models()) {
          if (served.has(model.id)) {
            throw new LexoraError('conflict', `two engines serve the model ${model.id}`)
          }
          served.set(model.id, { engine, model })
        }
      }
    },
    async stop() {
      served.clear()
      await Promise.all(engines.map((engine) => engine.stop()))
    },
    models: () => Array.from(served.values(), ({ model }) => model),
    find: (model) => served.get(model),
  }
}
