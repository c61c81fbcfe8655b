import { randomBytes } from 'node:crypto';
import type { Address, AddressWithLength, Prefix } from '../net/index.js';
import type {
  CallContext,
  IpamDriver,
  PoolGrant,
  RequestAddressRequest,
  RequestPoolRequest,
} from '../plugin-api/index.js';
import type { Store } from '../store/index.js';
import { KeyedMutex } from '../util/index.js';
import { type Context, unavailable, isOutage } from './attempts.js';
import { unknownPool } from './block-table.js';
import { OPEN_GRANT_MS, type OpenGrants, openGrants, parseWish } from './decide.js';
import { damagedDocument, isNetworkName, keys, parseGrantedId, poolIdOf } from './documents.js';
import { HostPool } from './host-pool.js';
import { LocalPool } from './local-pool.js';
import { type IpamOptions, contextOf } from './options.js';
import { type Grant, type Here, Pools, type PoolsOptions } from './pools.js';
import { type ReclaimOptions, type ReclaimReport, reclaimAddresses } from './reclaim.js';
import { answerWanted } from './wanted.js';

/** What the driver and people may know of a pool. */
export interface PoolDescription {
  /** The same on every host. */
  readonly id: string;
  readonly prefix: Prefix;
  /** From `--ipam-opt weft.network=NAME`. */
  readonly network?: string;
  readonly gateway?: Address;
}

/** How long after RequestPool an explicit address can be an aux address: CreateNetwork follows within seconds. */
const AUX_WINDOW_MS = OPEN_GRANT_MS;

/** How often everything is read from the store to compare, whether or not anything seems wrong. */
const THOROUGH_MS = 600_000;

/** One at a time: calls about which pools there are. */
const POOLS = 'pools';

/**
 * Docker's IPAM driver on this host.
 *
 * The id of a pool towards Docker is the pool's own and, after a '~', that of the grant: each RequestPool is another grant,
 * so that releases which come late, twice or for a create that failed take back just what they were for.
 */
export class Ipam implements IpamDriver, AsyncDisposable {
  readonly #context: Context;
  readonly #poolStore: Pools;
  readonly #pools = new Map<string, HostPool>();
  /** By pool: address to endpoint. */
  readonly #attached = new Map<string, Map<Address, string>>();
  /** Addresses released while an endpoint had them. */
  readonly #releaseAtDetach = new Set<string>();
  readonly #mutex = new KeyedMutex();
  readonly #aborter = new AbortController();
  #answering: Promise<void> = Promise.resolve();
  readonly #poolsOptions: PoolsOptions;
  readonly #assertMayGive: (signal: AbortSignal) => Promise<void>;
  #comparedAt = -Infinity;

  private constructor(options: IpamOptions) {
    const { ranges, occupied, expected } = options;
    this.#assertMayGive = options.assertMayGive ?? (async () => undefined);
    this.#poolsOptions = { ranges, occupied, expected };
    this.#context = contextOf(options);
    this.#poolStore = new Pools(this.#context, this.#poolsOptions);
  }

  /** Reads this host's disk, and goes on with what was under way. Does not wait for the shared store. */
  static async open(options: IpamOptions): Promise<Ipam> {
    const ipam = new Ipam(options);
    const damaged = (key: string): void => ipam.#context.report(damagedDocument(key));
    for (const local of await LocalPool.load(options.local, damaged)) ipam.#add(local).start();
    ipam.#answering = answerWanted(
      ipam.#context,
      async (id, address, to) => ipam.#pools.get(id)?.handOver(address, to),
      ipam.#aborter.signal,
    ).catch((error: unknown) => ipam.#context.report(unavailable('hear other hosts', error)));
    return ipam;
  }

