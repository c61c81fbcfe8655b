import type { ClusterView, HostDocument } from '../cluster/index.js';
import type { Endpoint, Event, Host, Network, Source, Status } from '../control-api/index.js';
import type { Bindings, EndpointBinding } from '../driver/index.js';
import { familyOf, formatAddressWithLength } from '../net/index.js';
import { VERSION } from '../util/index.js';
import { overlayMtu } from '../vxlan/index.js';
import type { Config } from './config.js';
import type { DockerSync } from './docker-sync.js';
import type { EventLog } from './event-log.js';
import type { Health } from './health.js';
import type { UnderlayChoice } from './underlay.js';

export interface SourceDeps {
  readonly config: Config;
  readonly document: HostDocument;
  readonly underlay: UnderlayChoice;
  readonly bindings: Bindings;
  readonly view: ClusterView;
  readonly sync: DockerSync;
  readonly health: Health;
  readonly events: EventLog;
}

/** What operators may know, from memory. */
export class DaemonSource implements Source {
  readonly #deps: SourceDeps;
  readonly #startedMs = performance.now();

  constructor(deps: SourceDeps) {
    this.#deps = deps;
  }

  status(): Status {
    const { config, document, underlay, bindings, sync, health } = this.#deps;
    const { linkName: underlayLink, vtep, mtu, reason } = underlay;
    const { kind, address } = config.store;
    return {
      host: { id: document.id, name: document.name, vtep, underlayLink, mtu, reason },
      version: VERSION,
      startedAt: document.startedAt,
      uptimeSec: Math.round((performance.now() - this.#startedMs) / 1000),
      store: { kind, ...(kind === 'consul' ? { address } : {}), ...health.store },
      docker: { reachable: sync.isReachable },
      degraded: health.degraded(),
      networks: bindings.networks().length,
      endpoints: bindings.networks().flatMap((n) => bindings.endpoints(n.dockerId)).length,
    };
  }

  networks(): Network[] {
    const { bindings, view, underlay } = this.#deps;
    const own = overlayMtu(underlay.mtu, familyOf(underlay.vtep));
    const known = new Map(view.networks().map((network) => [network.id, network]));
    for (const { network } of bindings.networks()) known.set(network.id, network);
    return [...known.values()].map((network) => {
      const binding = bindings.byNetworkId(network.id);
      const local = binding ? bindings.endpoints(binding.dockerId).length : 0;
      const members = view.endpoints(network.id);
      const remote = members.filter((m) => m.host !== this.#deps.document.id);
      return {
        id: network.id,
        ...(network.name === undefined ? {} : { name: network.name }),
        vni: network.vni,
        pools: network.pools.map((pool) => pool.prefix),
        mtu: network.mtu ?? own,
        internal: network.internal,
        hosts: remote.length + (binding ? 1 : 0),
        endpoints: { local, total: local + remote.flatMap((m) => m.endpoints).length },
        ...(binding ? { dockerNetworkId: binding.dockerId } : {}),
      };
    });
  }

  endpoints(): Endpoint[] {
    const { bindings, view, document } = this.#deps;
    return bindings.networks().flatMap(({ dockerId, network }) => [
      ...bindings.endpoints(dockerId).map((endpoint) => this.#localEndpoint(endpoint, network.id)),
      ...view
        .endpoints(network.id)
        .filter(({ host }) => host !== document.id)
        .flatMap(({ host, endpoints }) =>
          endpoints.map(({ id, mac, addresses }) => ({
            id,
            network: network.id,
            host,
            mac,
            addresses: addresses.map(formatAddressWithLength),
            local: false,
          })),
        ),
    ]);
  }

  hosts(): Host[] {
    const { view, document } = this.#deps;
    const live = new Map(view.hosts().map((host) => [host.id, host]));
    const hosts = live.has(document.id) ? [...live.values()] : [document, ...live.values()];
    return hosts.map(({ id, name, vtep, mtu, version }) => ({
      id,
      name,
      vtep,
      mtu,
      version,
      live: live.has(id),
      self: id === document.id,
    }));
  }

  async events(after: number, waitMs: number): Promise<Event[]> {
    return this.#deps.events.after(after, waitMs);
  }

  #localEndpoint({ id, mac, addresses }: EndpointBinding, network: string): Endpoint {
    const { sync, document } = this.#deps;
    const name = sync.containerName(id);
    return {
      id,
      network,
      host: document.id,
      ...(name ? { name } : {}),
      mac,
      addresses: addresses.map(formatAddressWithLength),
      local: true,
    };
  }
}
