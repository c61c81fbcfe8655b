import { Ipam, type IpamError, type IpamOptions, type Occupied } from '../../src/ipam/index.js';
import { type Prefix, parseAddress, parsePrefix } from '../../src/net/index.js';
import type { CallContext } from '../../src/plugin-api/index.js';
import { EmbeddedStore, type Store } from '../../src/store/index.js';
import { FlakyStore } from './flaky-store.js';

export const DEFAULT_RANGES = [parsePrefix('10.192.0.0/10')];

/** A clock that tests move by hand. */
export class Clock {
  ms = Date.UTC(2026, 0, 1);
  readonly now = (): number => this.ms;
}

export function context(signal: AbortSignal = AbortSignal.timeout(20_000)): CallContext {
  return { requestId: 'test', signal };
}

/** One host's ipam, spoken to as Docker does. */
export class IpamHost implements AsyncDisposable {
  readonly name: string;
  readonly store: FlakyStore;
  readonly local: Store;
  readonly occupied: Occupied[] = [];
  readonly reports: IpamError[] = [];
  readonly #options: Partial<IpamOptions>;
  #ipam: Ipam | undefined;

  private constructor(shared: Store, name: string, local: Store, options: Partial<IpamOptions>) {
    this.name = name;
    this.store = new FlakyStore(shared);
    this.local = local;
    this.#options = options;
  }

  static async open(
    shared: Store,
    name: string,
    options: Partial<IpamOptions> = {},
    local: Store = EmbeddedStore.memory(),
  ): Promise<IpamHost> {
    const host = new IpamHost(shared, name, local, options);
    await host.start();
    return host;
  }

  get ipam(): Ipam {
    if (!this.#ipam) throw new Error(`${this.name} is down`);
    return this.#ipam;
  }

  async start(): Promise<void> {
    this.#ipam = await Ipam.open({
      host: this.name,
      store: this.store,
      local: this.local,
      ranges: DEFAULT_RANGES,
      occupied: async () => this.occupied,
      report: (error) => this.reports.push(error),
      patienceMs: 10_000,
      ...this.#options,
    });
  }

  /** Ends the daemon; what is on disk and in the shared store stays. */
  async stop(): Promise<void> {
    const ipam = this.#ipam;
    this.#ipam = undefined;
    await ipam?.[Symbol.asyncDispose]();
  }

  /** RequestPool. */
  async pool(
    wish: {
      readonly subnet?: string;
      readonly range?: string;
      readonly network?: string;
      readonly ipv6?: boolean;
      readonly options?: Readonly<Record<string, string>>;
    } = {},
  ): Promise<{ readonly poolId: string; readonly prefix: Prefix }> {
    const { subnet, range, network, ipv6 = false, options = {} } = wish;
    return this.ipam.requestPool(
      {
        addressSpace: 'weft',
        ...(subnet === undefined ? {} : { prefix: parsePrefix(subnet) }),
        ...(range === undefined ? {} : { subPrefix: parsePrefix(range) }),
        ipv6,
        options: network === undefined ? options : { 'weft.network': network, ...options },
      },
      context(),
    );
  }

  /** All that Docker calls for `docker network create`; returns the pool's id towards Docker. */
  async network(wish: Parameters<IpamHost['pool']>[0] = {}, gateway?: string): Promise<string> {
    const { poolId, prefix } = await this.pool(wish);
    await this.gateway(poolId, gateway);
    await this.created(prefix);
    this.occupied.push({ prefix, what: 'Docker network test' });
    return poolId;
  }

  async created(prefix: Prefix): Promise<void> {
    const [description] = await this.ipam.describe([prefix]);
    await this.ipam.networkCreated([description?.id ?? 'none']);
  }

  /** All that Docker calls for `docker network rm`. */
  async removeNetwork(poolId: string): Promise<void> {
    this.occupied.length = 0;
    await this.ipam.releasePool(poolId, context());
  }

  async gateway(poolId: string, address?: string): Promise<string> {
    const granted = await this.ipam.requestAddress(
      {
        poolId,
        gateway: true,
        ...(address === undefined ? {} : { address: parseAddress(address) }),
      },
      context(),
    );
    return granted.address;
  }

  async address(poolId: string, address?: string): Promise<string> {
    const granted = await this.ipam.requestAddress(
      {
        poolId,
        gateway: false,
        ...(address === undefined ? {} : { address: parseAddress(address) }),
      },
      context(),
    );
    return granted.address;
  }

  /** What Docker calls when a container ends: the endpoint goes first. */
  async release(poolId: string, address: string): Promise<void> {
    await this.ipam.detach(poolId.split('~')[0]!, parseAddress(address), 'none');
    await this.releaseOnly(poolId, address);
  }

  /** ReleaseAddress alone. */
  async releaseOnly(poolId: string, address: string): Promise<void> {
    await this.ipam.releaseAddress(poolId, parseAddress(address), context());
  }

  async reclaim(live: Readonly<Record<string, readonly string[]>>, olderThanMs = 0) {
    const byPrefix = Object.entries(live).map(
      ([prefix, addresses]) => [parsePrefix(prefix), new Set(addresses.map(parseAddress))] as const,
    );
    return this.ipam.reclaim(new Map(byPrefix), {
      olderThanMs,
      signal: AbortSignal.timeout(20_000),
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}
