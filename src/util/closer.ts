/**
 * Closes what was opened, last first. Node 20 has no AsyncDisposableStack.
 *
 * Every callback runs even when one fails; the failures come together in one AggregateError.
 */
export class Closer implements AsyncDisposable {
  #callbacks: (() => void | Promise<void>)[] = [];

  defer(callback: () => void | Promise<void>): void {
    this.#callbacks.push(callback);
  }

  use<T extends AsyncDisposable>(resource: T): T {
    this.defer(async () => resource[Symbol.asyncDispose]());
    return resource;
  }

  async close(): Promise<void> {
    const callbacks = this.#callbacks.toReversed();
    this.#callbacks = [];
    const errors: unknown[] = [];
    for (const callback of callbacks) {
      try {
        await callback();
      } catch (error) {
        errors.push(error);
      }
    }
    if (errors.length === 1) throw errors[0];
    if (errors.length > 1) throw new AggregateError(errors, 'several things failed to close');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
