/** One request to a ledger: money set aside, then taken. */
export interface Target {
  hold(): Promise<string>
  capture(holdId: string): Promise<unknown>
  /** CPU time of the ledger's own process so far, in µs; absent where it is this one. */
  ledgerCpu?: () => Promise<number>
}

/** What a run showed. */
export interface Figures {
  perSecond: number
  p50Ms: number
  p99Ms: number
  /** CPU time of this process for each of the two operations of a request. */
  cpuMicros: number
  /** The same of the ledger's process, where that is another one. */
  ledgerMicros?: number
}

/** So many callers, each asking again as soon as it has its answer. */
export async function closedLoop(target: Target, callers: number, count: number): Promise<Figures> {
  const holdsMs: number[] = []
  let left = count
  const caller = async (): Promise<void> => {
    while (left-- > 0) await request(target, holdsMs, performance.now())
  }
  return measured(target, holdsMs, count, () =>
    Promise.all(Array.from({ length: callers }, caller)),
  )
}

/**
 * Requests that come at a steady rate, whatever the answers do: latency counts from when a request was due. The timer
 * ticks every millisecond.
 */
export async function openLoop(target: Target, perSecond: number, count: number): Promise<Figures> {
  const holdsMs: number[] = []
  const startMs = performance.now()
  const running: Promise<void>[] = []
  return measured(target, holdsMs, count, async () => {
    while (running.length < count) {
      const due = Math.min(count, ((performance.now() - startMs) / 1_000) * perSecond)
      while (running.length < due) {
        const dueMs = startMs + (running.length / perSecond) * 1_000
        running.push(request(target, holdsMs, dueMs))
      }
      await new Promise((resolve) => setTimeout(resolve, 1))
    }
    await Promise.all(running)
  })
}

async function request(target: Target, holdsMs: number[], startMs: number): Promise<void> {
  const holdId = await target.hold()
  holdsMs.push(performance.now() - startMs)
  await target.capture(holdId)
}

async function measured(
  target: Target,
  holdsMs: number[],
  count: number,
  work: () => Promise<unknown>,
): Promise<Figures> {
  const ledgerBefore = await target.ledgerCpu?.()
  const cpu = process.cpuUsage()
  const startMs = performance.now()
  await work()
  const seconds = (performance.now() - startMs) / 1_000
  const { user, system } = process.cpuUsage(cpu)
  const ledgerAfter = await target.ledgerCpu?.()
  const ledger =
    ledgerBefore === undefined || ledgerAfter === undefined
      ? {}
      : { ledgerMicros: (ledgerAfter - ledgerBefore) / (2 * count) }
  holdsMs.sort((a, b) => a - b)
  const at = (share: number): number => holdsMs[Math.floor(holdsMs.length * share)] ?? 0
  return {
    perSecond: (2 * count) / seconds,
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    cpuMicros: (user + system) / (2 * count),
    ...ledger,
  }
}

/** One line for people. */
export function show(name: string, figures: Figures): void {
  const { perSecond, p50Ms, p99Ms, cpuMicros } = figures
  const latency = `hold p50 ${p50Ms.toFixed(2)} ms, p99 ${p99Ms.toFixed(2)} ms`
  const own = `${cpuMicros.toFixed(0)} µs CPU each`
  const cpu =
    figures.ledgerMicros === undefined
      ? own
      : `${own}, the ledger's process ${figures.ledgerMicros.toFixed(0)} µs`
  console.log(`${name.padEnd(34)} ${Math.round(perSecond)}/s, ${latency}, ${cpu}`)
}
