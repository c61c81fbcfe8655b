/**
 * The cluster's policies in the shared store, as texts.
 *
 * Each is a document of its own, under its name and its sum, and one index says which of them count. So a change of any size takes
 * effect in one step, that of the index, and nobody sees half of it: texts are written before, and what no index names any more
 * is deleted after, if the index is still the one that does not name it.
 */
import type { CallOptions, Op, Snapshot, Store } from '../store/index.js';
import { Backoff } from '../util/index.js';
import { format, keys } from './documents.js';
import { ClusterError } from './errors.js';
import {
  type Enforced,
  MAX_POLICIES,
  type PolicyIndex,
  type PolicySet,
  type PolicyText,
  formatPolicySet,
  parseEnforced,
  parsePolicyIndex,
  parsePolicySet,
  parsePolicyText,
  policyDocument,
} from './policy-documents.js';

/** On this host's disk: what was last known, for a start while the store is away. */
const LOCAL_KEY = 'policies';
/** Steps and octets of one transaction, with room for what fences it. */
const MAX_STEPS = 60;
const MAX_BYTES = 300_000;
const RETRY = { minMs: 20, maxMs: 2000 };

export interface PolicyChange {
  readonly set?: readonly PolicyText[];
  /** Names; one that is not there is fine. */
  readonly remove?: readonly string[];
}

export interface PoliciesOptions {
  readonly store: Store;
  readonly local: Store;
  readonly hostId: string;
  /** Told of each new set, first of the one on disk. Must not throw. */
  readonly onChange: (set: PolicySet) => void;
  /** What was read is not what it should be; what was known before holds. */
  readonly onDamage: (key: string) => void;
  /** The store has lost policies that this host has seen there, and gets them back. */
  readonly onLost: () => void;
  readonly onError: (error: unknown) => void;
}

const NONE: PolicySet = { version: 0, texts: new Map() };

export class Policies implements AsyncDisposable {
  readonly #options: PoliciesOptions;
  readonly #aborter = new AbortController();
  #known: PolicySet = NONE;
  /** Whether what is known came from the store, and not from the disk. */
  #isSeen = false;
  #loop: Promise<void> = Promise.resolve();
  #keeping: Promise<void> = Promise.resolve();
  #restoring: Promise<void> | undefined;

  private constructor(options: PoliciesOptions) {
    this.#options = options;
  }

  /** Reads what is on disk, then follows the store. */
  static async open(options: PoliciesOptions): Promise<Policies> {
    const policies = new Policies(options);
    const kept = await options.local.get(LOCAL_KEY);
    const set = kept && parsePolicySet(kept.value);
    if (kept && !set) options.onDamage(`${LOCAL_KEY} on disk`);
    policies.#known = set ?? NONE;
    return policies;
  }

  start(): void {
    this.#options.onChange(this.#known);
    this.#loop = this.#run();
  }

  get known(): PolicySet {
    return this.#known;
  }

  /** Whether it is known what the store has. */
  get isSeen(): boolean {
    return this.#isSeen;
  }

  /**
   * Makes a change and answers the version that has it; one that changes nothing answers the present version. Throws what the
   * store throws, and TOO_MANY_POLICIES.
   */
  async change({ set = [], remove = [] }: PolicyChange, signal: AbortSignal): Promise<number> {
    const backoff = new Backoff(RETRY);
    for (;;) {
      signal.throwIfAborted();
      const { entry, index } = await this.#readIndex({ signal });
      const sums: Record<string, string> = { ...index.sums };
      for (const name of remove) delete sums[name];
      const documents = set.map((policy) => ({ name: policy.name, ...policyDocument(policy) }));
      for (const { name, sum } of documents) sums[name] = sum;
      if (areSame(sums, index.sums)) return index.version;
      assertCount(sums);
      await this.#write(documents, signal);
      const version = index.version + 1;
      if (await this.#flip({ version, sums }, entry?.version ?? 0, signal)) {
        await this.#sweep(sums, { signal }).catch(this.#options.onError);
        return version;
      }
      await backoff.wait(signal);
    }
  }

  /** This host enforces this version on all its networks. */
  async report(version: number, options: CallOptions): Promise<void> {
    const { store, hostId: host } = this.#options;
    const value = format({ host, version } satisfies Enforced);
    await store.transact([{ op: 'set', key: keys.enforced(host), value }], options);
  }

  /** A host that was removed enforces nothing. */
  static async expel(store: Store, host: string, options: CallOptions): Promise<void> {
    await store.transact([{ op: 'delete', key: keys.enforced(host) }], options);
  }

  /** What each host says that it enforces, by id; again with each change until `signal` aborts. */
  async *enforced(signal: AbortSignal): AsyncGenerator<ReadonlyMap<string, number>> {
    for await (const { entries } of this.#options.store.watch(keys.everyEnforced, { signal })) {
      const documents = [...entries.values()].map(({ value }) => parseEnforced(value));
      yield new Map(
        documents.flatMap((each) => (each ? [[each.host, each.version] as const] : [])),
      );
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#aborter.abort();
    await this.#loop;
    await this.#restoring;
    await this.#keeping;
  }

  async #run(): Promise<void> {
    const { signal } = this.#aborter;
    for await (const snapshot of this.#options.store.watch(keys.policies, { signal })) {
      this.#take(snapshot);
    }
  }

