/**
 * Runs one job per key at a time, always with the newest value: values that came while it ran are skipped but for the last.
 */
export class Latest<T> {
  readonly #job: (key: string, value: T) => Promise<void>;
  readonly #onError: (key: string, error: unknown) => void;
  readonly #waiting = new Map<string, T>();
  readonly #running = new Map<string, Promise<void>>();

  constructor(
    job: (key: string, value: T) => Promise<void>,
    onError: (key: string, error: unknown) => void,
  ) {
    this.#job = job;
    this.#onError = onError;
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
  }
}
