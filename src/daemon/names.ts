import type {
  ClusterView,
  EndpointNames,
  EndpointsDocument,
  HostDocument,
} from '../cluster/index.js';
import { type NamedEndpoint, type NameServer, type Upstream, isLoopback } from '../dns/index.js';
import type { Bindings, EndpointBinding, NetworkBinding } from '../driver/index.js';
import type { Containers, Placement } from './containers.js';

/** How long Join waits at most for the listener in a namespace that is there; it takes a few milliseconds. */
const READY_MS = 1000;

export interface NamesDeps {
  readonly hostId: string;
  readonly server: Pick<
    NameServer,
    | 'setShare'
    | 'changeShare'
    | 'deleteShare'
    | 'keepHosts'
    | 'keep'
    | 'setHosts'
    | 'serve'
    | 'served'
    | 'leave'
  >;
  readonly bindings: Bindings;
  readonly view: Pick<ClusterView, 'hosts'> & {
    endpoints(networkId: string): readonly EndpointsDocument[] | undefined;
  };
  readonly containers: Pick<Containers, 'names' | 'placements' | 'isCompared'>;
  /** Whom containers ask that say nothing of it themselves; none: Docker's resolver. */
  readonly upstreams: readonly Upstream[];
}

/** What one host was last said to have. */
interface Told {
  readonly document: EndpointsDocument;
  readonly isAlive: boolean;
  readonly name: string | undefined;
}

/** What of this host the server was last told of a network: by container's id, what it was made from. */
interface ToldLocal {
  readonly name: string | undefined;
  readonly sources: ReadonlyMap<string, Source>;
}

interface Source {
  readonly bound: EndpointBinding;
  readonly dns: EndpointNames;
}

/**
 * Tells the name server who is called what, here and elsewhere, and whose namespaces to serve: out of Docker's calls as they come, and
 * out of comparisons for what no call says.
 */
export class Names {
  readonly #deps: NamesDeps;
  /** By the namespace's file: the endpoints in it, in the order in which they joined, with Docker's id of their network. */
  readonly #sandboxes = new Map<string, Map<string, string>>();
  /** By the same, where a container wants others than the settings say. */
  readonly #upstreams = new Map<string, readonly Upstream[]>();
  /** By network, then by host. */
  readonly #told = new Map<string, Map<string, Told>>();
  /** By network. */
  readonly #toldLocal = new Map<string, ToldLocal>();
  /** Networks of which the server has forgotten what it was told before this daemon. */
  readonly #swept = new Set<string>();

  constructor(deps: NamesDeps) {
    this.#deps = deps;
  }

  /** The endpoint is in this namespace, which need not be there yet. Resolves when its questions are answered, or soon after. */
  async join(dockerId: string, endpointId: string, sandboxKey: string): Promise<void> {
    const endpoints = this.#sandboxes.get(sandboxKey) ?? new Map<string, string>();
    this.#sandboxes.set(sandboxKey, endpoints);
    endpoints.set(endpointId, dockerId);
    await this.#serve(sandboxKey, endpoints, READY_MS);
  }

  leave(endpointId: string): void {
    for (const [path, endpoints] of this.#sandboxes) {
      if (endpoints.delete(endpointId)) this.#afterLeave(path, endpoints);
    }
  }

  /** What is attached here, or what it is called, is another. */
  tellLocal(dockerId: string): void {
    const binding = this.#deps.bindings.network(dockerId);
    if (binding) this.#tellLocal(binding);
  }

