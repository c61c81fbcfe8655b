/**
 * What the kernel told us and we did not want, until told otherwise.
 *
 * Our own work makes news too, and on its way to what is wanted passes through what is not. So only what is still
 * unwanted a moment later is a reason to look.
 */
export class News {
  readonly #unwanted = new Set<string>();
  readonly #onUnwanted: () => void;
  readonly #settleMs: number;
  #timer: NodeJS.Timeout | undefined;

  constructor(onUnwanted: () => void, settleMs: number) {
    this.#onUnwanted = onUnwanted;
    this.#settleMs = settleMs;
  }

  /** `key`: what it is about. */
  tell(key: string, isWanted: boolean): void {
    if (isWanted) this.#unwanted.delete(key);
    else this.#unwanted.add(key);
    if (!isWanted) this.#timer ??= setTimeout(() => this.#settle(), this.#settleMs);
  }

  #settle(): void {
    this.#timer = undefined;
    if (this.#unwanted.size === 0) return;
    this.#unwanted.clear();
    this.#onUnwanted();
  }

  close(): void {
    clearTimeout(this.#timer);
  }
}
