/** The version of this package. */
export const VERSION = '0.1.0'

/** What this build calls itself to other peers. */
export const SOFTWARE: string = `lexora-gateway/${VERSION}`
