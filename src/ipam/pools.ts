import { randomBytes } from 'node:crypto';
import { type Prefix, parsePrefix, rangeOf, rangesOverlap } from '../net/index.js';
import type { Entry, Op } from '../store/index.js';
import { type Context, attempt } from './attempts.js';
import { unknownPool } from './block-table.js';
import { Bound } from './bound.js';
import {
  type AskedPool,
  type Decision,
  IN_FLIGHT_MS,
  type OpenGrants,
  type Wish,
  decide,
} from './decide.js';
import {
  type Pool,
  type PoolHost,
  formatPool,
  formatPoolHost,
  formatUla,
  keys,
  parsePool,
  parsePoolHost,
  parseUla,
  prefixOfPoolId,
} from './documents.js';
import { IpamError } from './errors.js';
import { leaveOnce } from './leaving.js';
import type { Occupied } from './prefixes.js';

export interface PoolsOptions {
  /** What pools are chosen from. No IPv6 range among them: this cluster's own ULA. */
  readonly ranges: readonly Prefix[];
  readonly occupied: (signal: AbortSignal) => Promise<readonly Occupied[]>;
  /** The network that a request means, when it names none. */
  readonly expected?: ((asked: AskedPool) => string | undefined) | undefined;
}

/** What this host's memory has of its pools. */
export interface Here {
  readonly open: () => ReadonlyMap<string, OpenGrants>;
  /** True when this host has the pool. */
  readonly has: (id: string) => boolean;
  /** True when endpoints on this host use addresses of the pool. */
  readonly inUse: (id: string) => boolean;
  /** Gives the pool up on this host. */
  readonly retire: (id: string, signal: AbortSignal) => Promise<void>;
}

export interface Grant {
  readonly pool: Pool;
  readonly host: PoolHost;
}

interface Found {
  readonly entry: Entry;
  readonly pool: Pool;
}

/**
 * Pools in the shared store: how they come, are joined, and go.
 *
 * No two pools overlap: each creation rests on a guard key that each creation changes. A pool lives as long as one host has
 * its mark under pool-hosts; a mark is made only while the pool is not closing, and the last one to leave closes the pool
 * and looks again before it deletes anything.
 */
export class Pools {
  readonly #context: Context;
  readonly #options: PoolsOptions;

  constructor(context: Context, options: PoolsOptions) {
    this.#context = context;
    this.#options = options;
  }

