import type { EventEmitter } from 'node:events';
import { Outage } from '../util/index.js';
import {
  type FailedCall,
  UnreadableReply,
  permissionDenied,
  toStoreError,
} from './consul-errors.js';
import {
  type CallContext,
  type HttpOptions,
  type Reply,
  callNpm,
  openNpmConsul,
} from './consul-http.js';
import {
  type Listing,
  type TransactionError,
  readKeysIndex,
  readListing,
  readSessionId,
  readTransactionErrors,
  readVersions,
} from './consul-reply.js';
import { type KvOperation, writtenBy } from './consul-transaction.js';
import { StoreError } from './errors.js';
import type { CallOptions, Entry } from './store.js';

export interface ClientOptions extends HttpOptions {
  /** Put before every key. */
  readonly prefix: string;
  /** Bound of every call that does not wait for a change. */
  readonly timeoutMs: number;
}

export interface ListOptions extends CallOptions {
  /** Answer when the prefix has changed since this index, or after `waitMs`. */
  readonly after?: { readonly index: number; readonly waitMs: number };
}

export type TransactionReply =
  /** Versions by full key. */
  | { readonly ok: true; readonly versions: ReadonlyMap<string, number> }
  /** Nothing was written; one error for each operation that failed, in their order, one at least. */
  | { readonly ok: false; readonly errors: readonly TransactionError[] };

/** More than one host's daemon has in flight; the rest of a burst waits its turn. */
const MAX_CALLS = 16;

/** The calls of Consul that weft makes, typed both ways. Everything they throw is a StoreError or the signal's reason. */
export class ConsulClient {
  readonly address: string;
  /** Of the watches. */
  readonly outage = new Outage();
  readonly #options: ClientOptions;
  readonly #calls;
  /** Watches have sockets of their own, one each, so that they never keep a call waiting. */
  readonly #waits;
  readonly #underWay = new Set<AbortController>();
  readonly #listeners = new Set<() => void>();
  #closed = false;

  constructor(options: ClientOptions) {
    const { origin, pathname } = new URL(options.address);
    this.address = `${origin}${pathname.replace(/\/+$/u, '')}`;
    this.#options = options;
    this.#calls = openNpmConsul(options, MAX_CALLS);
    this.#waits = openNpmConsul(options, Infinity);
  }

