import type { Announcement, HostDocument } from '../cluster/index.js';
import type { Bindings, EndpointBinding, NetworkBinding, Policing } from '../driver/index.js';
import type { Address } from '../net/index.js';
import {
  type Endpoint,
  type EndpointFacts,
  type NetworkPolicies,
  POLICY_TABLE,
  PolicyTable,
  aboutAddresses,
} from '../policy/index.js';
import { Backoff, KeyedMutex } from '../util/index.js';
import type { Datapath } from '../vxlan/index.js';
import type { Health } from './health.js';
import type { KnownPolicies } from './known-policies.js';
import type { Log } from './log.js';

const RETRY = { minMs: 200, maxMs: 10_000 };

export interface EnforcementDeps {
  readonly hostId: string;
  readonly hostName: string;
  readonly policies: KnownPolicies;
  readonly bindings: Bindings;
  readonly view: {
    hosts(): readonly Pick<HostDocument, 'id' | 'name'>[];
    endpoints(networkId: string): readonly Announcement[] | undefined;
  };
  /** What Docker says of a container here, the same object for as long as it says the same; undefined until it has. */
  readonly factsOf: (endpointId: string) => EndpointFacts | undefined;
  /** Whether Docker has said, of all that runs here, what it is. */
  readonly areFactsKnown: () => boolean;
  readonly datapath: Pick<Datapath, 'setRules' | 'keepRules'>;
  /** A network has rules now, or none. */
  readonly onRules: (networkId: string, hasRules: boolean) => void;
  /** Every network here is judged by this version of the policies. */
  readonly onEnforced: (version: number) => void;
  readonly health: Pick<Health, 'set'>;
  readonly log: Pick<Log, 'warn'>;
}

/** What is enforced on one network. */
interface Enforced {
  readonly table: PolicyTable;
  version: number;
  isOpen: boolean;
}

/**
 * Policies from the cluster's texts to the kernel of this host. A network's rules are worked out anew when its policies, its endpoints or
 * what is known of them change: once for all changes that come meanwhile.
 */
export class Enforcement implements Policing, AsyncDisposable {
  readonly #deps: EnforcementDeps;
  readonly #mutex = new KeyedMutex();
  readonly #enforced = new Map<string, Enforced>();
  readonly #dirty = new Set<string>();
  readonly #backoffs = new Map<string, Backoff>();
  readonly #retries = new Map<string, NodeJS.Timeout>();
  readonly #local = new WeakMap<EndpointBinding, Endpoint>();
  /** Of which it is known what other hosts have on them. */
  readonly #told = new Set<string>();
  /** By network whose rules are still those of an earlier run: the endpoints of that time. */
  readonly #kept = new Map<string, ReadonlySet<string>>();
  readonly #remote = new WeakMap<Announcement, Endpoint[]>();
  /** By network and host. */
  readonly #last = new Map<string, readonly Endpoint[]>();
  #hostNames = '';
  #reported = -1;
  #isClosed = false;

  constructor(deps: EnforcementDeps) {
    this.#deps = deps;
  }

  async settle(networkId: string): Promise<void> {
    if (this.#isUntouched(networkId)) return;
    this.#dirty.add(networkId);
    await this.#mutex.run(networkId, async () => {
      if (this.#isClosed || !this.#dirty.delete(networkId)) return;
      try {
        await this.#enforce(networkId);
        this.#done(networkId, undefined);
      } catch (error) {
        this.#done(networkId, error);
        throw error;
      }
    });
    this.#report();
  }

  touch(networkId: string): void {
    // What went wrong is in the status, and tried again.
    this.settle(networkId).catch(() => undefined);
  }

  /** What other hosts have on the network is known, or another. */
  onRemote(networkId: string): void {
    this.#told.add(networkId);
    this.touch(networkId);
  }

