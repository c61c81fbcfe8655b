import type {
  ClusterView,
  DockerSettings,
  EndpointNames,
  EndpointRecord,
  NetworkDocument,
  NetworkUser,
  Networks,
  NewNetwork,
} from '../cluster/index.js';
import { rangeOf } from '../net/index.js';
import { Backoff, hasCode } from '../util/index.js';
import type { Bindings, EndpointBinding, NetworkBinding } from './bindings.js';
import { DriverError } from './errors.js';
import { fitNames } from './fit-names.js';
import { Publisher } from './publisher.js';

/** Longest that a call waits for the shared store after the kernel is done; then it goes on in the background. */
const PUBLISH_WAIT_MS = 1000;

/** What the store says may be our own write on its way; what is wrong at several looks in a row is somebody else's doing. */
const DOUBT_MS = 200;
const DOUBTS = 3;

export interface MembershipDeps {
  readonly networks: Networks;
  readonly view: ClusterView;
  readonly bindings: Bindings;
  /** What other hosts are told that this endpoint is called. */
  readonly namesOf: (endpointId: string) => EndpointNames | undefined;
  /** Which labels other hosts are told that its container has. */
  readonly labelsOf?: (endpointId: string) => EndpointRecord['labels'];
  /** Whether Docker has said so of all that runs here; until then other hosts are told what they were told before. */
  readonly areNamesKnown?: () => boolean;
  readonly onError: (networkId: string, error: unknown) => void;
  /** The store has what this host has on a network, but for the names of these containers, for which there was no room. */
  readonly onPublished?: (networkId: string, leftOut: readonly string[]) => void;
  /** The store has lost what this host wrote of a network, and is told again. */
  readonly onLost?: (networkId: string) => void;
  /** Somebody removed a network on this host: everywhere, or only here, since others use it. */
  readonly onRemoved?: (network: RemovedNetwork, usedBy: readonly NetworkUser[]) => void;
}

export interface RemovedNetwork {
  readonly id: string;
  readonly name: string;
}

/**
 * This host's part in the networks of the cluster: it finds or makes them, announces what is attached here, and leaves.
 *
 * What can't be written now is written later: the bindings on disk say what is true, the publisher makes the store agree.
 */
export class Membership implements AsyncDisposable {
  readonly #networks: Networks;
  readonly #view: ClusterView;
  readonly #bindings: Bindings;
  readonly #namesOf: MembershipDeps['namesOf'];
  readonly #labelsOf: NonNullable<MembershipDeps['labelsOf']>;
  readonly #areNamesKnown: () => boolean;
  readonly #publisher: Publisher;
  readonly #onLost: (networkId: string) => void;
  readonly #onPublished: NonNullable<MembershipDeps['onPublished']>;
  readonly #onRemoved: NonNullable<MembershipDeps['onRemoved']>;
  readonly #aborter = new AbortController();
  /** What other hosts are told of an endpoint: the same object for as long as it is the same, which is written at less cost. */
  readonly #records = new WeakMap<EndpointBinding, EndpointRecord>();
  readonly #doubts = new Map<string, NodeJS.Timeout>();
  /** Endpoints that are being made, by id: announced, and not in the bindings before they are there. */
  readonly #arriving = new Map<string, EndpointBinding>();
  #forgotten: Promise<void> = Promise.resolve();

