import type { CallOptions, Store } from '../store/index.js';
import type { Address, Mac } from '../net/index.js';
import { Announcement } from './announcement.js';
import { DocumentSet } from './document-set.js';
import { LiveHosts } from './live-hosts.js';
import {
  type EndpointRecord,
  type HostDocument,
  type NetworkDocument,
  keys,
  parseHost,
  parseNetwork,
} from './documents.js';

/** An endpoint on another, live host. */
export interface RemoteEndpoint {
  readonly hostName: string;
  readonly mac: Mac;
  readonly addresses: readonly Address[];
  readonly vtep: Address;
}

export interface RemoteState {
  /** The same object for as long as the endpoint is the same. */
  readonly endpoints: readonly RemoteEndpoint[];
  /** Underlay addresses of the other live hosts that have the network. */
  readonly vteps: readonly Address[];
}

/** None of them may throw. */
export interface ViewEvents {
  /** The live hosts changed, this one included. */
  readonly onHosts: (hosts: readonly HostDocument[]) => void;
  /** What others have on a followed network, complete: first when it is known, then after each change. */
  readonly onRemote: (networkId: string, state: RemoteState) => void;
  /** Called at each turn of whether the store can be reached. */
  readonly onReachable: (reachable: boolean) => void;
  /**
   * A document that can't be read, or is not where it belongs: it counts as absent; but for one that a newer weft wrote, of which
   * what was known before holds.
   */
  readonly onDamage: (key: string, isNewer?: boolean) => void;
}

/** What one other host has on one network, as long as it is live. */
interface Share {
  readonly document: Announcement;
  readonly host: HostDocument;
  readonly endpoints: readonly RemoteEndpoint[];
}

interface Followed {
  readonly documents: DocumentSet<Announcement>;
  /** By host id. */
  readonly shares: Map<string, Share>;
  readonly aborter: AbortController;
  readonly watch: Watch;
  isLoaded: boolean;
  isReported: boolean;
}

interface Watched {
  readonly prefix: string;
  readonly heads?: string;
  readonly signal: AbortSignal;
}

interface Watch {
  /** Resolves when the first snapshot was applied, or the watch ended before. */
  readonly loaded: Promise<void>;
  readonly loop: Promise<void>;
}

/**
 * What the other hosts announce, kept up by watches. While the store is away, the last known state stays; and nothing is
 * reported of a network before both its endpoints and the live hosts are known, so that an adopted data path is never
 * emptied by half the truth.
 */
export class ClusterView implements AsyncDisposable {
  readonly #store: Store;
  readonly #hostId: string;
  readonly #events: ViewEvents;
  readonly #aborter = new AbortController();
  readonly #hosts: DocumentSet<HostDocument>;
  readonly #live: LiveHosts;
  readonly #networks: DocumentSet<NetworkDocument>;
  readonly #followed = new Map<string, Followed>();
  /** By network: what this host has written last, or is about to. */
  readonly #written = new Map<string, Announcement>();
  readonly #hostsLoaded: Promise<void>;
  #onOwn: (networkId: string) => void = () => undefined;
  #onNetworks = (): void => undefined;
  #onHostsLoaded = (): void => undefined;
  #areHostsLoaded = false;
  #recheck: NodeJS.Timeout | undefined;
  #loops: Promise<void>[] = [];

  constructor(store: Store, hostId: string, events: ViewEvents) {
    this.#store = store;
    this.#hostId = hostId;
    this.#events = events;
    this.#live = new LiveHosts(hostId);
    this.#hosts = new DocumentSet(parseHost, ({ id }) => keys.host(id), events.onDamage);
    this.#networks = new DocumentSet(parseNetwork, ({ id }) => keys.network(id), events.onDamage);
    this.#hostsLoaded = new Promise((resolve) => (this.#onHostsLoaded = resolve));
  }

