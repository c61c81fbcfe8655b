import {
  BorrowedStore,
  type CallOptions,
  type Op,
  type Outcome,
  type Store,
  StoreError,
} from '../store/index.js';
import type { ClusterError } from './errors.js';

/** What every write rests on: that the document at `key` has this version. */
export interface Ground {
  readonly key: string;
  /** Throws when there is nothing to rest on. */
  version(signal: AbortSignal | undefined): Promise<number>;
  /** The document is another than of this version. Answers what the write that found out throws. */
  broken(version: number): Error;
}

/** A store each of whose writes succeeds only while its ground holds. Takes one step more per transaction. Reads are free. */
export class FencedStore extends BorrowedStore {
  readonly #ground: Ground;

  constructor(inner: Store, ground: Ground) {
    super(inner);
    this.#ground = ground;
  }

  override async transact(ops: readonly Op[], options?: CallOptions): Promise<Outcome> {
    const { key } = this.#ground;
    const ifVersion = await this.#ground.version(options?.signal);
    const outcome = await this.inner.transact([...ops, { op: 'check', key, ifVersion }], options);
    if (!outcome.ok && outcome.index === ops.length) throw this.#ground.broken(ifVersion);
    return outcome;
  }
}

type State =
  | { readonly kind: 'unknown'; readonly last?: unknown }
  | { readonly kind: 'member'; readonly version: number }
  | { readonly kind: 'refused'; readonly error: ClusterError };

/** How long a write waits until it is known whether this host may write: the announcement takes milliseconds. */
const WAIT_MS = 2000;

/** Whether this host belongs to the cluster, as its announcer found out last. Ground of all that the host writes. */
export class Standing implements Ground {
  readonly key: string;
  readonly #kind: Store['kind'];
  #state: State = { kind: 'unknown' };
  readonly #waiting = new Set<() => void>();
  /** Asks its announcer to find out anew. */
  onDoubt = (): void => undefined;
  /** Tells its announcer that the store is back. */
  onReachable = (): void => undefined;

  constructor(key: string, kind: Store['kind']) {
    this.key = key;
    this.#kind = kind;
  }

  /** Why this host may neither write nor give out addresses; undefined when it may, or nobody knows. */
  get refusal(): ClusterError | undefined {
    return this.#state.kind === 'refused' ? this.#state.error : undefined;
  }

  get isMember(): boolean {
    return this.#state.kind === 'member';
  }

  admit(version: number): void {
    this.#set({ kind: 'member', version });
  }

  refuse(error: ClusterError): void {
    this.#set({ kind: 'refused', error });
  }

  /** It could not be found out. What was known before counts on: the store is away, and judges each write when it is back. */
  failed(error: unknown): void {
    if (this.#state.kind === 'unknown') this.#set({ kind: 'unknown', last: error });
  }

  /** Throws why this host may give out nothing. One that was removed looks once more first: it may join again by now. */
  async assertMayGive(signal: AbortSignal): Promise<void> {
    if (this.refusal?.code === 'HOST_REMOVED') {
      this.onDoubt();
      await this.#known(signal);
    }
    if (this.refusal) throw this.refusal;
  }

  async version(signal: AbortSignal | undefined): Promise<number> {
    if (this.#state.kind === 'unknown') await this.#known(signal);
    const state = this.#state;
    if (state.kind === 'member') return state.version;
    if (state.kind === 'refused') throw state.error;
    throw this.#unsure(state.last);
  }

  broken(version: number): Error {
    if (this.#state.kind === 'member' && this.#state.version === version) {
      this.#state = { kind: 'unknown' };
      this.onDoubt();
    }
    return this.#unsure(undefined);
  }

  #set(state: State): void {
    this.#state = state;
    for (const wake of this.#waiting) wake();
  }

  async #known(signal: AbortSignal | undefined): Promise<void> {
    signal?.throwIfAborted();
    await new Promise<void>((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#waiting.delete(done);
        signal?.removeEventListener('abort', done);
        resolve();
      };
      const timer = setTimeout(done, WAIT_MS);
      signal?.addEventListener('abort', done, { once: true });
      this.#waiting.add(done);
    });
    signal?.throwIfAborted();
  }

  #unsure(cause: unknown): StoreError {
    return new StoreError(
      { code: 'UNAVAILABLE', store: this.#kind },
      'the store has not confirmed yet that this host belongs to the cluster',
      { cause },
    );
  }
}
