import { setTimeout as delay } from 'node:timers/promises';
import { Backoff, Outage, hasCode } from '../util/index.js';

/** Retries are quick at first, for a leader election, then calm. */
const RETRY = { minMs: 100, maxMs: 2_000 };

interface Task {
  /** Calls to publish since the task was made. */
  asked: number;
  /** How many of them a finished write covers. */
  written: number;
  readonly waiting: Set<() => void>;
}

/**
 * Writes one document per network to the shared store until it is there.
 *
 * A write that fails is repeated with backoff and with what is then current, so that changes made while the store is away
 * reach it when it is back, and only their result. At most one write a network is under way. While the store is away one
 * network's write is tried for all.
 */
export class Publisher implements AsyncDisposable {
  readonly #write: (networkId: string) => Promise<void>;
  readonly #onError: (networkId: string, error: unknown) => void;
  readonly #aborter = new AbortController();
  readonly #tasks = new Map<string, Task>();
  readonly #loops = new Set<Promise<void>>();
  readonly #outage = new Outage();

  /** `write` publishes what is current when it starts. */
  constructor(
    write: (networkId: string) => Promise<void>,
    onError: (networkId: string, error: unknown) => void,
  ) {
    this.#write = write;
    this.#onError = onError;
  }

  /** True once a write that began after this call has succeeded; false after `waitMs`, while the attempts go on. */
  async publish(networkId: string, waitMs: number): Promise<boolean> {
    let task = this.#tasks.get(networkId);
    if (!task) {
      task = { asked: 0, written: 0, waiting: new Set() };
      this.#tasks.set(networkId, task);
      const loop = this.#run(networkId, task).finally(() => this.#loops.delete(loop));
      this.#loops.add(loop);
    }
    task.asked += 1;
    return this.#covered(task, task.asked, waitMs);
  }

  /** True once all that was asked for by now is written; false after `waitMs`. */
  async settled(networkId: string, waitMs: number): Promise<boolean> {
    const task = this.#tasks.get(networkId);
    return task === undefined || this.#covered(task, task.asked, waitMs);
  }

  /** Networks whose last change has not reached the store yet. */
  pending(): string[] {
    return [...this.#tasks.keys()];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#aborter.abort();
    await Promise.all(this.#loops);
  }

  async #run(networkId: string, task: Task): Promise<void> {
    const { signal } = this.#aborter;
    const backoff = new Backoff(RETRY);
    await Promise.resolve(); // lets the caller count itself in
    while (task.written < task.asked && !signal.aborted) {
      const covers = task.asked;
      try {
        await this.#write(networkId);
        task.written = covers;
        backoff.reset();
        this.#outage.answered();
      } catch (error) {
        this.#onError(networkId, error);
        if (hasCode(error, 'UNAVAILABLE')) {
          await this.#outage.turn(task, backoff.nextMs(), signal);
        } else {
          // A refusal is an answer too.
          this.#outage.answered();
          await backoff.wait(signal).catch(() => undefined);
        }
      }
      for (const wake of task.waiting) wake();
    }
    this.#tasks.delete(networkId);
    this.#outage.leave(task);
    for (const wake of task.waiting) wake();
  }

  async #covered(task: Task, ticket: number, waitMs: number): Promise<boolean> {
    const timer = new AbortController();
    const late = delay(waitMs, undefined, { signal: timer.signal }).catch(() => undefined);
    let expired = false;
    const deadline = late.then(() => (expired = true));
    try {
      while (task.written < ticket && !expired && !this.#aborter.signal.aborted) {
        const { promise, resolve } = withResolvers();
        task.waiting.add(resolve);
        await Promise.race([promise, deadline]);
        task.waiting.delete(resolve);
      }
    } finally {
      timer.abort();
    }
    return task.written >= ticket;
  }
}

function withResolvers(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve = (): void => undefined;
  const promise = new Promise<void>((r) => (resolve = r));
  return { promise, resolve };
}