  /** Creates or joins what Docker asks for, under a grant with this id. */
  async request(wish: Wish, grant: string, here: Here, signal: AbortSignal): Promise<Grant> {
    const occupied = await this.#options.occupied(signal);
    const what = { what: 'give Docker an address pool', key: keys.poolsGuard, signal };
    let tried: string | undefined;
    return attempt(this.#context, what, async (bounded) => {
      // An outage may have hidden that the last try succeeded.
      const done = tried === undefined ? undefined : await this.#granted(tried, grant, bounded);
      if (done) return done;
      const guard = await this.#context.store.get(keys.poolsGuard, { signal: bounded });
      const found = await this.#readAll(bounded);
      const decision = decide(wish, {
        host: this.#context.host,
        pools: found.map(({ pool }) => pool),
        occupied,
        open: here.open(),
        has: here.has,
        inUse: here.inUse,
        ranges: await this.#ranges(wish, bounded),
        nameOf: this.#context.nameOf,
      });
      if (decision.kind === 'retire') {
        await here.retire(decision.pool.id, bounded);
        return undefined;
      }
      tried = decision.pool.id;
      return this.#carryOut(decision, { grant, guard, found, signal: bounded });
    });
  }

  /** Writes this host's mark, and puts the pool back when the store has lost it. Throws POOL_OVERLAP. */
  async publish(pool: Pool, host: PoolHost, signal: AbortSignal): Promise<Pool> {
    const key = keys.poolHost(pool.id, this.#context.host);
    const mark: Op = { op: 'set', key, value: formatPoolHost(host) };
    const what = { what: `restore pool ${pool.id}`, key, signal };
    return attempt(this.#context, what, async (bounded) => {
      const guard = await this.#context.store.get(keys.poolsGuard, { signal: bounded });
      const found = await this.#readAll(bounded);
      const there = found.find((other) => other.pool.id === pool.id);
      if (there?.pool.closing) return this.#finish(there, bounded);
      if (there && !isSame(there.pool, pool)) throw lost(pool, there.pool);
      if (there) {
        const check: Op = { op: 'check', key: there.entry.key, ifVersion: there.entry.version };
        const { ok } = await this.#context.store.transact([check, mark], { signal: bounded });
        return ok ? there.pool : undefined;
      }
      const bounds = rangeOf(pool.prefix);
      const other = found.find(({ pool: { prefix } }) => rangesOverlap(rangeOf(prefix), bounds));
      if (other) throw lost(pool, other.pool);
      const created = await this.#insert(pool, guard, mark, bounded);
      return created ? pool : undefined;
    });
  }

  /** Puts back the key that creations of pools rest on. */
  async guardAgain(): Promise<void> {
    await this.#context.store.transact([this.#guardOp('-', 0)]);
  }

  /** A network was made of it here. Returns the pool as it is from now on. Throws UNKNOWN_POOL. */
  async settle({ id }: Pool, host: PoolHost, signal: AbortSignal): Promise<Pool> {
    const key = keys.pool(id);
    const what = { what: `note that pool ${id} has a network`, key, signal };
    return attempt(this.#context, what, async (bounded) => {
      const entry = await this.#context.store.get(key, { signal: bounded });
      if (!entry) throw unknownPool(id);
      const pool = { ...parsePool(key, entry.value), settled: true };
      const markKey = keys.poolHost(id, this.#context.host);
      const { ok } = await this.#context.store.transact(
        [
          { op: 'set', key, value: formatPool(pool), ifVersion: entry.version },
          { op: 'set', key: markKey, value: formatPoolHost(host) },
        ],
        { signal: bounded },
      );
      return ok ? pool : undefined;
    });
  }

  /** Docker's name of the network becomes the pool's, unless it has one; other hosts can join by it. */
  async name(id: string, network: string, signal: AbortSignal): Promise<Pool> {
    const key = keys.pool(id);
    return attempt(this.#context, { what: `name pool ${id}`, key, signal }, async (bounded) => {
      const entry = await this.#context.store.get(key, { signal: bounded });
      if (!entry) throw unknownPool(id);
      const pool = parsePool(key, entry.value);
      if (pool.network !== undefined) return pool;
      const named = { ...pool, network };
      const { ok } = await this.#context.store.transact(
        [{ op: 'set', key, value: formatPool(named), ifVersion: entry.version }],
        { signal: bounded },
      );
      return ok ? named : undefined;
    });
  }

  /**
   * `host` has the pool no more; its addresses rest, and the last one takes the pool along. Leaving twice is fine, and so is
   * completing what another host began.
   */
  async leave(id: string, host: string, signal: AbortSignal): Promise<void> {
    const key = keys.pool(id);
    await attempt(this.#context, { what: `give up pool ${id}`, key, signal }, async (bounded) =>
      (await leaveOnce(this.#context, id, host, bounded)) ? true : undefined,
    );
  }

  /** Every pool that `host` has a mark for. */
  async ofHost(host: string, signal: AbortSignal): Promise<Set<string>> {
    const { store } = this.#context;
    const ids = new Set<string>();
    // One read for each pool: all marks of all hosts would be far more.
    for (const { key } of await store.list(keys.pools, { signal })) {
      const id = key.slice(keys.pools.length);
      if (await store.get(keys.poolHost(id, host), { signal })) ids.add(id);
    }
    return ids;
  }

  /** Takes everything from a host that was removed from the cluster. */
  async expel(host: string, signal: AbortSignal): Promise<void> {
    const { store } = this.#context;
    for (const id of await this.ofHost(host, signal)) await this.leave(id, host, signal);
    for (const { key } of await store.list(keys.wantedOf(host), { signal })) {
      await store.transact([{ op: 'delete', key }], { signal });
    }
  }

  /** The pool and this host's mark, when both are there. */
  async find(id: string, signal: AbortSignal): Promise<Grant | undefined> {
    const entry = await this.#context.store.get(keys.pool(id), { signal });
    const mark = await this.#context.store.get(keys.poolHost(id, this.#context.host), { signal });
    if (!entry || !mark) return undefined;
    return { pool: parsePool(entry.key, entry.value), host: this.#parseMark(mark) };
  }

  async #carryOut(
    { kind, pool }: Decision,
    {
      grant,
      guard,
      found,
      signal,
    }: {
      grant: string;
      guard: Entry | undefined;
      found: readonly Found[];
      signal: AbortSignal;
    },
  ): Promise<Grant | undefined> {
    const { store, host: self, now } = this.#context;
    const there = found.find((one) => one.pool.id === pool.id);
    if (kind === 'finish') return there && this.#finish(there, signal);
    const key = keys.poolHost(pool.id, self);
    const before = await store.get(key, { signal });
    const host = withGrant(before && this.#parseMark(before), grant, now());
    const mark: Op = {
      op: 'set',
      key,
      value: formatPoolHost(host),
      ifVersion: before?.version ?? 0,
    };
    if (kind === 'create') {
      return (await this.#insert(pool, guard, mark, signal)) ? { pool, host } : undefined;
    }
    const check: Op = {
      op: 'check',
      key: keys.pool(pool.id),
      ifVersion: there?.entry.version ?? 0,
    };
    const { ok } = await store.transact([check, mark], { signal });
    return ok ? { pool, host } : undefined;
  }

  async #insert(
    pool: Pool,
    guard: Entry | undefined,
    mark: Op,
    signal: AbortSignal,
  ): Promise<boolean> {
    const { closing: _, ...open } = pool;
    const value = formatPool(open);
    const outcome = await this.#context.store.transact(
      [
        this.#guardOp(pool.id, guard?.version ?? 0),
        { op: 'set', key: keys.pool(pool.id), value, ifVersion: 0 },
        mark,
      ],
      { signal },
    );
    return outcome.ok;
  }

  #guardOp(pool: string, ifVersion: number): Op {
    const nonce = randomBytes(4).toString('hex');
    return {
      op: 'set',
      key: keys.poolsGuard,
      value: JSON.stringify({ v: 1, pool, nonce }),
      ifVersion,
    };
  }

  async #granted(id: string, grant: string, signal: AbortSignal): Promise<Grant | undefined> {
    const found = await this.find(id, signal);
    return found?.host.grants[grant] === undefined ? undefined : found;
  }

  /** Waits for whoever closes the pool; does it for them when they do not get on. */
  async #finish({ entry, pool }: Found, signal: AbortSignal): Promise<undefined> {
    const { closing } = pool;
    if (!closing) return undefined;
    if (closing.by !== this.#context.host && (await this.#changes(entry, signal))) return undefined;
    await leaveOnce(this.#context, pool.id, closing.leaving, signal);
    return undefined;
  }

  /** True when the key becomes another within a moment. */
  async #changes({ key, version }: Entry, signal: AbortSignal): Promise<boolean> {
    using moment = new Bound(signal, CLOSING_MS);
    const watch = this.#context.store.watch(key, { signal: moment.signal });
    for await (const { entries } of watch) {
      if (entries.get(key)?.version !== version) return true;
    }
    signal.throwIfAborted();
    return false;
  }

  async #readAll(signal: AbortSignal): Promise<Found[]> {
    const found: Found[] = [];
    for (const entry of await this.#context.store.list(keys.pools, { signal })) {
      const pool = this.#parse(entry);
      if (pool) found.push({ entry, pool });
    }
    return found;
  }

  /** A document that is not ours is reported; its key still says which prefix to keep away from. */
  #parse({ key, value }: Entry): Pool | undefined {
    try {
      return parsePool(key, value);
    } catch (error) {
      if (!(error instanceof IpamError)) throw error;
      this.#context.report(error);
    }
    const id = key.slice(keys.pools.length);
    const prefix = prefixOfPoolId(id);
    if (prefix === undefined) return undefined;
    return { id, prefix, aux: [], createdBy: 'nobody', blockSize: 1, settled: true };
  }

  #parseMark({ key, value }: Entry): PoolHost {
    try {
      return parsePoolHost(key, value);
    } catch (error) {
      if (!(error instanceof IpamError)) throw error;
      this.#context.report(error);
      return { grants: {}, created: false };
    }
  }

  async #ranges({ family, prefix }: Wish, signal: AbortSignal): Promise<readonly Prefix[]> {
    const { ranges } = this.#options;
    if (prefix !== undefined || ranges.some((range) => rangeOf(range).family === family)) {
      return ranges;
    }
    return family === 6 ? [await this.#ula(signal)] : ranges;
  }

  /** The cluster's own range of unique local addresses, with the 40 random bits that RFC 4193 wants. */
  async #ula(signal: AbortSignal): Promise<Prefix> {
    const { store } = this.#context;
    const bits = randomBytes(5).toString('hex');
    const value = formatUla(
      parsePrefix(`fd${bits.slice(0, 2)}:${bits.slice(2, 6)}:${bits.slice(6)}::/48`),
    );
    const there = await store.get(keys.ula, { signal });
    if (there) return parseUla(keys.ula, there.value);
    await store.transact([{ op: 'set', key: keys.ula, value, ifVersion: 0 }], { signal });
    return this.#ula(signal);
  }
}

/** A host that closes a pool is done in milliseconds; one that is not after this long has died. */
const CLOSING_MS = 1000;

/** False for a pool that only happens to have the same prefix. */
function isSame(a: Pool, b: Pool): boolean {
  if (a.range !== b.range || a.blockSize !== b.blockSize) return false;
  return a.createdBy === b.createdBy || (a.network !== undefined && a.network === b.network);
}

/** What an earlier, failed create left behind is dropped; what may still be under way stays. */
function withGrant(before: PoolHost | undefined, grant: string, now: number): PoolHost {
  const kept = Object.entries(before?.grants ?? {}).filter(
    ([, since]) => now - since < IN_FLIGHT_MS,
  );
  return { grants: { ...Object.fromEntries(kept), [grant]: now }, created: false };
}

function lost(pool: Pool, other: Pool): IpamError {
  return new IpamError(
    { code: 'POOL_OVERLAP', pool: pool.prefix, other: other.network ?? other.prefix },
    `the store lost pool ${pool.prefix}, and ${other.network ? `weft network "${other.network}"` : 'another network'} has ${other.prefix} now; remove the network on this host and create it again`,
  );
}
