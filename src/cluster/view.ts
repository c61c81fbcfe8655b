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
  readonly #networks: Documents<NetworkDocument>;
  readonly #followed = new Map<string, Followed>();
  readonly #loops: Promise<void>[] = [];

  constructor(store: Store, hostId: string, events: ViewEvents) {
    this.#store = store;
    this.#hostId = hostId;
    this.#events = events;
    this.#hosts = new Documents(parseHost, events.onDamage);
    this.#networks = new Documents(parseNetwork, events.onDamage);
  }

  /** Begins to watch; resolves when hosts and networks are loaded once, which is never while the store is away. */
  async start(): Promise<void> {
    const { signal } = this.#aborter;
    const hosts = this.#watch(keys.hosts, this.#hosts, signal, () => {
      this.#events.onHosts([...this.#hosts.values.values()]);
      for (const networkId of this.#followed.keys()) this.#emit(networkId);
    });
    const networks = this.#watch(keys.networks, this.#networks, signal, () => undefined);
    this.#loops.push(hosts.loop, networks.loop);
    await Promise.all([hosts.loaded, networks.loaded]);
  }

  /** Hosts whose lease holds, this one included. */
  hosts(): HostDocument[] {
    return [...this.#hosts.values.values()];
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
      const watch = this.#watch(keys.endpointsOf(networkId), documents, signal, () =>
        this.#emit(networkId),
      );
      followed = { documents, aborter, ...watch };
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

  #emit(networkId: string): void {
    const followed = this.#followed.get(networkId);
    if (!followed) return;
    const live = new Map(this.hosts().map((host) => [host.id, host]));
    const endpoints: RemoteEndpoint[] = [];
    const vteps: Address[] = [];
    for (const document of followed.documents.values.values()) {
      const host = live.get(document.host);
      if (!host || host.id === this.#hostId) continue;
      vteps.push(host.vtep);
      for (const endpoint of document.endpoints) {
        endpoints.push({ ...endpoint, hostName: host.name, vtep: host.vtep });
      }
    }
    this.#events.onRemote(networkId, { endpoints, vteps });
  }
}
