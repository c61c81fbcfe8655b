import type { Address } from '../net/index.js';
import type { Entry, Op } from '../store/index.js';
import { type Context, contended } from './attempts.js';
import { type Block, copyBlock, emptyBlock, isEmpty } from './blocks.js';
import {
  type Pool,
  addressOfKey,
  formatBlock,
  formatPool,
  keys,
  parseBlock,
  parsePool,
} from './documents.js';
import { IpamError } from './errors.js';
import { Layout } from './layout.js';

/** Beyond this many conflicts in a row the caller should hear of it. */
const MAX_CONFLICTS = 64;

interface Known<T> {
  readonly version: number;
  readonly value: T;
}

interface KnownBlock extends Known<Block> {
  /** As stored; empty when absent. */
  readonly text: string;
}

const ABSENT: KnownBlock = { version: 0, value: emptyBlock(), text: '' };

/**
 * One pool's document and blocks as this host saw them last, and the one way to change them: check-and-set.
 *
 * What is remembered may be old; a change that rests on something old fails in the store, and is decided again on what is
 * there now. Every change of a block also rests on the pool's document, so nothing is written for a pool that has gone, and
 * an address that became the network's gateway meanwhile is not handed out.
 */
export class BlockTable {
  readonly #context: Context;
  readonly #id: string;
  readonly #shape: Pool;
  readonly #layout: Layout;
  #pool: Known<Pool> | undefined;
  readonly #blocks = new Map<Address, KnownBlock>();
  /** Blocks that are to be read before they are used again. */
  readonly #stale = new Set<Address>();
  /** Blocks whose documents are not ours. */
  readonly #bad = new Set<Address>();
  #listed = false;
  #conflicts = 0;

  constructor(context: Context, pool: Pool) {
    this.#context = context;
    this.#id = pool.id;
    this.#shape = pool;
    this.#layout = new Layout(pool);
  }

  /** How many changes had to be decided again because somebody else was quicker. */
  get conflicts(): number {
    return this.#conflicts;
  }

  /** True once every block has been read since the last outage. */
  get listed(): boolean {
    return this.#listed;
  }

