import { commandNameOf, parentOf } from './process-identity.ts'

/** How often the launchers are looked at, in ms. */
const LOOK_MS = 1_000
/** npm, a shell, tsx, and some room. */
const LAUNCHERS_MAX = 6

/**
 * Calls back once when a program between npm and this process has ended. `npm start` runs a shell, which runs tsx,
 * which runs us: a signal to npm ends npm and the shell, and nobody passes it on. A shell alone is not
 * watched, since it may well end before what it left in the background. Returns the function that ends the watch.
 */
export function watchLaunchers(onGone: () => void): () => void {
  const launchers = findLaunchers()
  if (launchers.length === 0) return () => undefined
  const timer = setInterval(() => {
    // A process whose parent ends gets another.
    const isGone = launchers.some((launcher, index) => {
      const below = launchers[index - 1]
      return (below === undefined ? process.ppid : parentOf(below)) !== launcher
    })
    if (!isGone) return
    clearInterval(timer)
    onGone()
  }, LOOK_MS)
  timer.unref()
  return () => clearInterval(timer)
}

/** The ids from our parent up to npm; without npm, tsx's where it runs us. */
function findLaunchers(): number[] {
  const launchers: number[] = []
  let pid: number | undefined = process.ppid
  while (pid !== undefined && pid > 1 && launchers.length < LAUNCHERS_MAX) {
    launchers.push(pid)
    if (commandNameOf(pid)?.startsWith('npm') === true) return launchers
    pid = parentOf(pid)
  }
  return process.execArgv.some((arg) => /tsx.*preflight/.test(arg)) ? [process.ppid] : []
}
