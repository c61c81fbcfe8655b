import Type from 'typebox';
import { Compile, type Validator } from 'typebox/compile';
import type { Address } from '../net/index.js';
import type { Store } from '../store/index.js';
import {
  type Pool,
  type PoolHost,
  canonicalAddress,
  formatPool,
  keys,
  parsePool,
} from './documents.js';
import type { Layout } from './layout.js';

/** Keys of the local store. */
export const LOCAL_POOLS = 'ipam/';
const localKey = (id: string): string => `${LOCAL_POOLS}${id}`;

const times = Type.Record(Type.String(), Type.Integer());
const Schema = Type.Object({
  v: Type.Literal(1),
  pool: Type.String(),
  grants: times,
  created: Type.Boolean(),
  reserve: Type.Array(Type.String()),
  held: times,
  freed: times,
});
let validator: Validator | undefined;

/**
 * What this host must know of a pool without asking anyone, in memory and on its disk as one document: so that it can hand
 * out its reserve while the shared store is away, and never the same address twice, whenever it crashes.
 *
 * `reserve` is never more than what the shared store says is reserved for us: additions come after the shared write,
 * removals before it.
 */
export class LocalPool {
  readonly id: string;
  /** The pool's document as it was last read. */
  pool: Pool;
  /** What this host's mark in the shared store should say. No grants: it has left. */
  host: PoolHost;
  /** Ours to hand out without asking. */
  readonly reserve = new Set<Address>();
  /** Handed out of the reserve, not yet written to the shared store: address and time, ms since 1970. */
  readonly held = new Map<Address, number>();
  /** Released, not yet written to the shared store. */
  readonly freed = new Map<Address, number>();
  readonly #store: Store;
  #writing: Promise<void> | undefined;
  #next: Promise<void> | undefined;
  #removed = false;

  constructor(store: Store, pool: Pool, host: PoolHost) {
    this.#store = store;
    this.id = pool.id;
    this.pool = pool;
    this.host = host;
  }

  /** The pools that are on disk. `onDamage` hears of a document that can't be read, which is then left out. */
  static async load(store: Store, onDamage: (key: string) => void): Promise<LocalPool[]> {
    const pools: LocalPool[] = [];
    for (const { key, value } of await store.list(LOCAL_POOLS)) {
      const pool = parseLocal(store, key, value);
      if (pool) pools.push(pool);
      else onDamage(key);
    }
    return pools;
  }

  /** True while at least one of Docker's networks here has the pool. */
  get isMember(): boolean {
    return Object.keys(this.host.grants).length > 0;
  }

  /** Hands out nothing more. */
  forgetAddresses(): void {
    this.reserve.clear();
    this.held.clear();
    this.freed.clear();
  }

  /** Resolves when everything as it is now is on disk. Callers that come while a write is under way share the next one. */
  async save(): Promise<void> {
    this.#next ??= this.#writeNext();
    await this.#next;
  }

  /** Keeps nothing that is saved later: another document has taken the place. */
  abandon(): void {
    this.#removed = true;
  }

  /** Takes the document off the disk; what is saved later is not kept. */
  async remove(): Promise<void> {
    this.#removed = true;
    await this.#writing?.catch(() => undefined);
    await this.#store.transact([{ op: 'delete', key: localKey(this.id) }]);
  }

  /** Makes the reserve in this block exactly what the shared store says, but for what is handed out already. True: it changed. */
  replaceReserve(layout: Layout, base: Address, reserve: Iterable<Address>): boolean {
    const wanted = new Set(reserve);
    for (const address of this.held.keys()) wanted.delete(address);
    const before = [...this.reserve].filter((address) => layout.baseOf(address) === base);
    for (const address of before) if (!wanted.has(address)) this.reserve.delete(address);
    for (const address of wanted) this.reserve.add(address);
    return before.length !== wanted.size || before.some((address) => !wanted.has(address));
  }

  async #writeNext(): Promise<void> {
    await this.#writing?.catch(() => undefined);
    this.#writing = this.#next;
    this.#next = undefined;
    if (this.#removed) return;
    await this.#store.transact([{ op: 'set', key: localKey(this.id), value: this.#format() }]);
  }

  #format(): string {
    return JSON.stringify({
      v: 1,
      pool: formatPool(this.pool),
      grants: this.host.grants,
      created: this.host.created,
      reserve: [...this.reserve],
      held: Object.fromEntries(this.held),
      freed: Object.fromEntries(this.freed),
    });
  }
}

function parseLocal(store: Store, key: string, value: string): LocalPool | undefined {
  try {
    const raw: unknown = JSON.parse(value);
    validator ??= Compile(Schema);
    if (!validator.Check(raw)) return undefined;
    const { pool: text, grants, created, reserve, held, freed } = raw as Type.Static<typeof Schema>;
    const pool = parsePool(keys.pool(key.slice(LOCAL_POOLS.length)), text);
    const local = new LocalPool(store, pool, { grants, created });
    for (const address of reserve) local.reserve.add(known(address));
    for (const [address, time] of Object.entries(held)) local.held.set(known(address), time);
    for (const [address, time] of Object.entries(freed)) local.freed.set(known(address), time);
    return local;
  } catch {
    return undefined;
  }
}

function known(text: string): Address {
  const address = canonicalAddress(text);
  if (address === undefined) throw new TypeError(`${text} is not an address`);
  return address;
}