  /** Docker has been asked about all that runs here. */
  onCompared(): void {
    for (const networkId of this.#kept.keys()) this.touch(networkId);
  }

  forget(networkId: string): void {
    this.#enforced.delete(networkId);
    this.#kept.delete(networkId);
    this.#told.delete(networkId);
    for (const key of this.#last.keys()) {
      if (key.startsWith(`${networkId} `)) this.#last.delete(key);
    }
    this.#dirty.delete(networkId);
    this.#deps.onRules(networkId, false);
    this.#done(networkId, undefined);
  }

  /** The policies are others; or, at the start, known. Resolves when every packet is judged by them, as far as that succeeds. */
  async onPolicies(): Promise<void> {
    const ids = this.#deps.bindings.networks().map(({ network }) => network.id);
    await Promise.all(ids.map(async (id) => this.settle(id).catch(() => undefined)));
    this.#report();
  }

  /** What hosts are called may be other than before. */
  onHosts(hosts: readonly Pick<HostDocument, 'id' | 'name'>[]): void {
    const names = JSON.stringify(hosts.map(({ id, name }) => `${id} ${name}`).toSorted());
    if (names === this.#hostNames) return;
    this.#hostNames = names;
    for (const networkId of this.#enforced.keys()) this.touch(networkId);
  }

  /** All that decides about the flows of a network, as this host knows it now. */
  network(binding: NetworkBinding): NetworkPolicies {
    const { policies, bindings, view, hostId } = this.#deps;
    const { network, dockerId } = binding;
    const local = bindings.endpoints(dockerId).map((each) => this.#localEndpoint(each));
    const names = new Map(view.hosts().map(({ id, name }) => [id, name]));
    const remote = (view.endpoints(network.id) ?? [])
      .filter(({ host }) => host !== hostId)
      .flatMap((share) => this.#endpointsOf(share, names.get(share.host) ?? share.host));
    return {
      default: network.policy ?? 'open',
      policies: network.name === undefined ? [] : policies.of(network.name),
      endpoints: withoutDoubles([...local, ...remote]),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    for (const timer of this.#retries.values()) clearTimeout(timer);
    await Promise.all([...this.#enforced.keys()].map(async (id) => this.#mutex.run(id, nothing)));
  }

  /** A network that has no rules and gets none costs nothing, whatever comes and goes there. */
  #isUntouched(networkId: string): boolean {
    const { policies, bindings } = this.#deps;
    const enforced = this.#enforced.get(networkId);
    const network = bindings.byNetworkId(networkId)?.network;
    if (!enforced?.isOpen || !network || network.policy !== undefined) return false;
    if (network.name !== undefined && policies.of(network.name).length > 0) return false;
    enforced.version = policies.version;
    return true;
  }

  async #enforce(networkId: string): Promise<void> {
    const { policies, bindings, datapath, onRules, hostName: host } = this.#deps;
    const binding = bindings.byNetworkId(networkId);
    if (!binding) return;
    const { version } = policies;
    if (await this.#keeps(binding)) {
      onRules(networkId, true);
      return;
    }
    const table = this.#enforced.get(networkId)?.table ?? new PolicyTable(host);
    const spec = table.update(this.network(binding));
    await datapath.setRules(networkId, { table: POLICY_TABLE, spec });
    this.#enforced.set(networkId, { table, version, isOpen: spec === undefined });
    onRules(networkId, spec !== undefined);
  }

  /**
   * Whether rules of an earlier run stay. What they rest on is known bit by bit after a start: made from less, they would cut off live
   * traffic. Who comes meanwhile is nobody to them until all is known, whoever had its address before.
   */
  async #keeps({ dockerId, network: { id } }: NetworkBinding): Promise<boolean> {
    const { bindings, datapath, areFactsKnown } = this.#deps;
    const isSettled = this.#enforced.has(id) || (this.#told.has(id) && areFactsKnown());
    if (!isSettled) {
      const endpoints = bindings.endpoints(dockerId);
      const before = this.#kept.get(id) ?? new Set(endpoints.map((each) => each.id));
      const fresh = endpoints.filter((each) => !before.has(each.id));
      const addresses = fresh.flatMap((each) => each.addresses.map(({ address }) => address));
      if (await datapath.keepRules(id, POLICY_TABLE, aboutAddresses(addresses))) {
        this.#kept.set(id, before);
        return true;
      }
    }
    this.#kept.delete(id);
    return false;
  }

  #done(networkId: string, error: unknown): void {
    const { health, log, bindings } = this.#deps;
    clearTimeout(this.#retries.get(networkId));
    this.#retries.delete(networkId);
    const network = bindings.byNetworkId(networkId)?.network;
    const isWrong = error !== undefined && network !== undefined && !this.#isClosed;
    health.set(`POLICY_NOT_ENFORCED ${networkId}`, isWrong ? error : undefined);
    if (!isWrong) {
      this.#backoffs.delete(networkId);
      return;
    }
    const backoff = this.#backoffs.get(networkId) ?? new Backoff(RETRY);
    this.#backoffs.set(networkId, backoff);
    const again = setTimeout(() => this.touch(networkId), backoff.nextMs());
    this.#retries.set(networkId, again);
    log.warn(
      { network: network.name ?? networkId, err: error },
      'policies not enforced; will be retried',
    );
  }

  /** Whether the version that holds here was said, and counts. */
  get hasReported(): boolean {
    return this.#reported === this.#deps.policies.version;
  }

  reportAgain(): void {
    this.#reported = -1;
    this.#report();
  }

  /** Says which version holds here, once it does on every network. */
  #report(): void {
    const { policies, bindings, onEnforced } = this.#deps;
    const { version } = policies;
    const isWhole = bindings
      .networks()
      .every(({ network: { id } }) => this.#enforced.get(id)?.version === version);
    if (!isWhole || version === this.#reported) return;
    this.#reported = version;
    onEnforced(version);
  }

  /** The same object for as long as it says the same. */
  #localEndpoint(binding: EndpointBinding): Endpoint {
    const { factsOf, hostName: host } = this.#deps;
    const facts = factsOf(binding.id);
    const known = this.#local.get(binding);
    if (known && known.facts === facts) return known;
    const { id, addresses } = binding;
    const own = { id, host, addresses: addresses.map(({ address }) => address) };
    const endpoint = facts ? { ...own, facts } : own;
    this.#local.set(binding, endpoint);
    return endpoint;
  }

  /**
   * To read an announcement costs as much as it is long: once each. A host that has just started may not have asked Docker yet: of
   * an endpoint that was known before, what was known holds, for a container's labels never change.
   */
  #endpointsOf(share: Announcement, host: string): Endpoint[] {
    const known = this.#remote.get(share);
    if (known && known[0]?.host === host) return known;
    const key = `${share.network} ${share.host}`;
    const before = new Map(this.#last.get(key)?.map(({ id, facts }) => [id, facts]));
    const endpoints = share.endpoints.map(({ id, addresses, name, dns, labels }): Endpoint => {
      const own = { id, host, addresses: addresses.map(({ address }) => address) };
      const called = dns?.names[0] ?? name;
      const facts =
        labels && called !== undefined
          ? { name: called, labels: new Map(Object.entries(labels)) }
          : before.get(id);
      return facts ? { ...own, facts } : own;
    });
    this.#remote.set(share, endpoints);
    this.#last.set(key, endpoints);
    return endpoints;
  }
}

/** Of two that have one address, as when a container has just moved, the first has it: whoever is here. */
function withoutDoubles(endpoints: readonly Endpoint[]): Endpoint[] {
  const taken = new Set<Address>();
  return endpoints.filter(({ addresses }) => {
    if (addresses.some((address) => taken.has(address))) return false;
    for (const address of addresses) taken.add(address);
    return true;
  });
}

const nothing = async (): Promise<void> => undefined;
