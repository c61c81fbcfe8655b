/**
 * Runs one job per key at a time, always with the newest value: values that came while it ran are skipped but for the last. At
 * most `atOnce` jobs run at a time, others in the order in which they came.
 */
export class Latest<T> {
  readonly #job: (key: string, value: T) => Promise<void>;
  readonly #onError: (key: string, error: unknown) => void;
  readonly #waiting = new Map<string, T>();
  readonly #running = new Map<string, Promise<void>>();
  /** Those that may not run yet. */
  readonly #line: (() => void)[] = [];
  #places: number;

  constructor(
    job: (key: string, value: T) => Promise<void>,
    onError: (key: string, error: unknown) => void,
    { atOnce = Infinity }: { readonly atOnce?: number } = {},
  ) {
    this.#job = job;
    this.#onError = onError;
    this.#places = atOnce;
  }

  set(key: string, value: T): void {
    this.#waiting.set(key, value);
    if (!this.#running.has(key)) this.#running.set(key, this.#run(key));
  }

  /** Resolves when nothing runs or waits. */
  async idle(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running.values());
  }

  async #run(key: string): Promise<void> {
    if (this.#places > 0) this.#places -= 1;
    else await new Promise<void>((resolve) => this.#line.push(resolve));
    while (this.#waiting.has(key)) {
      const value = this.#waiting.get(key)!;
      this.#waiting.delete(key);
      try {
        await Promise.resolve(); // whatever the job does, this is in the map before it ends
        await this.#job(key, value);
      } catch (error) {
        this.#onError(key, error);
      }
    }
    // In the same turn as the last look at what waits: a value that comes now must find nobody running.
    this.#running.delete(key);
    const next = this.#line.shift();
    if (next) next();
    else this.#places += 1;
  }
}