  constructor(deps: MembershipDeps) {
    const { networks, view, bindings, onError, onLost, onPublished, onRemoved } = deps;
    this.#onLost = onLost ?? (() => undefined);
    this.#onPublished = onPublished ?? (() => undefined);
    this.#onRemoved = onRemoved ?? (() => undefined);
    this.#networks = networks;
    this.#view = view;
    this.#bindings = bindings;
    this.#namesOf = deps.namesOf;
    this.#areNamesKnown = deps.areNamesKnown ?? (() => true);
    this.#labelsOf = deps.labelsOf ?? (() => undefined);
    this.#publisher = new Publisher(async (networkId) => this.#settle(networkId), onError);
    view.onOwn((networkId) => this.#doubt(networkId));
  }

  /** The network of that name if there is one and it fits, else a new one; this host has it from then on. Throws NETWORK_MISMATCH. */
  async findOrCreate(wanted: NewNetwork): Promise<NetworkDocument> {
    for (let attempt = 0; ; attempt += 1) {
      const found =
        wanted.name === undefined ? undefined : await this.#networks.findByName(wanted.name);
      if (found) assertSame(found, wanted);
      try {
        if (!found) return await this.#networks.create(wanted);
        return await this.#networks.join(found.id, { signal: this.#aborter.signal });
      } catch (error) {
        // Another host was quicker: with a network of the name, or in removing the one there was.
        const again = hasCode(error, 'NAME_TAKEN') || hasCode(error, 'NETWORK_GONE');
        if (!again || attempt >= 5) throw error;
      }
    }
  }

  /** False when the name is another network's. */
  async name(networkId: string, name: string): Promise<boolean> {
    return this.#networks.name(networkId, name);
  }

  /** Every host is to have this network, which has a name. */
  async announce(networkId: string, docker: DockerSettings): Promise<NetworkDocument> {
    return this.#networks.announce(networkId, docker);
  }

  /** Follows what other hosts announce on this network; resolves when that is known. */
  async follow(networkId: string): Promise<void> {
    await this.#view.follow(networkId);
  }

  /** Makes the store say what the bindings say; true once it does. */
  async publish(networkId: string): Promise<boolean> {
    return this.#publisher.publish(networkId, PUBLISH_WAIT_MS);
  }

  /** Resolves when the store has what was to be published by now, or after a moment. */
  async settled(networkId: string): Promise<void> {
    await this.#publisher.settled(networkId, PUBLISH_WAIT_MS);
  }

  /** Starts to publish without waiting. */
  publishLater(networkId: string): void {
    void this.#publisher.publish(networkId, 0);
  }

  /**
   * Begins to announce an endpoint and makes it meanwhile, since a container's start waits for both; `make` puts it into the
   * bindings. If that throws, what was announced is taken back.
   */
  async arrive(
    networkId: string,
    endpoint: EndpointBinding,
    make: () => Promise<void>,
  ): Promise<void> {
    this.#arriving.set(endpoint.id, endpoint);
    this.publishLater(networkId);
    try {
      await make();
      this.#arriving.delete(endpoint.id);
    } catch (error) {
      this.#arriving.delete(endpoint.id);
      this.publishLater(networkId);
      throw error;
    }
  }

  /**
   * Leaves the networks that this host has by the store and not by the bindings: a crash while one was made leaves such. Waits for the
   * store in the background, and never leaves what is bound by the time it is written.
   */
  leaveForgotten(): void {
    this.#forgotten = this.#leaveForgotten();
  }

  async unfollow(networkId: string): Promise<void> {
    await this.#view.unfollow(networkId);
  }

  pending(): string[] {
    return this.#publisher.pending();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#aborter.abort();
    for (const timer of this.#doubts.values()) clearTimeout(timer);
    await this.#forgotten;
    await this.#publisher[Symbol.asyncDispose]();
  }

  /** The store may not say any more what the bindings say: if so, it is made to. */
  #doubt(networkId: string, looks = 1): void {
    if (this.#doubts.has(networkId) || this.#aborter.signal.aborted) return;
    const look = (): void => {
      this.#doubts.delete(networkId);
      if (!this.#isLost(networkId)) return;
      if (looks < DOUBTS) {
        this.#doubt(networkId, looks + 1);
        return;
      }
      this.publishLater(networkId);
      this.#onLost(networkId);
    };
    this.#doubts.set(networkId, setTimeout(look, DOUBT_MS));
  }

  #isLost(networkId: string): boolean {
    const binding = this.#bindings.byNetworkId(networkId);
    if (!binding || this.pending().includes(networkId)) return false;
    if (!this.#view.isKnown(networkId)) return false;
    const document = this.#view.allNetworks().find(({ id }) => id === networkId);
    if (!document) return true;
    const endpoints = this.#endpointsOf(binding);
    if (document.removed) return endpoints.length > 0;
    const stored = this.#view.own(networkId)?.endpoints;
    return !stored || contentOf(stored) !== contentOf(endpoints);
  }

  /** With those that arrive. */
  #endpointsOf({ dockerId }: NetworkBinding): EndpointBinding[] {
    const bound = this.#bindings.endpoints(dockerId);
    const isArriving = (endpoint: EndpointBinding): boolean =>
      endpoint.dockerId === dockerId && !this.#bindings.endpoint(dockerId, endpoint.id);
    return [...bound, ...[...this.#arriving.values()].filter(isArriving)];
  }

  async #leaveForgotten(): Promise<void> {
    const { signal } = this.#aborter;
    const backoff = new Backoff({ minMs: 1000, maxMs: 30_000 });
    while (!signal.aborted) {
      try {
        const joined = await this.#networks.memberships();
        for (const networkId of joined) {
          if (this.#bindings.byNetworkId(networkId)) continue;
          await this.#bindings.addLeft(networkId);
          this.publishLater(networkId);
        }
        return;
      } catch {
        // The store is away; who watches it says so.
        await backoff.wait(signal).catch(() => undefined);
      }
    }
  }

  async #settle(networkId: string): Promise<void> {
    const binding = this.#bindings.byNetworkId(networkId);
    if (!binding) {
      await this.#leave(networkId);
      this.#onPublished(networkId, []);
      return;
    }
    const { signal } = this.#aborter;
    const told = this.#areNamesKnown() ? [] : await this.#view.readOwn(networkId, { signal });
    const before = new Map(told.map((record) => [record.id, record]));
    const endpoints = this.#endpointsOf(binding).map((endpoint) =>
      this.#recordOf(endpoint, before.get(endpoint.id)),
    );
    const fitting = fitNames(endpoints);
    this.#view.expectOwn(networkId, fitting.endpoints);
    await this.#networks.publish(binding.network, fitting.endpoints, { signal });
    this.#onPublished(networkId, fitting.leftOut);
  }

  /** `told`: what other hosts were told before this daemon, where Docker has said nothing yet. */
  #recordOf(endpoint: EndpointBinding, told: EndpointRecord | undefined): EndpointRecord {
    const { id, mac, addresses, name } = endpoint;
    const dns = this.#namesOf(id) ?? told?.dns;
    const labels = this.#labelsOf(id) ?? told?.labels;
    const before = this.#records.get(endpoint);
    if (before && before.dns === dns && before.labels === labels) return before;
    const record = {
      id,
      mac,
      addresses,
      ...(name && { name }),
      ...(dns !== undefined && { dns }),
      ...(labels !== undefined && { labels }),
    };
    this.#records.set(endpoint, record);
    return record;
  }

  async #leave(id: string): Promise<void> {
    const { signal } = this.#aborter;
    if (this.#bindings.leaving(id) === 'remove') {
      const removal = await this.#networks.remove(id, { signal, leave: true });
      const name = this.#bindings.shunned().get(id) ?? id;
      // What was removed stays away until the view shows that it is: else it would be made here once more.
      if (removal.kind === 'left') await this.#bindings.welcome(id);
      else if (removal.kind === 'removed') this.#onRemoved({ id, name }, []);
      else if (removal.kind === 'in-use') this.#onRemoved({ id, name }, removal.by);
    } else {
      await this.#networks.leave(id, { signal });
    }
    await this.#bindings.forgetLeft(id);
  }
}