  /** Every block as known, without asking. */
  known(): (readonly [Address, Block])[] {
    return Array.from(this.#blocks, ([base, { value }]) => [base, value]);
  }

  get(base: Address): Block | undefined {
    return this.#blocks.get(base)?.value;
  }

  /** True when nothing can be done with the block because its document is not ours. */
  isBad(base: Address): boolean {
    return this.#bad.has(base);
  }

  /** The pool's document, read when it is not known. Throws UNKNOWN_POOL. */
  async pool(signal?: AbortSignal): Promise<Pool> {
    return (await this.#currentPool(signal)).value;
  }

  /** Reads every block. A document that is not ours is reported, and its addresses are left alone. */
  async list(signal?: AbortSignal): Promise<void> {
    const entries = await this.#context.store.list(keys.blocks(this.#id), options(signal));
    this.#blocks.clear();
    this.#stale.clear();
    this.#bad.clear();
    for (const entry of entries) {
      try {
        this.#remember(entry);
      } catch (error) {
        if (!(error instanceof IpamError)) throw error;
        this.#context.report(error);
      }
    }
    this.#listed = true;
  }

  /**
   * Lets `change` edit a copy of the block, writes it, and returns what `change` returned. `change` runs again when
   * somebody else was quicker, and when it throws or wants nothing changed on the strength of something remembered.
   */
  async update<T>(
    base: Address,
    change: (draft: Block, pool: Pool) => T,
    signal?: AbortSignal,
  ): Promise<T> {
    for (let conflicts = 0; conflicts < MAX_CONFLICTS;) {
      const pool = await this.#currentPool(signal);
      const remembered = this.#remembered(base);
      const known = remembered ?? (await this.#read(base, signal));
      const draft = copyBlock(known.value);
      let result: T;
      try {
        result = change(draft, pool.value);
      } catch (error) {
        if (!remembered) throw error;
        this.forget(base);
        continue;
      }
      const text = isEmpty(draft) ? '' : formatBlock(draft);
      if (text === known.text) {
        if (!remembered) return result;
        this.forget(base);
        continue;
      }
      if (await this.#write(base, { version: known.version, value: draft, text }, pool, signal)) {
        return result;
      }
      conflicts += 1;
    }
    throw contended(keys.block(this.#id, base));
  }

  /** As {@link update}, for the pool's own document together with the block of one address. */
  async updatePool<T>(
    address: Address,
    change: (draft: Block, pool: Pool) => { readonly pool: Pool; readonly result: T },
    signal?: AbortSignal,
  ): Promise<T> {
    const base = this.#layout.baseOf(address);
    for (let conflicts = 0; conflicts < MAX_CONFLICTS; conflicts += 1) {
      this.forget(base);
      const before = await this.#currentPool(signal);
      const known = await this.#read(base, signal);
      const draft = copyBlock(known.value);
      const { pool, result } = change(draft, before.value);
      const value = formatPool(pool);
      if (value === formatPool(before.value)) return result;
      const key = keys.pool(this.#id);
      const text = isEmpty(draft) ? '' : formatBlock(draft);
      const outcome = await this.#transact(
        base,
        [{ op: 'set', key, value, ifVersion: before.version }, this.#blockOp(base, known, text)],
        signal,
      );
      if (!outcome) continue;
      this.#pool = { version: outcome.get(key) ?? 0, value: pool };
      this.forget(base);
      return result;
    }
    throw contended(keys.pool(this.#id));
  }

  /** Makes the next use of this block read it. */
  forget(base: Address): void {
    this.#blocks.delete(base);
    this.#stale.add(base);
  }

  /** Makes the next use read everything. */
  forgetAll(): void {
    this.#pool = undefined;
    this.#blocks.clear();
    this.#stale.clear();
    this.#bad.clear();
    this.#listed = false;
  }

  #remembered(base: Address): KnownBlock | undefined {
    const known = this.#blocks.get(base);
    return known ?? (this.#listed && !this.#stale.has(base) ? ABSENT : undefined);
  }

  async #currentPool(signal?: AbortSignal): Promise<Known<Pool>> {
    if (this.#pool) return this.#pool;
    const key = keys.pool(this.#id);
    const entry = await this.#context.store.get(key, options(signal));
    if (!entry) throw unknownPool(this.#id);
    const value = parsePool(key, entry.value);
    // A later pool of the same prefix may be cut into other blocks: addresses would be in two.
    const same = value.blockSize === this.#shape.blockSize && value.range === this.#shape.range;
    if (!same) throw unknownPool(this.#id);
    this.#pool = { version: entry.version, value };
    return this.#pool;
  }

  async #read(base: Address, signal?: AbortSignal): Promise<KnownBlock> {
    const entry = await this.#context.store.get(keys.block(this.#id, base), options(signal));
    if (entry) return this.#remember(entry);
    this.#blocks.delete(base);
    this.#stale.delete(base);
    return ABSENT;
  }

  #remember({ key, value: text, version }: Entry): KnownBlock {
    const base = addressOfKey(key);
    const members = base === undefined ? [] : this.#layout.members(base);
    if (base !== undefined) this.#bad.add(base);
    const known = { version, text, value: parseBlock(key, text, new Set(members)) };
    if (base !== undefined && members.length > 0) {
      this.#bad.delete(base);
      this.#set(base, known);
    }
    return known;
  }

  /** False: somebody was quicker; what changed will be read. */
  async #write(
    base: Address,
    next: KnownBlock,
    pool: Known<Pool>,
    signal?: AbortSignal,
  ): Promise<boolean> {
    const versions = await this.#transact(
      base,
      [
        { op: 'check', key: keys.pool(this.#id), ifVersion: pool.version },
        this.#blockOp(base, next, next.text),
      ],
      signal,
    );
    if (!versions) return false;
    const version = versions.get(keys.block(this.#id, base));
    if (version === undefined) this.#blocks.delete(base);
    else this.#set(base, { ...next, version });
    return true;
  }

  #set(base: Address, known: KnownBlock): void {
    this.#stale.delete(base);
    this.#blocks.set(base, known);
  }

  #blockOp(base: Address, { version }: Known<Block>, text: string): Op {
    const key = keys.block(this.#id, base);
    if (text !== '') return { op: 'set', key, value: text, ifVersion: version };
    if (version === 0) return { op: 'check', key, ifVersion: 0 };
    return { op: 'delete', key, ifVersion: version };
  }

  async #transact(
    base: Address,
    ops: readonly [Op, Op],
    signal?: AbortSignal,
  ): Promise<ReadonlyMap<string, number> | undefined> {
    try {
      const outcome = await this.#context.store.transact(ops, options(signal));
      if (outcome.ok) return outcome.versions;
      this.#conflicts += 1;
      if (outcome.index === 0) this.#pool = undefined;
      else this.forget(base);
      return undefined;
    } catch (error) {
      // Unknown whether it was written: nothing remembered can be trusted.
      this.forgetAll();
      throw error;
    }
  }
}

export function unknownPool(id: string): IpamError {
  return new IpamError(
    { code: 'UNKNOWN_POOL', pool: id },
    `weft has no pool ${id}; remove the network on this host and create it again`,
  );
}

function options(signal: AbortSignal | undefined): { readonly signal?: AbortSignal } {
  return signal ? { signal } : {};
}
