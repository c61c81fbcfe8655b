import type { Snapshot, Store } from '../store/index.js';
import type { Address, AddressWithLength, Mac } from '../net/index.js';
import {
  type EndpointsDocument,
  type HostDocument,
  type NetworkDocument,
  type Parser,
  keys,
  parseEndpoints,
  parseHost,
  parseNetwork,
} from './documents.js';
import { LiveHosts } from './live-hosts.js';

/** An endpoint on another, live host. */
export interface RemoteEndpoint {
  readonly id: string;
  readonly hostName: string;
  readonly mac: Mac;
  readonly addresses: readonly AddressWithLength[];
  readonly vtep: Address;
}

export interface RemoteState {
  readonly endpoints: readonly RemoteEndpoint[];
  /** Underlay addresses of the other live hosts that have the network. */
  readonly vteps: readonly Address[];
}

export interface ViewEvents {
  /** The live hosts changed, this one included. */
  readonly onHosts: (hosts: readonly HostDocument[]) => void;
  /** What others have on a followed network, complete, after each change. */
  readonly onRemote: (networkId: string, state: RemoteState) => void;
  /** Called at each turn of whether the store can be reached. */
  readonly onReachable: (reachable: boolean) => void;
  /** A document that can't be read; it counts as absent. */
  readonly onDamage: (key: string) => void;
}

/** Parsed documents under one prefix, kept up by a watch. */
class Documents<T> {
  readonly values = new Map<string, T>();
  readonly #parse: Parser<T>;
  readonly #onDamage: (key: string) => void;

  constructor(parse: Parser<T>, onDamage: (key: string) => void) {
    this.#parse = parse;
    this.#onDamage = onDamage;
  }

  /** Parses only what changed. */
  apply({ entries, changed }: Snapshot): void {
    for (const key of changed) {
      const entry = entries.get(key);
      const value = entry && this.#parse(entry.value);
      if (value !== undefined) this.values.set(key, value);
      else this.values.delete(key);
      if (entry && value === undefined) this.#onDamage(key);
    }
  }
}

interface Followed {
  readonly documents: Documents<EndpointsDocument>;
  readonly aborter: AbortController;
  isLoaded: boolean;
  readonly loaded: Promise<void>;
  readonly loop: Promise<void>;
}

/**
 * What the other hosts announce, kept up by watches. While the store is away, the last known state stays.
 */
export class ClusterView implements AsyncDisposable {
  readonly #store: Store;
  readonly #hostId: string;
  readonly #events: ViewEvents;
  readonly #aborter = new AbortController();
  readonly #hosts: Documents<HostDocument>;
  readonly #live: LiveHosts;
  #hostsLoaded = false;
  #recheck: NodeJS.Timeout | undefined;
  readonly #networks: Documents<NetworkDocument>;
  readonly #followed = new Map<string, Followed>();
  readonly #loops: Promise<void>[] = [];

  constructor(store: Store, hostId: string, events: ViewEvents) {
    this.#store = store;
    this.#hostId = hostId;
    this.#events = events;
    this.#hosts = new Documents(parseHost, events.onDamage);
    this.#live = new LiveHosts(hostId);
    this.#networks = new Documents(parseNetwork, events.onDamage);
  }

  /** Begins to watch; resolves when hosts and networks are loaded once, which is never while the store is away. */
  async start(): Promise<void> {
    const { signal } = this.#aborter;
    const hosts = this.#watch(keys.hosts, this.#hosts, signal, () => this.#onHosts());
    const networks = this.#watch(keys.networks, this.#networks, signal, () => undefined);
    this.#loops.push(hosts.loop, networks.loop);
    await Promise.all([hosts.loaded, networks.loaded]);
  }

  /** Hosts that are alive, this one included once it is announced. */
  hosts(): HostDocument[] {
    return this.#live.all();
  }

  networks(): NetworkDocument[] {
    return [...this.#networks.values.values()];
  }

  /** The hosts that have a followed network, with their endpoints; those that are not live included. */
  endpoints(networkId: string): EndpointsDocument[] {
    return [...(this.#followed.get(networkId)?.documents.values.values() ?? [])];
  }

  /** Begins to report a network; resolves when its first state was. Following twice is fine. */
  async follow(networkId: string): Promise<void> {
    let followed = this.#followed.get(networkId);
    if (!followed) {
      const documents = new Documents(parseEndpoints, this.#events.onDamage);
      const aborter = new AbortController();
      const signal = AbortSignal.any([aborter.signal, this.#aborter.signal]);
      const created: Followed = {
        documents,
        aborter,
        isLoaded: false,
        ...this.#watch(keys.endpointsOf(networkId), documents, signal, () => {
          created.isLoaded = true;
          this.#emit(networkId);
        }),
      };
      followed = created;
      this.#followed.set(networkId, followed);
    }
    await followed.loaded;
  }

  async unfollow(networkId: string): Promise<void> {
    const followed = this.#followed.get(networkId);
    this.#followed.delete(networkId);
    followed?.aborter.abort();
    await followed?.loop;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#aborter.abort();
    clearTimeout(this.#recheck);
    await Promise.all([...this.#loops, ...[...this.#followed.values()].map((f) => f.loop)]);
  }

  #watch<T>(
    prefix: string,
    documents: Documents<T>,
    signal: AbortSignal,
    onChange: () => void,
  ): { readonly loaded: Promise<void>; readonly loop: Promise<void> } {
    let load = (): void => undefined;
    const loaded = new Promise<void>((resolve) => (load = resolve));
    const run = async (): Promise<void> => {
      const onState = this.#events.onReachable;
      for await (const snapshot of this.#store.watch(prefix, { signal, onState })) {
        documents.apply(snapshot);
        onChange();
        load();
      }
    };
    return { loaded, loop: run() };
  }

  #onHosts(): void {
    this.#hostsLoaded = true;
    clearTimeout(this.#recheck);
    const againMs = this.#live.update([...this.#hosts.values.values()]);
    if (againMs !== undefined && !this.#aborter.signal.aborted) {
      this.#recheck = setTimeout(() => this.#onHosts(), againMs + 1);
    }
    this.#events.onHosts(this.hosts());
    for (const networkId of this.#followed.keys()) this.#emit(networkId);
  }

  /** Tells nothing before both are known, hosts and endpoints: half of it would look like everybody's end. */
  #emit(networkId: string): void {
    const followed = this.#followed.get(networkId);
    if (!followed?.isLoaded || !this.#hostsLoaded) return;
    const endpoints: RemoteEndpoint[] = [];
    const vteps: Address[] = [];
    for (const document of followed.documents.values.values()) {
      const host = this.#live.get(document.host);
      if (!host || host.id === this.#hostId) continue;
      vteps.push(host.vtep);
      for (const endpoint of document.endpoints) {
        endpoints.push({ ...endpoint, hostName: host.name, vtep: host.vtep });
      }
    }
    this.#events.onRemote(networkId, { endpoints, vteps });
  }
}
