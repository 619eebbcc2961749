import type { Chunk, Head } from './chunk.ts'

/** Keeps the journal. Written by one writer, read by anybody; every implementation passes the store compliance suite. */
export interface Store {
  /**
   * Where the journal ends: everything before it is durable.
   */
  head(): Head
  /**
   * Adds the chunk that follows the head; durable, power loss included, once resolved. Throws `conflict` for a chunk
   * that does not follow. After any other failure what is on the disk is unknown: use the store no more.
   */
  append(chunk: Chunk): Promise<void>
  /**
   * The chunks from the one that holds this entry up to the head at the time of the call, each checked: its hash,
   * its number and its link to the one before. Throws `journalDamaged` where a check fails.
   */
  readFrom(seq: number): AsyncIterable<Chunk>
  /** Lets go of files and locks. May be called twice. */
  close(): Promise<void>
}
