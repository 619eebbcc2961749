/** This package's version. */
export const VERSION = '0.1.0'

/** What this build calls itself to peers. */
export const SOFTWARE: string = `lexora-node/${VERSION}`
