/** One request to a ledger: money set aside, then taken. */
export interface Target {
  hold(): Promise<string>
  capture(holdId: string): Promise<unknown>
}

/** What a run showed. */
export interface Figures {
  perSecond: number
  p50Ms: number
  p99Ms: number
  /** CPU time of this process for each of the two operations of a request. */
  cpuMicros: number
}

/** So many callers, each asking again as soon as it has its answer. */
export async function closedLoop(target: Target, callers: number, count: number): Promise<Figures> {
  const holdsMs: number[] = []
  let left = count
  const caller = async (): Promise<void> => {
    while (left-- > 0) await request(target, holdsMs, performance.now())
  }
  return measured(holdsMs, count, () => Promise.all(Array.from({ length: callers }, caller)))
}

/**
 * Requests that come at a steady rate, whatever the answers do: latency counts from when a request was due. The timer
 * ticks every millisecond.
 */
export async function openLoop(target: Target, perSecond: number, count: number): Promise<Figures> {
  const holdsMs: number[] = []
  const startMs = performance.now()
  const running: Promise<void>[] = []
  return measured(holdsMs, count, async () => {
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
  holdsMs: number[],
  count: number,
  work: () => Promise<unknown>,
): Promise<Figures> {
  const cpu = process.cpuUsage()
  const startMs = performance.now()
  await work()
  const seconds = (performance.now() - startMs) / 1_000
  const { user, system } = process.cpuUsage(cpu)
  holdsMs.sort((a, b) => a - b)
  const at = (share: number): number => holdsMs[Math.floor(holdsMs.length * share)] ?? 0
  return {
    perSecond: (2 * count) / seconds,
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    cpuMicros: (user + system) / (2 * count),
  }
}

/** One line for people. */
export function show(name: string, figures: Figures): void {
  const { perSecond, p50Ms, p99Ms, cpuMicros } = figures
  const latency = `hold p50 ${p50Ms.toFixed(2)} ms, p99 ${p99Ms.toFixed(2)} ms`
  const cpu = `${cpuMicros.toFixed(0)} µs CPU each`
  console.log(`${name.padEnd(34)} ${Math.round(perSecond)}/s, ${latency}, ${cpu}`)
}
