import { ConsulClient } from './consul-client.js';
import type { ConsulTls } from './consul-http.js';
import { HeadReader } from './consul-heads.js';
import { ConsulLease } from './consul-lease.js';
import { readRollback, toBatch } from './consul-transaction.js';
import { PrefixWatch } from './consul-watch.js';
import { StoreError } from './errors.js';
import { MAX_STEPS, checkKey, checkOps, checkPrefix, checkTtl } from './limits.js';
import type {
  CallOptions,
  Entry,
  Lease,
  Op,
  Outcome,
  Snapshot,
  Store,
  WatchOptions,
} from './store.js';

/**
 * Above the 7 s for which a Consul agent holds a call while its servers elect a leader, below the 30 s after which Docker's
 * users lose patience.
 */
const DEFAULT_TIMEOUT_MS = 10_000;

export interface ConsulOptions {
  /** http or https URL of an agent (best: this host's) or a server. */
  readonly address: string;
  /** Needs key_prefix write on `prefix`, and session_prefix write. Never in a message or log. */
  readonly token?: string;
  /** Default: the agent's own. */
  readonly datacenter?: string;
  readonly tls?: ConsulTls;
  /** Put before every key; ends with a slash. Two clusters on one Consul differ in it. Default `weft/v1/`. */
  readonly prefix?: string;
  /** Bound of every call. Default 10,000. */
  readonly timeoutMs?: number;
}

/**
 * The store of a cluster, on Consul 1.8 or newer.
 *
 * Opens without a call: a daemon starts while Consul is away.
 */
export class ConsulStore implements Store {
  readonly kind = 'consul';
  readonly #client: ConsulClient;
  readonly #prefix: string;
  readonly #timeoutMs: number;
  readonly #watches = new Set<AbortController>();
  readonly #leases = new Set<ConsulLease>();

  constructor(options: ConsulOptions) {
    const { prefix = 'weft/v1/', timeoutMs = DEFAULT_TIMEOUT_MS } = options;
    this.#client = new ConsulClient({ ...options, prefix, timeoutMs });
    this.#prefix = prefix;
    this.#timeoutMs = timeoutMs;
  }

  async get(key: string, options?: CallOptions): Promise<Entry | undefined> {
    checkKey(this.kind, key);
    return this.#client.get(key, options);
  }

  async list(prefix: string, options?: CallOptions): Promise<Entry[]> {
    checkPrefix(this.kind, prefix);
    return [...(await this.#client.list(prefix, options)).entries];
  }

  async absent(keys: readonly string[], options: CallOptions = {}): Promise<string[]> {
    for (const key of keys) checkKey(this.kind, key);
    const absent: string[] = [];
    for (let start = 0; start < keys.length; start += MAX_STEPS) {
      const some = keys.slice(start, start + MAX_STEPS);
      const present = new Set(await this.#client.present(some, options));
      absent.push(...some.filter((key) => !present.has(key)));
    }
    return absent;
  }

  async transact(ops: readonly Op[], options: CallOptions = {}): Promise<Outcome> {
    this.#client.assertOpen();
    checkOps(this.kind, ops);
    if (ops.length === 0) return { ok: true, versions: new Map() };
    for (const op of ops) {
      if (op.op === 'set' && op.lease?.lost.aborted) throw leaseLost(op);
    }
    return this.#attempt(ops, false, options, performance.now() + this.#timeoutMs);
  }

  watch(prefix: string, options: WatchOptions): AsyncIterable<Snapshot> {
    this.#client.assertOpen();
    checkPrefix(this.kind, prefix);
    if (options.heads !== undefined) checkPrefix(this.kind, options.heads);
    return this.#snapshots(prefix, options);
  }

  async lease(options: { readonly name: string; readonly ttlMs: number }): Promise<Lease> {
    checkTtl(this.kind, options.ttlMs);
    const lease = await ConsulLease.create(this.#client, options.name, {
      ttlMs: options.ttlMs,
      onEnd: (ended) => this.#leases.delete(ended),
    });
    this.#leases.add(lease);
    return lease;
  }

  /** Ends watches, calls and renewals. Leases that were not disposed of live out their TTL, over a restart if it is short. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const watch of this.#watches) watch.abort();
    await Promise.all(Array.from(this.#leases, async (lease) => lease.release()));
    this.#leases.clear();
    this.#client.close();
  }

  async *#snapshots(prefix: string, options: WatchOptions): AsyncGenerator<Snapshot, void> {
    const end = new AbortController();
    const abort = (): void => end.abort();
    options.signal.addEventListener('abort', abort, { once: true });
    if (options.signal.aborted) abort();
    this.#watches.add(end);
    const { heads } = options;
    const source = heads === undefined ? this.#client : new HeadReader(this.#client, heads);
    try {
      const watch = new PrefixWatch(source, prefix, { ...options, signal: end.signal });
      yield* watch.snapshots();
    } finally {
      this.#watches.delete(end);
      options.signal.removeEventListener('abort', abort);
    }
  }

  /** One transaction; once more with `takeOver` when a key that is to be bound turns out to be another lease's. */
  async #attempt(
    ops: readonly Op[],
    takeOver: boolean,
    options: CallOptions,
    endsAt: number,
  ): Promise<Outcome> {
    const batch = toBatch(ops, this.#prefix, takeOver);
    const timeoutMs = Math.max(1, endsAt - performance.now());
    const reply = await this.#client.transact(batch.operations, { ...options, timeoutMs });
    if (reply.ok) return { ok: true, versions: this.#versionsOf(ops, reply.versions) };
    const { kind, index } = readRollback(batch, reply.errors[0]!);
    if (kind === 'lease lost') throw leaseLost(ops[index]!);
    const retry = kind === 'bound elsewhere' && !takeOver;
    return retry ? this.#attempt(ops, true, options, endsAt) : { ok: false, index };
  }

  #versionsOf(ops: readonly Op[], written: ReadonlyMap<string, number>): Map<string, number> {
    const sets = ops.filter(({ op }) => op === 'set');
    return new Map(sets.map(({ key }) => [key, written.get(this.#prefix + key)!]));
  }
}

function leaseLost(op: Op): StoreError {
  const lease = op.op === 'set' ? (op.lease?.id ?? '') : '';
  return new StoreError(
    { code: 'LEASE_LOST', store: 'consul', lease },
    `the lease of ${op.key} has ended`,
  );
}