  async requestPool(request: RequestPoolRequest, { signal }: CallContext): Promise<PoolGrant> {
    await this.#assertMayGive(signal);
    const wish = parseWish(request, this.#poolsOptions.expected);
    const grant = randomBytes(4).toString('hex');
    return this.#mutex.run(POOLS, async () => {
      const granted = await this.#poolStore.request(wish, grant, this.#here, signal);
      await this.#keep(granted);
      return { poolId: `${granted.pool.id}~${grant}`, prefix: granted.pool.prefix };
    });
  }

  async releasePool(poolId: string, { signal }: CallContext): Promise<void> {
    const { id, grant } = parseGrantedId(poolId);
    const pool = await this.#find(id, signal).catch(() => undefined);
    await pool?.dropGrant(grant, signal);
  }

  async requestAddress(
    { poolId, address, gateway }: RequestAddressRequest,
    { signal }: CallContext,
  ): Promise<AddressWithLength> {
    await this.#assertMayGive(signal);
    const { id } = parseGrantedId(poolId);
    const pool = await this.#find(id, signal);
    if (!pool) throw unknownPool(id);
    const { prefixLength } = pool.share.layout;
    if (gateway) return { address: await pool.setAside('gateway', address, signal), prefixLength };
    if (address === undefined) return { address: await pool.request(signal), prefixLength };
    const granted = this.#isBeingCreated(pool)
      ? await pool.setAside('aux', address, signal)
      : await pool.requestNamed(address, signal);
    return { address: granted, prefixLength };
  }

  /** An address that an endpoint still uses is released when it is detached. */
  async releaseAddress(poolId: string, address: Address, { signal }: CallContext): Promise<void> {
    const { id } = parseGrantedId(poolId);
    if (this.#attached.get(id)?.has(address)) {
      this.#releaseAtDetach.add(`${id} ${address}`);
      return;
    }
    const pool = await this.#find(id, signal).catch(() => undefined);
    await pool?.release(address, signal);
  }

  /** The pools with these prefixes, in this order; undefined where this host has none. */
  async describe(prefixes: readonly Prefix[]): Promise<(PoolDescription | undefined)[]> {
    return prefixes.map((prefix) => {
      const pool = this.#pools.get(poolIdOf(prefix))?.local;
      if (!pool?.isMember) return undefined;
      const { id, network, gateway } = pool.pool;
      return {
        id,
        prefix,
        ...(network === undefined ? {} : { network }),
        ...(gateway === undefined ? {} : { gateway }),
      };
    });
  }

  /** The network exists on this host now: its prefixes are final, and explicit addresses are endpoints' from here on. */
  async networkCreated(poolIds: readonly string[]): Promise<void> {
    for (const id of poolIds) {
      const pool = this.#pools.get(id);
      if (!pool?.local.isMember) throw unknownPool(id);
      await pool.networkCreated(async () => {
        const { pool: document, host } = pool.local;
        pool.local.pool = await this.#poolStore.settle(document, host, this.#aborter.signal);
      });
    }
  }

  /** What Docker calls the network: other hosts can join its pools by this name. A pool that has a name keeps it. */
  async networkNamed(poolIds: readonly string[], network: string): Promise<void> {
    if (!isNetworkName(network)) return;
    for (const id of poolIds) {
      const local = this.#pools.get(id)?.local;
      if (!local?.isMember || local.pool.network !== undefined) continue;
      local.pool = await this.#poolStore.name(id, network, this.#aborter.signal);
      await local.save();
    }
  }

  /** This endpoint uses this address. Also to be told of the endpoints that were there before the daemon started. */
  async attach(poolId: string, address: Address, endpointId: string): Promise<void> {
    this.#releaseAtDetach.delete(`${poolId} ${address}`);
    this.#attachedTo(poolId).set(address, endpointId);
    this.#pools.get(poolId)?.share.unsettled.attached(address);
  }

  /** The endpoint is gone, or did not come about. */
  async detach(poolId: string, address: Address, endpointId: string): Promise<void> {
    const attached = this.#attachedTo(poolId);
    if ((attached.get(address) ?? endpointId) !== endpointId) return;
    attached.delete(address);
    this.#pools.get(poolId)?.share.unsettled.ended(address);
    if (!this.#releaseAtDetach.delete(`${poolId} ${address}`)) return;
    await this.#pools.get(poolId)?.release(address, this.#aborter.signal);
  }

  /**
   * Makes the store agree with this host. `live`: for each of Docker's networks here that has its addresses from weft, by
   * prefix, the addresses of its endpoints. Throws STORE_UNAVAILABLE.
   */
  async reclaim(
    live: ReadonlyMap<Prefix, ReadonlySet<Address>>,
    options: ReclaimOptions,
  ): Promise<ReclaimReport> {
    try {
      return await this.#reclaim(live, options);
    } catch (error) {
      throw isOutage(error) ? unavailable('compare addresses with the store', error) : error;
    }
  }

  /** The store may have lost what this host wrote: the next {@link reclaim} reads everything to compare. */
  doubt(): void {
    this.#comparedAt = -Infinity;
  }

  /** The keys of the shared store that this host answers for and that have to be there, and what puts each back. */
  ownKeys(): Map<string, () => void | Promise<void>> {
    const own = new Map<string, () => void | Promise<void>>();
    for (const [id, pool] of this.#pools) {
      const blocks = pool.blocksInStore();
      if (blocks.length === 0) continue;
      // Blocks first: what was in them is forgotten when all of the pool is read anew.
      for (const base of blocks) own.set(keys.block(id, base), async () => pool.blockLost(base));
      const publish = (): void => pool.publishAgain();
      own.set(keys.pool(id), publish);
      own.set(keys.poolHost(id, this.#context.host), publish);
      own.set(keys.poolsGuard, this.#guardAgain);
    }
    return own;
  }

  /** Frees everything of a host that will not come back, or only as a new one. */
  async forgetHost(host: string, { signal }: { readonly signal: AbortSignal }): Promise<void> {
    if (host === this.#context.host) return;
    const ids = await this.#poolStore.ofHost(host, signal);
    for (const id of ids) await this.#poolStore.leave(id, host, signal);
  }

  /** Resolves when nothing is left to write. */
  async idle(): Promise<void> {
    for (const pool of this.#pools.values()) await pool.idle();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#aborter.abort();
    await this.#answering;
    for (const pool of this.#pools.values()) await pool[Symbol.asyncDispose]();
  }

  async #reclaim(
    live: ReadonlyMap<Prefix, ReadonlySet<Address>>,
    options: ReclaimOptions,
  ): Promise<ReclaimReport> {
    const { signal, olderThanMs } = options;
    const now = this.#context.now();
    const cutoff = now - olderThanMs;
    const thorough = now - this.#comparedAt >= THOROUGH_MS;
    const marks = thorough ? await this.#compareMarks(signal) : undefined;
    const report = { freed: [] as Address[], adopted: [] as Address[], conflicts: [] as Address[] };
    const pools: Prefix[] = [];
    for (const pool of this.#pools.values()) {
      const { id, pool: document, host, isMember } = pool.local;
      const addresses = live.get(document.prefix);
      const young = Object.entries(host.grants).filter(([, since]) => since > cutoff);
      if (!isMember) continue;
      if (!addresses && young.length < Object.keys(host.grants).length) {
        if (young.length === 0) pools.push(document.prefix);
        await pool.dropGrants(Object.fromEntries(young), signal);
      } else if (addresses) {
        if (marks && !marks.has(id)) pool.publishAgain();
        const done = await reclaimAddresses(pool, addresses, { ...options, thorough });
        report.freed.push(...done.freed);
        report.adopted.push(...done.adopted);
        report.conflicts.push(...done.conflicts);
      }
    }
    if (thorough) this.#comparedAt = now;
    return { ...report, pools };
  }

  /**
   * Takes everything from a host that was removed from the cluster: its addresses rest, its blocks are nobody's, pools that
   * it was the last one to have are gone. `store`: what each write goes through. Repeating it is fine.
   */
  async expel(host: string, store: Store, signal: AbortSignal): Promise<void> {
    await new Pools({ ...this.#context, store }, this.#poolsOptions).expel(host, signal);
  }

  /** This host was removed from the cluster and joins again: nothing is reserved for it, and no container here has an address. */
  async startOver(): Promise<void> {
    for (const pool of this.#pools.values()) await pool.startOver();
  }

  /** The pools that this host has by the store; those that it has forgotten itself it remembers. */
  async #compareMarks(signal: AbortSignal): Promise<ReadonlySet<string>> {
    const marks = await this.#poolStore.ofHost(this.#context.host, signal);
    for (const id of marks) await this.#find(id, signal);
    return marks;
  }

  /** This host's part in a pool; from the store when the disk has forgotten it. */
  async #find(id: string, signal: AbortSignal): Promise<HostPool | undefined> {
    const known = this.#pools.get(id);
    if (known) return known;
    try {
      return await this.#mutex.run(POOLS, async () => {
        const granted = await this.#poolStore.find(id, signal);
        if (granted && !this.#pools.has(id)) await this.#keep(granted);
        return this.#pools.get(id);
      });
    } catch (error) {
      throw isOutage(error) ? unavailable(`find pool ${id}`, error) : error;
    }
  }

  /** Remembers what the store granted, on disk. */
  async #keep({ pool, host }: Grant): Promise<void> {
    const known = this.#pools.get(pool.id);
    const before = known?.local.pool;
    if (known && before?.blockSize === pool.blockSize && before.range === pool.range) {
      await known.rejoin(pool, host);
      return;
    }
    // Another pool than before, though of the same prefix: what the old one still has to say is about nothing.
    known?.abandon();
    const local = new LocalPool(this.#context.local, pool, host);
    await local.save();
    this.#add(local);
  }

  #add(local: LocalPool): HostPool {
    const pool = new HostPool({
      context: this.#context,
      local,
      attached: this.#attachedTo(local.id),
      publish: async (_, signal) =>
        this.#mutex.run(POOLS, async () => {
          local.pool = await this.#poolStore.publish(local.pool, local.host, signal);
        }),
      leave: async (left, signal) => this.#leave(left, signal),
    });
    this.#pools.set(local.id, pool);
    return pool;
  }

  async #leave(pool: HostPool, signal: AbortSignal): Promise<void> {
    await this.#mutex.run(POOLS, async () => {
      // Unless it was granted again meanwhile, or has been left.
      const isCurrent = this.#pools.get(pool.local.id) === pool;
      if (isCurrent && !pool.local.isMember) await this.#giveUp(pool.local.id, signal);
    });
  }

  async #giveUp(id: string, signal: AbortSignal): Promise<void> {
    await this.#pools.get(id)?.withdraw();
    await this.#poolStore.leave(id, this.#context.host, signal);
    await this.#pools.get(id)?.local.remove();
    this.#pools.delete(id);
  }

  /** Aux addresses come between RequestPool and CreateNetwork, and look like an endpoint's `--ip`. */
  #isBeingCreated({ local: { host } }: HostPool): boolean {
    const youngest = Math.max(...Object.values(host.grants));
    return !host.created && this.#context.now() - youngest < AUX_WINDOW_MS;
  }

  readonly #guardAgain = async (): Promise<void> => this.#poolStore.guardAgain();

  readonly #here: Here = {
    open: () => this.#openGrants(),
    has: (id) => this.#pools.get(id)?.local.isMember ?? false,
    inUse: (id) => (this.#attached.get(id)?.size ?? 0) > 0,
    retire: async (id, signal) => this.#giveUp(id, signal),
  };

  #openGrants(): Map<string, OpenGrants> {
    const hosts = [...this.#pools].map(([id, { local }]) => [id, local.host] as const);
    return openGrants(hosts, this.#context.now());
  }

  #attachedTo(id: string): Map<Address, string> {
    let attached = this.#attached.get(id);
    if (!attached) this.#attached.set(id, (attached = new Map()));
    return attached;
  }
}
