/** The last of many things that happen, in order, and those who wait for the next. Ids rise. */
export class Feed<T extends { readonly id: number }> implements AsyncDisposable {
  readonly #limit: number;
  readonly #items: T[] = [];
  readonly #waiting = new Set<() => void>();
  #isClosed = false;

  /** `limit`: how many are kept. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  add(item: T): void {
    this.#items.push(item);
    if (this.#items.length > this.#limit) this.#items.shift();
    for (const wake of this.#waiting) wake();
  }

  /** What came after the one with this id, oldest first. When nothing did, waits for it this long. */
  async after(id: number, waitMs: number): Promise<T[]> {
    const found = this.#items.filter((item) => item.id > id);
    if (found.length > 0 || waitMs <= 0 || this.#isClosed) return found;
    await this.#next(waitMs);
    return this.#items.filter((item) => item.id > id);
  }

  /** Whoever waits is answered. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    for (const wake of this.#waiting) wake();
  }

  async #next(waitMs: number): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        clearTimeout(timer);
        this.#waiting.delete(wake);
        resolve();
      };
      const timer = setTimeout(wake, waitMs);
      this.#waiting.add(wake);
    });
  }
}
