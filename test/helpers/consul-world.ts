import { ConsulStore, type Snapshot, type Store, StoreError } from '../../src/store/index.js';
import { ConsulProxy } from './consul-proxy.js';
import type { ConsulServer } from './consul.js';
import { LEASE, set, shown } from './store-contract-tools.js';

let prefixes = 0;

/** A store that reaches a real Consul through a proxy, and one that goes straight, on a prefix of their own. */
export class World implements AsyncDisposable {
  readonly proxy: ConsulProxy;
  readonly store: ConsulStore;
  readonly direct: ConsulStore;

  private constructor(proxy: ConsulProxy, store: ConsulStore, direct: ConsulStore) {
    this.proxy = proxy;
    this.store = store;
    this.direct = direct;
  }

  static async open(
    consul: ConsulServer,
    options: { readonly timeoutMs?: number; readonly token?: string } = {},
  ): Promise<World> {
    prefixes += 1;
    const prefix = `weft/world-${prefixes}/`;
    const proxy = await ConsulProxy.start(consul.address);
    const { address } = proxy;
    return new World(
      proxy,
      new ConsulStore({ timeoutMs: 2_000, ...options, address, prefix }),
      new ConsulStore({ address: consul.address, prefix }),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.store[Symbol.asyncDispose]();
    await this.direct[Symbol.asyncDispose]();
    await this.proxy[Symbol.asyncDispose]();
  }
}

/** Every kind of call, by name. */
export function calls(store: Store): readonly [string, () => Promise<unknown>][] {
  return [
    ['get', async () => store.get('k')],
    ['list', async () => store.list('')],
    ['transact', async () => store.transact([set('k', '1')])],
    ['check', async () => store.transact([{ op: 'check', key: 'k', ifVersion: 0 }])],
    ['lease', async () => store.lease(LEASE)],
  ];
}

/** The StoreError of a call that must fail, and how long it took. */
export async function failure(
  run: () => Promise<unknown>,
): Promise<{ readonly error: StoreError; readonly ms: number }> {
  const begin = performance.now();
  try {
    await run();
  } catch (error) {
    if (error instanceof StoreError) return { error, ms: performance.now() - begin };
    throw error;
  }
  throw new Error('it succeeded');
}

/** Reads a watch to its end in the background, as a daemon does, and keeps what it saw. */
export class Follower implements AsyncDisposable {
  /** The last snapshot as "key=value", ordered. */
  latest: string[] = [];
  /** The changed keys of each snapshot. */
  readonly changes: string[][] = [];
  readonly states: boolean[] = [];
  /** Why Consul was away, each time. */
  readonly causes: StoreError[] = [];
  readonly #end = new AbortController();
  readonly #reading: Promise<void>;

  constructor(store: Store, prefix: string, onSnapshot?: (snapshot: Snapshot) => unknown) {
    const onState = (reachable: boolean, cause?: StoreError): void => {
      this.states.push(reachable);
      if (cause) this.causes.push(cause);
    };
    const watch = store.watch(prefix, { signal: this.#end.signal, onState });
    this.#reading = this.#read(watch, onSnapshot);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end.abort();
    await this.#reading;
  }

  async #read(
    watch: AsyncIterable<Snapshot>,
    onSnapshot?: (snapshot: Snapshot) => unknown,
  ): Promise<void> {
    for await (const snapshot of watch) {
      this.latest = shown(snapshot.entries);
      this.changes.push([...snapshot.changed].toSorted());
      await onSnapshot?.(snapshot);
    }
  }
}
