/**
 * A Map that can be copied in slices while it goes on changing. Only for values that are replaced and never changed in
 * place; the first value that a key had since the copy began is kept until the copy has been read. A copy does not keep
 * the order: where that matters, use a Map, which is copied at once, and keep it short.
 */
export class Table<K, V> extends Map<K, V> {
  // A declared field would not be there yet when a Map fills itself; tables begin empty.
  #before: Map<K, { value: V } | undefined> | undefined

  override set(key: K, value: V): this {
    if (this.#before !== undefined) this.#remember(this.#before, key)
    return super.set(key, value)
  }

  override delete(key: K): boolean {
    if (this.#before !== undefined) this.#remember(this.#before, key)
    return super.delete(key)
  }

  override clear(): void {
    for (const key of this.keys()) this.delete(key)
  }

  /** Begins a copy of what is there now. One at a time: the earlier one is lost. */
  freeze(): void {
    this.#before = new Map()
  }

  /** Ends the copy, read or not. */
  thaw(): void {
    this.#before = undefined
  }

  /**
   * What was there at {@link freeze}. Keys that were deleted meanwhile come last; one of them may come twice, with the
   * same value.
   */
  *frozen(): Generator<[K, V], void, undefined> {
    const before = this.#before ?? new Map<K, { value: V } | undefined>()
    for (const [key, value] of this) {
      if (!before.has(key)) {
        yield [key, value]
        continue
      }
      const old = before.get(key)
      if (old !== undefined) yield [key, old.value]
    }
    // Whatever is there now has been read, later changes included; what was deleted has not, or not for certain.
    const gone = [...before].filter(([key]) => !this.has(key))
    this.thaw()
    for (const [key, old] of gone) if (old !== undefined) yield [key, old.value]
  }

  #remember(before: Map<K, { value: V } | undefined>, key: K): void {
    if (before.has(key)) return
    const value = this.get(key)
    before.set(key, value === undefined ? undefined : { value })
  }
}