/** Endpoints in an order of their own, to tell whether two lists say the same. */
function contentOf(endpoints: readonly EndpointRecord[]): string {
  const lines = endpoints.map(({ id, mac, addresses, name = '' }) =>
    [id, mac, name, ...addresses.map((a) => `${a.address}/${a.prefixLength}`)].join(' '),
  );
  return lines.toSorted().join('\n');
}

function assertSame(found: NetworkDocument, wanted: NewNetwork): void {
  const differences = [
    describe('pools', prefixes(found), prefixes(wanted)),
    describe('internal', found.internal, wanted.internal),
    describe('policy', found.policy ?? 'open', wanted.policy ?? 'open'),
    wanted.mtu === undefined ? undefined : describe('MTU', found.mtu ?? 'automatic', wanted.mtu),
  ].filter((d) => d !== undefined);
  if (differences.length === 0) return;
  const lacksV6 = hasV6(found) && !hasV6(wanted);
  throw new DriverError(
    { code: 'NETWORK_MISMATCH', network: found.name ?? found.id },
    `network "${found.name}" exists with other settings: ${differences.join('; ')}; ` +
      `${lacksV6 ? 'add --ipv6, ' : ''}create it on this host with the same ones, or choose another name`,
  );
}

function hasV6({ pools }: Pick<NetworkDocument, 'pools'>): boolean {
  return pools.some(({ prefix }) => rangeOf(prefix).family === 6);
}

function prefixes({ pools }: Pick<NetworkDocument, 'pools'>): string {
  return pools
    .map((pool) => pool.prefix)
    .toSorted()
    .join(' ');
}

function describe(what: string, there: unknown, here: unknown): string | undefined {
  return there === here ? undefined : `${what} there: ${String(there)}, here: ${String(here)}`;
}
