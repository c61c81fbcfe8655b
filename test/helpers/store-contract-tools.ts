import { setTimeout as delay } from 'node:timers/promises';
import type { ExecutionContext } from 'ava';
import type { Entry, Lease, Op, Snapshot, Store } from '../../src/store/index.js';

/** Two ways into one state: in a cluster two clients, on one host twice the same store. */
export interface StorePair extends AsyncDisposable {
  readonly store: Store;
  readonly other: Store;
}

/** Declares one test of the contract, on a store of its own. */
export type Check = (
  title: string,
  run: (t: ExecutionContext, pair: StorePair) => Promise<void>,
) => void;

const DEADLINE_MS = 60_000;

export const LEASE = { name: 'contract', ttlMs: 10_000 };

export function set(
  key: string,
  value: string,
  more: { ifVersion?: number; lease?: Lease } = {},
): Op {
  return { op: 'set', key, value, ...more };
}

export async function put(store: Store, entries: Readonly<Record<string, string>>): Promise<void> {
  const outcome = await store.transact(Object.entries(entries).map(([k, v]) => set(k, v)));
  if (!outcome.ok) throw new Error('an unconditional write did not hold');
}

export async function versionOf(store: Store, key: string): Promise<number> {
  return (await store.get(key))?.version ?? 0;
}

/** Everything under the prefix as "key=value", ordered. */
export async function textOf(store: Store, prefix = ''): Promise<string[]> {
  return (await store.list(prefix)).map(({ key, value }) => `${key}=${value}`);
}

/** A snapshot as "key=value", ordered. */
export function shown(entries: ReadonlyMap<string, Entry>): string[] {
  return [...entries.values()].map(({ key, value }) => `${key}=${value}`).toSorted();
}

/** A watch read step by step, each within a deadline, shown as text. */
export class Watch implements AsyncDisposable {
  readonly #controller = new AbortController();
  readonly #iterator: AsyncIterator<Snapshot>;

  constructor(store: Store, prefix: string, heads?: string) {
    const options = { signal: this.#controller.signal, ...(heads !== undefined && { heads }) };
    this.#iterator = store.watch(prefix, options)[Symbol.asyncIterator]();
  }

  /** Looks until `entries` are these. */
  async until(entries: readonly string[]): Promise<void> {
    while ((await this.next()).entries.join() !== entries.join());
  }

  async next(): Promise<{ readonly entries: string[]; readonly changed: string[] }> {
    const result = await within(this.#iterator.next());
    if (result.done) throw new Error('the watch ended');
    const { entries, changed } = result.value;
    return { entries: shown(entries), changed: [...changed].toSorted() };
  }

  async ended(): Promise<void> {
    while (!(await this.#iterator.next()).done);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#controller.abort();
    await within(this.ended());
  }
}

export async function within<T>(promise: Promise<T>): Promise<T> {
  const timer = new AbortController();
  const late = delay(DEADLINE_MS, undefined, { signal: timer.signal }).then(() => {
    throw new Error(`nothing happened for ${DEADLINE_MS} ms`);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    timer.abort();
    late.catch(() => undefined);
  }
}
