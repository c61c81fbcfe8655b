/**
 * Numbers for things, kept for as long as this is: what was there before keeps its number when something comes or goes, so
 * that a change of members changes few elements. A number is never given to another thing.
 */
export class Numbers {
  readonly #given = new Map<string, number>();

  get size(): number {
    return this.#given.size;
  }

  /** From 1, for 0 stands for what has no number. */
  of(thing: string): number {
    const number = this.#given.get(thing) ?? this.#given.size + 1;
    this.#given.set(thing, number);
    return number;
  }
}