  /** Whom containers want to have asked may be others. */
  followUpstreams(): void {
    for (const { sandboxKey: path, upstreams } of this.#deps.containers.placements()) {
      const endpoints = path === undefined ? undefined : this.#sandboxes.get(path);
      if (path === undefined || !endpoints) continue;
      const before = JSON.stringify(this.#upstreams.get(path));
      if (before === JSON.stringify(upstreams)) continue;
      if (upstreams) this.#upstreams.set(path, upstreams);
      else this.#upstreams.delete(path);
      void this.#serve(path, endpoints, 0);
    }
  }

  /** The server knows no names any more. */
  retell(): void {
    this.#told.clear();
    this.#toldLocal.clear();
    this.#swept.clear();
    this.#tellAll();
    this.#keep();
  }

  /** Brings everything in line with what Docker and the bindings hold. */
  compare(): void {
    const { bindings, containers, server } = this.#deps;
    const ids = new Set(bindings.networks().map(({ network }) => network.id));
    for (const networkId of this.#told.keys()) if (!ids.has(networkId)) this.#forget(networkId);
    this.#tellAll();
    for (const [path, endpoints] of this.#sandboxes) {
      for (const [endpointId, dockerId] of endpoints) {
        if (bindings.endpoint(dockerId, endpointId)) continue;
        endpoints.delete(endpointId);
        this.#afterLeave(path, endpoints);
      }
    }
    const served = new Set(server.served());
    for (const placement of containers.placements()) this.#adopt(placement, served);
    this.followUpstreams();
    this.#keep();
  }

  /** All its networks at once: it may be served already, and is not to miss one meanwhile. */
  #adopt({ sandboxKey: path, endpoints, upstreams }: Placement, served: ReadonlySet<string>): void {
    if (path === undefined) return;
    const known = this.#sandboxes.get(path) ?? new Map<string, string>();
    const missing = endpoints.filter(
      ({ id, networkId }) => !known.has(id) && this.#deps.bindings.endpoint(networkId, id),
    );
    if (missing.length === 0) {
      // The server gave up on it, and it runs.
      if (known.size > 0 && !served.has(path)) void this.#serve(path, known, 0);
      return;
    }
    const all = this.#inOrder([
      ...known,
      ...missing.map(({ id, networkId }): [string, string] => [id, networkId]),
    ]);
    this.#sandboxes.set(path, all);
    if (upstreams) this.#upstreams.set(path, upstreams);
    void this.#serve(path, all, READY_MS);
  }

  /** As they joined; Docker tells them in any order. */
  #inOrder(endpoints: readonly [id: string, dockerId: string][]): Map<string, string> {
    const { bindings } = this.#deps;
    const since = ([id, dockerId]: readonly [string, string]): number =>
      bindings.endpoint(dockerId, id)?.since ?? Number.MAX_SAFE_INTEGER;
    return new Map(endpoints.toSorted((one, other) => since(one) - since(other)));
  }

  /** Once everything of this host is known, what else the server knows of it is from before a restart. */
  #keep(): void {
    const { server, bindings, containers } = this.#deps;
    if (containers.isCompared) server.keep(bindings.networks().map(({ network }) => network.id));
  }

  onHosts(hosts: readonly HostDocument[]): void {
    const all = hosts.map(({ id, name, vtep }) => ({ id, name, address: vtep }));
    this.#deps.server.setHosts(all);
    for (const networkId of this.#told.keys()) this.onRemote(networkId);
  }

  /** What other hosts have on this network, or which of them are alive, is another. */
  onRemote(networkId: string): void {
    const { hostId, view, bindings, server } = this.#deps;
    const binding = bindings.byNetworkId(networkId);
    const documents = view.endpoints(networkId);
    // Not loaded: what was known last is better than nothing.
    if (!binding || documents === undefined) return;
    const { name } = binding.network;
    const alive = new Set(view.hosts().map(({ id }) => id));
    if (alive.size === 0) return; // not loaded either
    const told = this.#toldOf(networkId);
    const left = new Set(told.keys());
    for (const document of documents) {
      const { host } = document;
      if (host === hostId) continue;
      left.delete(host);
      const isAlive = alive.has(host);
      const before = told.get(host);
      const isSame = before?.document === document && before.isAlive === isAlive;
      if (isSame && before.name === name) continue;
      told.set(host, { document, isAlive, name });
      const endpoints = document.endpoints.flatMap((each) =>
        each.dns ? [named(each, each.dns)] : [],
      );
      server.setShare({ network: networkOf(binding), host, isLocal: false, isAlive, endpoints });
    }
    for (const host of left) {
      told.delete(host);
      server.deleteShare(networkId, host);
    }
    if (this.#swept.has(networkId)) return;
    this.#swept.add(networkId);
    server.keepHosts(networkId, [hostId, ...told.keys()]);
  }

  #tellAll(): void {
    for (const binding of this.#deps.bindings.networks()) {
      this.#tellLocal(binding);
      this.onRemote(binding.network.id);
    }
  }

  #tellLocal(binding: NetworkBinding): void {
    const { hostId, server, bindings, containers } = this.#deps;
    // Before, half of it would take the place of all that a process still has.
    if (!containers.isCompared) return;
    const network = networkOf(binding);
    this.#toldOf(network.id);
    const sources = new Map<string, Source>();
    for (const bound of bindings.endpoints(binding.dockerId)) {
      const dns = containers.names(bound.id);
      // None while Docker has not told what it is called.
      if (dns && !sources.has(dns.container)) sources.set(dns.container, { bound, dns });
    }
    const before = this.#toldLocal.get(network.id);
    this.#toldLocal.set(network.id, { name: network.name, sources });
    const share = { network, host: hostId, isLocal: true, isAlive: true };
    const all = [...sources.values()];
    if (!before || before.name !== network.name) {
      server.setShare({ ...share, endpoints: all.map(localName) });
      return;
    }
    const fresh = all.filter((each) => !isSame(each, before.sources.get(each.dns.container)));
    const gone = [...before.sources.keys()].filter((id) => !sources.has(id));
    if (fresh.length === 0 && gone.length === 0) return;
    server.changeShare({ ...share, endpoints: fresh.map(localName) }, gone);
  }

  #forget(networkId: string): void {
    const { server, hostId } = this.#deps;
    for (const host of [hostId, ...(this.#told.get(networkId)?.keys() ?? [])]) {
      server.deleteShare(networkId, host);
    }
    this.#told.delete(networkId);
    this.#toldLocal.delete(networkId);
    this.#swept.delete(networkId);
  }

  #toldOf(networkId: string): Map<string, Told> {
    const told = this.#told.get(networkId) ?? new Map<string, Told>();
    this.#told.set(networkId, told);
    return told;
  }

  #afterLeave(path: string, endpoints: ReadonlyMap<string, string>): void {
    if (endpoints.size > 0) {
      void this.#serve(path, endpoints, 0);
      return;
    }
    this.#sandboxes.delete(path);
    this.#upstreams.delete(path);
    this.#deps.server.leave(path);
  }

  async #serve(
    path: string,
    endpoints: ReadonlyMap<string, string>,
    waitMs: number,
  ): Promise<void> {
    const bound = [...endpoints.values()].flatMap(
      (dockerId) => this.#deps.bindings.network(dockerId) ?? [],
    );
    const networks = bound.map(({ network }) => network.id);
    const upstreams = this.#upstreams.get(path) ?? this.#standard(bound);
    await this.#deps.server.serve({ path, networks, upstreams }, waitMs);
  }

  /** A server on the host would be a way out for who is to have none. */
  #standard(bound: readonly NetworkBinding[]): readonly Upstream[] {
    const { upstreams } = this.#deps;
    if (!bound.every(({ network }) => network.internal)) return upstreams;
    return upstreams.filter(({ address }) => !isLoopback(address));
  }
}

function networkOf({ network: { id, name } }: NetworkBinding): { id: string; name?: string } {
  return name === undefined ? { id } : { id, name };
}

interface Attached {
  readonly addresses: readonly { readonly address: NamedEndpoint['addresses'][number] }[];
}

const localName = ({ bound, dns }: Source): NamedEndpoint => named(bound, dns);

/** Neither is ever changed, only replaced. */
const isSame = (one: Source, other: Source | undefined): boolean =>
  one.bound === other?.bound && one.dns === other.dns;

function named(attached: Attached, dns: EndpointNames): NamedEndpoint {
  const { container: id, names, services, unhealthy = false } = dns;
  const addresses = attached.addresses.map(({ address }) => address);
  const base = { id, names, addresses, isHealthy: !unhealthy };
  return services === undefined ? base : { ...base, services };
}