  /**
   * Begins to watch; resolves when hosts, networks and what is followed by now are loaded once, which is not before the store
   * can be reached. Rejects when the view is closed before.
   */
  async start(): Promise<void> {
    const { signal } = this.#aborter;
    const all = { prefix: keys.hosts, signal };
    const hosts = this.#watch(all, this.#hosts, () => this.#updateHosts());
    const made = { prefix: keys.networks, signal };
    const networks = this.#watch(made, this.#networks, (changed) => {
      for (const key of changed) this.#onOwn(key.slice(keys.networks.length));
      if (changed.length > 0) this.#onNetworks();
    });
    this.#loops.push(hosts.loop, networks.loop);
    const followed = [...this.#followed.values()].map(({ watch }) => watch.loaded);
    await Promise.all([hosts.loaded, networks.loaded, ...followed]);
    signal.throwIfAborted();
  }

  /** Hosts that are alive, this one included once it is announced. */
  hosts(): HostDocument[] {
    return this.#live.all();
  }

  /** Those that were removed are not among them. */
  networks(): NetworkDocument[] {
    return this.#networks.values().filter(({ removed }) => !removed);
  }

  /** Also those that were removed. */
  allNetworks(): NetworkDocument[] {
    return this.#networks.values();
  }

  /** `listener` hears, from now on, when a network came, changed or went. Must not throw. */
  onNetworks(listener: () => void): void {
    this.#onNetworks = listener;
  }

  /** The hosts that have a network, with their endpoints, those that are not live included; undefined: not followed, or not loaded yet. */
  endpoints(networkId: string): Announcement[] | undefined {
    const followed = this.#followed.get(networkId);
    return followed?.isLoaded ? followed.documents.values() : undefined;
  }

  /** The same for every network that some host has, followed or not, read from the store now. Throws what the store throws. */
  async readEndpoints(options: CallOptions): Promise<Map<string, Announcement[]>> {
    const members = new Map<string, Announcement[]>();
    for (const { key, value } of await this.#store.list(keys.everyEndpoint, options)) {
      const document = Announcement.parse(value);
      if (!document || keys.endpoints(document.network, document.host) !== key) {
        this.#events.onDamage(key);
        continue;
      }
      document.settle();
      const others = members.get(document.network);
      if (others) others.push(document);
      else members.set(document.network, [document]);
    }
    return members;
  }

  /**
   * `listener` hears, from now on, of networks of which the store says something else now, or says something else of this host on
   * them: by this host's own write, or somebody else's. Must not throw.
   */
  onOwn(listener: (networkId: string) => void): void {
    this.#onOwn = listener;
  }

  /** True once it is known what the store says of this network. */
  isKnown(networkId: string): boolean {
    return this.#followed.get(networkId)?.isLoaded ?? false;
  }

  /** What the store says that this host has on a followed network; undefined: it has not joined, or it is not known yet. */
  own(networkId: string): Announcement | undefined {
    return this.#followed.get(networkId)?.documents.get(keys.endpoints(networkId, this.#hostId));
  }

  /** This host is about to write this: when it is there, it need not be read to be known. */
  expectOwn(networkId: string, endpoints: readonly EndpointRecord[]): void {
    const document = { network: networkId, host: this.#hostId, endpoints };
    this.#written.set(networkId, Announcement.of(document));
  }

  /** The same read from the store now, with what it tells of its endpoints; none: it has not joined. Throws what the store throws. */
  async readOwn(networkId: string, options: CallOptions): Promise<readonly EndpointRecord[]> {
    const entry = await this.#store.get(keys.endpoints(networkId, this.#hostId), options);
    return (entry && Announcement.parse(entry.value))?.endpoints ?? [];
  }

  /** Begins to report a network; resolves when its first state was, or nobody waits for it any more. Following twice is fine. */
  async follow(networkId: string): Promise<void> {
    const { watch, aborter } = this.#followed.get(networkId) ?? this.#begin(networkId);
    await watch.loaded;
    if (!aborter.signal.aborted) await Promise.race([this.#hostsLoaded, watch.loop]);
  }

  async unfollow(networkId: string): Promise<void> {
    const followed = this.#followed.get(networkId);
    this.#followed.delete(networkId);
    this.#written.delete(networkId);
    followed?.aborter.abort();
    await followed?.watch.loop;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#aborter.abort(new Error('the view of the cluster is closed'));
    clearTimeout(this.#recheck);
    const networkIds = [...this.#followed.keys()];
    await Promise.all([...this.#loops, ...networkIds.map(async (id) => this.unfollow(id))]);
  }

  #begin(networkId: string): Followed {
    const keyOf = ({ host }: Announcement): string => keys.endpoints(networkId, host);
    const parse = (text: string): Announcement | undefined => {
      const written = this.#written.get(networkId);
      return written?.text === text ? written : Announcement.parse(text);
    };
    const documents = new DocumentSet(parse, keyOf, this.#events.onDamage);
    const prefix = keys.endpointsOf(networkId);
    const aborter = new AbortController();
    const heads = keys.headsOf(networkId);
    const watched = { prefix, heads, signal: aborter.signal };
    const watch = this.#watch(watched, documents, (changed) => {
      const isFirst = !followed.isLoaded;
      followed.isLoaded = true;
      if (aborter.signal.aborted) return;
      const hostIds = changed.map((key) => key.slice(prefix.length));
      this.#report(networkId, hostIds);
      if (isFirst || hostIds.includes(this.#hostId)) this.#onOwn(networkId);
    });
    const shares = new Map<string, Share>();
    const followed = { documents, shares, aborter, watch, isLoaded: false, isReported: false };
    this.#followed.set(networkId, followed);
    return followed;
  }

  #watch<T>(
    { prefix, ...watched }: Watched,
    documents: DocumentSet<T>,
    onChange: (changed: readonly string[]) => void,
  ): Watch {
    let load = (): void => undefined;
    const loaded = new Promise<void>((resolve) => (load = resolve));
    let isLoaded = false;
    const run = async (): Promise<void> => {
      try {
        const onState = this.#events.onReachable;
        for await (const snapshot of this.#store.watch(prefix, { ...watched, onState })) {
          const first: string[] = [];
          for await (const changed of documents.apply(snapshot)) {
            if (watched.signal.aborted) return;
            if (isLoaded) onChange(changed);
            else first.push(...changed);
          }
          if (!isLoaded) onChange(first);
          isLoaded = true;
          load();
        }
      } finally {
        load();
      }
    };
    return { loaded, loop: run() };
  }

  #updateHosts(): void {
    const before = new Map(this.hosts().map((host) => [host.id, host]));
    const againMs = this.#live.update(this.#hosts.values());
    clearTimeout(this.#recheck);
    if (againMs !== undefined) this.#recheck = setTimeout(() => this.#updateHosts(), againMs + 1);
    const ids = new Set([...before.keys(), ...this.hosts().map(({ id }) => id)]);
    const changed = [...ids].filter((id) => before.get(id) !== this.#live.get(id));
    if (changed.length > 0 || !this.#areHostsLoaded) this.#events.onHosts(this.hosts());
    this.#areHostsLoaded = true;
    for (const networkId of this.#followed.keys()) this.#report(networkId, changed);
    this.#onHostsLoaded();
  }

  /** Brings up to date what these hosts have on the network, and tells when that is another now. */
  #report(networkId: string, hostIds: Iterable<string>): void {
    const followed = this.#followed.get(networkId);
    if (!followed) return;
    let isChanged = false;
    for (const id of hostIds) isChanged = this.#refresh(networkId, followed, id) || isChanged;
    if (!followed.isLoaded || !this.#areHostsLoaded) return;
    if (!isChanged && followed.isReported) return;
    followed.isReported = true;
    const shares = [...followed.shares.values()];
    this.#events.onRemote(networkId, new SharedState(shares));
    for (const { document } of shares) document.settle();
  }

  #refresh(networkId: string, { documents, shares }: Followed, hostId: string): boolean {
    if (hostId === this.#hostId) return false;
    const document = documents.get(keys.endpoints(networkId, hostId));
    const host = this.#live.get(hostId);
    if (!document || !host) return shares.delete(hostId);
    const before = shares.get(hostId);
    const isSameHost = before?.host.vtep === host.vtep && before.host.name === host.name;
    if (isSameHost && before.document === document) return false;
    const { vtep, name: hostName } = host;
    const known = new Map(isSameHost ? before.endpoints.map((each) => [each.mac, each]) : []);
    const endpoints = document.endpoints.map((record): RemoteEndpoint => {
      const each = remoteOf(record, hostName, vtep);
      const same = known.get(record.mac);
      return same !== undefined && isSame(same, each) ? same : each;
    });
    shares.set(hostId, { document, host, endpoints });
    return true;
  }
}

/** Put together when somebody reads it: of several states in quick succession only the last is wanted. */
class SharedState implements RemoteState {
  readonly #shares: readonly Share[];
  #endpoints: readonly RemoteEndpoint[] | undefined;

  constructor(shares: readonly Share[]) {
    this.#shares = shares;
  }

  get endpoints(): readonly RemoteEndpoint[] {
    return (this.#endpoints ??= this.#shares.flatMap(({ endpoints }) => endpoints));
  }

  get vteps(): readonly Address[] {
    return this.#shares.map(({ host }) => host.vtep);
  }
}

/** Only what forwarding needs: there may be 50,000, and whoever wants an id or a name has it from the announcement. */
function remoteOf(
  { mac, addresses }: EndpointRecord,
  hostName: string,
  vtep: Address,
): RemoteEndpoint {
  return { mac, addresses: addresses.map(({ address }) => address), hostName, vtep };
}

function isSame(a: RemoteEndpoint, b: RemoteEndpoint): boolean {
  return a.mac === b.mac && a.addresses.join() === b.addresses.join();
}