  #take({ entries }: Snapshot): void {
    const { onChange, onDamage } = this.#options;
    const entry = entries.get(keys.policyIndex);
    const index = entry ? parsePolicyIndex(entry.value) : { version: 0, sums: {} };
    if (!index) {
      onDamage(keys.policyIndex);
      return;
    }
    const texts = new Map<string, PolicyText>();
    let isWhole = true;
    for (const [name, sum] of Object.entries(index.sums)) {
      const key = keys.policy(name, sum);
      const text = parsePolicyText(entries.get(key)?.value ?? '');
      if (text?.name === name && policyDocument(text).sum === sum) texts.set(name, text);
      else {
        isWhole = false;
        if (entries.has(key)) onDamage(key);
      }
    }
    const isOlder = this.#isSeen && index.version < this.#known.version;
    if (isOlder || !isWhole) {
      if (this.#isSeen && index.version <= this.#known.version) this.#restore();
      return;
    }
    const set = { version: index.version, texts };
    // What was on disk may be another cluster's.
    const isSame = this.#isSeen
      ? set.version === this.#known.version
      : formatPolicySet(set) === formatPolicySet(this.#known);
    this.#isSeen = true;
    if (isSame) return;
    this.#known = set;
    this.#keep(this.#known);
    onChange(this.#known);
  }

  /** For the next start. */
  #keep(set: PolicySet): void {
    const { local, onError } = this.#options;
    const value = formatPolicySet(set);
    const write = async (): Promise<void> => {
      await local.transact([{ op: 'set', key: LOCAL_KEY, value }]);
    };
    this.#keeping = this.#keeping.then(write).catch(onError);
  }

  /** Puts back what the store has lost. Every host that has seen it tries; the first succeeds. */
  #restore(): void {
    const { onLost, onError } = this.#options;
    const { signal } = this.#aborter;
    if (this.#restoring) return;
    onLost();
    this.#restoring = this.#putBack(this.#known)
      .catch((error: unknown) => {
        if (!signal.aborted) onError(error);
      })
      .finally(() => {
        this.#restoring = undefined;
      });
  }

  async #putBack({ version, texts }: PolicySet): Promise<void> {
    const { signal } = this.#aborter;
    const documents = [...texts.values()].map((text) => ({
      name: text.name,
      ...policyDocument(text),
    }));
    const sums = Object.fromEntries(documents.map(({ name, sum }) => [name, sum]));
    const { entry, index } = await this.#readIndex({ signal });
    if (index.version > version) return;
    await this.#write(documents, signal);
    if (!entry || index.version < version) {
      await this.#flip({ version, sums }, entry?.version ?? 0, signal);
    }
  }

  async #readIndex(options: CallOptions) {
    const entry = await this.#options.store.get(keys.policyIndex, options);
    const index = entry ? parsePolicyIndex(entry.value) : { version: 0, sums: {} };
    if (index) return { entry, index };
    throw new ClusterError(
      { code: 'BAD_POLICY_INDEX' },
      `${keys.policyIndex} in the store is unreadable, so policies can't be changed; if no newer weft wrote it, delete the key: hosts put it back`,
    );
  }

  async #write(
    documents: readonly { readonly name: string; readonly value: string; readonly sum: string }[],
    signal: AbortSignal,
  ): Promise<void> {
    const ops = documents.map(({ name, sum, value }): Op => ({
      op: 'set',
      key: keys.policy(name, sum),
      value,
    }));
    for (const some of portionsOf(ops)) await this.#options.store.transact(some, { signal });
  }

  /** Makes this what counts, unless somebody else changed it meanwhile. */
  async #flip(index: PolicyIndex, ifVersion: number, signal: AbortSignal): Promise<boolean> {
    const value = format(index);
    const op = { op: 'set', key: keys.policyIndex, value, ifVersion } as const;
    return (await this.#options.store.transact([op], { signal })).ok;
  }

  /** Deletes the texts that nothing names, while the index is still the one that does not name them. */
  async #sweep(sums: PolicyIndex['sums'], options: CallOptions): Promise<void> {
    const { store } = this.#options;
    const named = new Set(Object.entries(sums).map(([name, sum]) => keys.policy(name, sum)));
    const entries = await store.list(keys.policies, options);
    const index = entries.find(({ key }) => key === keys.policyIndex);
    const isOurs = index && areSame(parsePolicyIndex(index.value)?.sums ?? {}, sums);
    if (!isOurs) return;
    const gone = entries.filter(({ key }) => key !== keys.policyIndex && !named.has(key));
    const ops = gone.map(({ key }): Op => ({ op: 'delete', key }));
    const check = { op: 'check', key: index.key, ifVersion: index.version } as const;
    for (const some of portionsOf(ops)) {
      if (!(await store.transact([...some, check], options)).ok) return;
    }
  }
}

function areSame(a: PolicyIndex['sums'], b: PolicyIndex['sums']): boolean {
  const [left, right] = [Object.entries(a), Object.keys(b)];
  return left.length === right.length && left.every(([name, sum]) => b[name] === sum);
}

function assertCount(sums: PolicyIndex['sums']): void {
  const count = Object.keys(sums).length;
  if (count <= MAX_POLICIES) return;
  throw new ClusterError(
    { code: 'TOO_MANY_POLICIES', count },
    `the cluster would have ${count} policies and takes ${MAX_POLICIES}; put several rules into one policy`,
  );
}

/** In portions that a transaction takes. */
function portionsOf(ops: readonly Op[]): Op[][] {
  const portions: Op[][] = [];
  let bytes = 0;
  for (const op of ops) {
    const size = op.key.length + (op.op === 'set' ? Buffer.byteLength(op.value) : 0);
    const last = portions.at(-1);
    if (last && last.length < MAX_STEPS && bytes + size <= MAX_BYTES) {
      last.push(op);
      bytes += size;
    } else {
      portions.push([op]);
      bytes = size;
    }
  }
  return portions;
}