  async get(key: string, options: CallOptions = {}): Promise<Entry | undefined> {
    const full = this.#options.prefix + key;
    return this.#run(`key read on "${full}"`, options, async (context, run) => {
      const reply = await run((ctx) =>
        this.#calls.kv.get({ ...context, ctx, key: full, consistent: true }),
      );
      const [entry, more] = readListing(reply, this.#options.prefix).entries;
      if (more !== undefined || (entry && entry.key !== key)) {
        throw new UnreadableReply('a key that was not asked for');
      }
      return entry;
    });
  }

  /**
   * Everything under `prefix`.
   *
   * Without `after` it is a consistent read: the leader asks a quorum whether it still leads. With, the leader answers from
   * what it has, which on a quiet cluster is the same and costs no round trip to the others for each wake-up. Never `stale`:
   * a follower that lags would take a watch back in time.
   */
  async list(prefix: string, options: ListOptions = {}): Promise<Listing> {
    const { timeoutMs } = this.#options;
    const { after } = options;
    const full = this.#options.prefix + prefix;
    const bound = after ? waitBound(after.waitMs) + timeoutMs : timeoutMs;
    const right = `key read on "${full}"`;
    return this.#run(right, { ...options, timeoutMs: bound }, async (context, run) => {
      const read = { ...context, key: full, recurse: true } as const;
      const reply = await run((ctx) =>
        after
          ? this.#waits.kv.get({
              ...read,
              ctx,
              index: String(after.index),
              wait: `${Math.round(after.waitMs)}ms`,
            })
          : this.#calls.kv.get({ ...read, ctx, consistent: true }),
      );
      const listing = readListing(reply, this.#options.prefix);
      if (reply.headers['x-consul-results-filtered-by-acls'] === 'true') {
        throw permissionDenied(this.#failedCall(right, timeoutMs), 403);
      }
      if (listing.entries.length === 0) await this.#assertReadable(prefix, options);
      return listing;
    });
  }

  /** As {@link list} with `after`, but of names only: its answer is small and says no more than that something may have changed. */
  async wake(
    prefix: string,
    { signal, after }: CallOptions & Required<Pick<ListOptions, 'after'>>,
  ): Promise<number> {
    const full = this.#options.prefix + prefix;
    const timeoutMs = waitBound(after.waitMs) + this.#options.timeoutMs;
    const options = { timeoutMs, ...(signal && { signal }) };
    return this.#run(`key read on "${full}"`, options, async (context, run) => {
      const waiting = { index: String(after.index), wait: `${Math.round(after.waitMs)}ms` };
      try {
        const wait = { ...context, ...waiting, key: full };
        return readKeysIndex(await run((ctx) => this.#waits.kv.keys({ ...wait, ctx })));
      } catch (error) {
        // Nothing there (any more), which it takes for a failure.
        const { statusCode, headers } = responseIn(error) ?? {};
        if (statusCode !== 404) throw error;
        return readKeysIndex({ status: 404, headers: headers ?? {}, payload: undefined });
      }
    });
  }

  /** Those of at most MAX_STEPS keys that are there, as the leader has it. Checks of absence, since their answers hold no values. */
  async present(keys: readonly string[], options: CallOptions = {}): Promise<string[]> {
    const operations = keys.map((key): KvOperation => {
      return { KV: { Verb: 'check-not-exists', Key: this.#options.prefix + key } };
    });
    const { timeoutMs } = this.#options;
    const reply = await this.transact(operations, { ...options, timeoutMs, consistent: false });
    return reply.ok ? [] : reply.errors.map(({ opIndex }) => keys[opIndex]!);
  }

  /** `consistent` counts when all operations are checks, which Consul answers as a read: then the leader asks a quorum first. */
  async transact(
    operations: readonly KvOperation[],
    options: CallOptions & { readonly timeoutMs: number; readonly consistent?: boolean },
  ): Promise<TransactionReply> {
    const right = `key write on "${this.#options.prefix}"`;
    return this.#run(right, options, async (context, run) => {
      try {
        const { consistent = true } = options;
        const sent = { ...context, ...(consistent && { consistent }) };
        const reply = await run((ctx) =>
          this.#calls.transaction.create(operations, { ...sent, ctx }),
        );
        return { ok: true, versions: readVersions(reply.payload, writtenBy(operations)) };
      } catch (error) {
        const conflict = conflictIn(error);
        if (!conflict) throw error;
        const errors = readTransactionErrors(conflict.payload, operations.length);
        if (errors.some(({ what }) => /permission denied/iu.test(what))) {
          throw permissionDenied(this.#failedCall(right, options.timeoutMs), 403);
        }
        return { ok: false, errors };
      }
    });
  }

  /**
   * Makes a session that lives by its TTL alone: bound to a node's health as is Consul's default, all leases would end
   * with the agent they were made through. No lock delay: keys of a lease that ended may be set at once.
   */
  async createSession(name: string, ttlMs: number): Promise<string> {
    const ttl = `${Math.ceil(ttlMs / 1000)}s`;
    return this.#run('session write', {}, async (context, run) => {
      const session = { name, ttl, behavior: 'delete', lockdelay: '0s', checks: [] } as const;
      const reply = await run((ctx) => this.#calls.session.create({ ...context, ctx, ...session }));
      return readSessionId(reply.payload);
    });
  }

  /** False: Consul knows no such session. */
  async renewSession(
    id: string,
    options: CallOptions & { readonly timeoutMs: number },
  ): Promise<boolean> {
    return this.#run('session write', options, async (context, run) => {
      try {
        await run((ctx) => this.#calls.session.renew({ ...context, ctx, id }));
        return true;
      } catch (error) {
        const { statusCode, payload } = responseIn(error) ?? {};
        if (statusCode === 404 && String(payload).includes(id)) return false;
        throw error;
      }
    });
  }

  async destroySession(id: string, timeoutMs: number): Promise<void> {
    await this.#run('session write', { timeoutMs }, async (context, run) =>
      run((ctx) => this.#calls.session.destroy({ ...context, ctx, id })),
    );
  }

  /** Calls `listener` after each call that found Consul away. Returns what ends that. */
  onAway(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  assertOpen(): void {
    if (this.#closed) throw this.#closedError();
  }

  /** Ends every call under way with STORE_CLOSED, and its connections. */
  close(): void {
    this.#closed = true;
    for (const call of this.#underWay) call.abort(this.#closedError());
    this.#calls.destroy();
    this.#waits.destroy();
  }

  /**
   * An old Consul answers a list that the token may not read as if nothing was there. Reading one key tells the two apart:
   * it answers 404 or 403.
   */
  async #assertReadable(prefix: string, options: CallOptions): Promise<void> {
    if (this.#options.prefix + prefix !== '') await this.get(prefix, options);
  }

  async #run<T>(
    right: string,
    options: CallOptions & { readonly timeoutMs?: number },
    work: (
      context: Pick<CallContext, 'timeout'>,
      run: (call: (ctx: EventEmitter) => Promise<unknown>) => Promise<Reply>,
    ) => Promise<T>,
  ): Promise<T> {
    const { signal, timeoutMs = this.#options.timeoutMs } = options;
    this.assertOpen();
    signal?.throwIfAborted();
    const underWay = new AbortController();
    const abort = (): void => underWay.abort(signal?.reason);
    signal?.addEventListener('abort', abort, { once: true });
    this.#underWay.add(underWay);
    try {
      const result = await work({ timeout: timeoutMs }, (call) => callNpm(underWay.signal, call));
      this.outage.answered();
      return result;
    } catch (error) {
      underWay.signal.throwIfAborted();
      const failure = toStoreError(error, this.#failedCall(right, timeoutMs));
      if (failure.code === 'UNAVAILABLE') for (const listener of this.#listeners) listener();
      else this.outage.answered();
      throw failure;
    } finally {
      this.#underWay.delete(underWay);
      signal?.removeEventListener('abort', abort);
    }
  }

  #failedCall(right: string, timeoutMs: number): FailedCall {
    return { address: this.address, timeoutMs, right, hasToken: Boolean(this.#options.token) };
  }

  #closedError(): StoreError {
    return new StoreError(
      { code: 'STORE_CLOSED', store: 'consul' },
      `the store on consul at ${this.address} is closed`,
    );
  }
}

/** Consul adds up to a sixteenth to a wait. */
function waitBound(waitMs: number): number {
  return waitMs + waitMs / 16;
}

interface FailedReply {
  readonly statusCode?: unknown;
  readonly headers?: Reply['headers'];
  readonly payload?: unknown;
}

function responseIn(error: unknown): FailedReply | undefined {
  return (error as { response?: FailedReply }).response;
}

function conflictIn(error: unknown): { payload?: unknown } | undefined {
  const response = responseIn(error);
  return response?.statusCode === 409 ? response : undefined;
}
