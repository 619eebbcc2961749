import { join } from 'node:path'
import { ceilingOf, GATEWAYS, issueKey, MODEL, openMarket } from './market.ts'
import type { Random } from './random.ts'
import { must, startWorker, type Worker } from './tortured-process.ts'

/** Requests at once: what a busy customer sends while its credit runs out. */
const PARALLEL = 200
/** How many of them the credit is for. */
const FITTING = [1, 5, 50] as const
const PROMPT_TOKENS_MAX = 100
const MAX_TOKENS = 50

/** What a run came to. */
export interface BurstCounts {
  rounds: number
  asked: number
  accepted: number
}

/** What a run needs. */
export interface BurstOptions {
  tree: string
  folder: string
  random: Random
  /** Rounds of each size. */
  rounds: number
  log: (line: string) => void
}

/**
 * Credit for exactly k requests and 200 at once over three gateways: k are accepted, the others refused as busy, and
 * what is left is exact to the last nano-USD. Then they all end at once, and the same again on the same account.
 */
export async function burstRun(options: BurstOptions): Promise<BurstCounts> {
  const { tree, folder, random, rounds, log } = options
  const counts = { rounds: 0, asked: 0, accepted: 0 }
  const worker = await startWorker({ tree, home: join(folder, 'home'), seed: 'burst' })
  try {
    await openMarket(worker)
    for (const fitting of FITTING) {
      for (let round = 0; round < rounds; round += 1) {
        await oneRound(worker, fitting, random.fork(`${fitting} ${round}`))
        counts.rounds += 1
        counts.asked += PARALLEL
        counts.accepted += fitting
      }
      log(`credit for ${fitting} of ${PARALLEL}: ${rounds} rounds`)
    }
    const { problems } = await worker.demand<{ problems: string[] }>('verify')
    must(problems.length === 0, `the books must balance: ${problems[0]}`)
  } finally {
    worker.kill()
    await worker.ended
  }
  return counts
}

async function oneRound(worker: Worker, fitting: number, random: Random): Promise<void> {
  const account = { kind: 'developer', label: 'burst' }
  const { accountId } = await worker.demand<{ accountId: string }>('createAccount', account)
  const { keyHash } = await issueKey(worker, accountId)
  const ceiling = ceilingOf(PROMPT_TOKENS_MAX, MAX_TOKENS)
  const rest = BigInt(random.below(Number(ceiling)))
  const credit = ceiling * BigInt(fitting) + rest
  // Some of it granted and some bought: a hold may have to take both.
  const granted = (credit * BigInt(random.between(1, 99))) / 100n
  await worker.demand('grant', { accountId, id: `g ${accountId}`, amount: granted.toString() })
  const bought = (credit - granted).toString()
  await worker.demand('deposit', { accountId, id: `d ${accountId}`, amount: bought })

  const asked = Array.from({ length: PARALLEL }, (_, index) => ({
    keyHash,
    model: MODEL,
    promptTokensMax: PROMPT_TOKENS_MAX,
    maxTokens: MAX_TOKENS,
    requestId: random.bytes(16).toString('hex'),
    gateway: GATEWAYS[index % GATEWAYS.length],
  }))
  const answers = await Promise.all(
    asked.map((request) => worker.ask<{ holdId: string }>('authorise', request)),
  )
  const accepted = answers.filter((answer) => answer.kind === 'ok').length
  must(accepted === fitting, `credit for ${fitting} must serve ${fitting}, and served ${accepted}`)
  const isBusy = answers.every(
    (answer) =>
      answer.kind === 'ok' || (answer.kind === 'refused' && answer.code === 'credit_reserved'),
  )
  must(isBusy, 'what does not fit beside running requests must be refused as busy')
  const left = await worker.demand<Record<string, string>>('balance', { accountId })
  must(
    left['availableNanoUsd'] === rest.toString(),
    `${rest} must be left, not ${left['availableNanoUsd']}`,
  )
  await release(
    worker,
    { accountId, credit },
    answers.map((answer, index) => ({
      holdId: answer.kind === 'ok' ? answer.answer.holdId : '',
      gateway: asked[index]?.gateway,
    })),
  )
}

/** All holds end at once, and the whole credit is free again. */
async function release(
  worker: Worker,
  { accountId, credit }: { accountId: string; credit: bigint },
  holds: { holdId: string; gateway: string | undefined }[],
): Promise<void> {
  const placed = holds.filter(({ holdId }) => holdId !== '')
  await Promise.all(placed.map((hold) => worker.demand('voidHold', hold)))
  const free = await worker.demand<Record<string, string>>('balance', { accountId })
  must(free['availableNanoUsd'] === credit.toString(), `${credit} must be free again`)
}
