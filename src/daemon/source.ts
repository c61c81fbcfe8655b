import type {
  Announcement,
  ClusterView,
  HostDocument,
  Members,
  NetworkDocument,
} from '../cluster/index.js';
import type {
  Endpoint,
  Event,
  EventLoop,
  Host,
  Network,
  NewNetwork,
  PolicySource,
  Source,
  Status,
} from '../control-api/index.js';
import type { Bindings, EndpointBinding } from '../driver/index.js';
import { familyOf, formatAddressWithLength } from '../net/index.js';
import { VERSION } from '../util/index.js';
import { overlayMtu } from '../vxlan/index.js';
import { type Config, shownAddress } from './config.js';
import { DaemonError } from './errors.js';
import type { DockerSync } from './docker-sync.js';
import type { EventLog } from './event-log.js';
import type { EventLoopWatch } from './event-loop.js';
import type { Health } from './health.js';
import type { Log } from './log.js';
import type { OperatorNetworks } from './operator-networks.js';
import type { UnderlayChoice } from './underlay.js';

/** Freeing what a host had takes seconds; whoever is not done by then goes on in the background. */
const CHANGE_MS = 45_000;

export interface SourceDeps {
  readonly config: Config;
  readonly document: HostDocument;
  readonly underlay: UnderlayChoice;
  readonly bindings: Bindings;
  readonly view: ClusterView;
  readonly members: Members;
  readonly operatorNetworks: OperatorNetworks;
  readonly policies: PolicySource;
  readonly sync: DockerSync;
  readonly health: Health;
  readonly events: EventLog;
  readonly log: Log;
  readonly eventLoop: EventLoopWatch;
}

/** Longest wait for the store, within the 5 s that the command waits for an answer. */
const READ_MS = 3000;

/**
 * What operators may know: from memory, but for who has the networks that this host has not. Nobody watches those; they are
 * read when somebody asks, and unknown while the store is away.
 */
export class DaemonSource implements Source {
  readonly policies: PolicySource;
  readonly #deps: SourceDeps;
  readonly #startedMs = performance.now();

  constructor(deps: SourceDeps) {
    this.#deps = deps;
    this.policies = deps.policies;
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
      store: {
        kind,
        ...(kind === 'consul' ? { address: shownAddress(address) } : {}),
        ...health.store,
      },
      docker: { reachable: sync.isReachable },
      degraded: health.degraded(),
      notes: health.notes(),
      networks: bindings.networks().length,
      endpoints: bindings.networks().flatMap((n) => bindings.endpoints(n.dockerId)).length,
    };
  }

  async networks(): Promise<Network[]> {
    const { bindings, underlay, document } = this.#deps;
    const own = overlayMtu(underlay.mtu, familyOf(underlay.vtep));
    const known = this.#known();
    const membersOf = await this.#members(known);
    return known.map((network) => {
      const binding = bindings.byNetworkId(network.id);
      const local = binding ? bindings.endpoints(binding.dockerId).length : 0;
      const remote = membersOf(network.id)?.filter(({ host }) => host !== document.id);
      return {
        id: network.id,
        ...(network.name === undefined ? {} : { name: network.name }),
        vni: network.vni,
        pools: network.pools.map((pool) => pool.prefix),
        mtu: network.mtu ?? own,
        internal: network.internal,
        hosts: remote ? remote.length + (binding ? 1 : 0) : null,
        endpoints: {
          local,
          total: remote ? local + remote.reduce((sum, { count }) => sum + count, 0) : null,
        },
        ...(binding ? { dockerNetworkId: binding.dockerId } : {}),
      };
    });
  }

  async endpoints(): Promise<Endpoint[]> {
    const { bindings, document } = this.#deps;
    const known = this.#known();
    const membersOf = await this.#members(known);
    const local = bindings
      .networks()
      .flatMap(({ dockerId, network }) =>
        bindings.endpoints(dockerId).map((endpoint) => this.#localEndpoint(endpoint, network.id)),
      );
    const remote = known
      .flatMap(({ id }) => membersOf(id) ?? [])
      .filter(({ host }) => host !== document.id)
      .flatMap(remoteEndpoints);
    return [...local, ...remote];
  }

  hosts(): Host[] {
    const { view, members, document } = this.#deps;
    const live = new Map(view.hosts().map((host) => [host.id, host]));
    const hosts = live.has(document.id) ? [...live.values()] : [document, ...live.values()];
    const away = members
      .all()
      .filter(({ id, removed }) => !removed?.freed && !live.has(id) && id !== document.id)
      .map(({ id, name, removed }) => {
        const missedMs = members.missedMs(id);
        return {
          id,
          name,
          ...(missedMs === undefined ? {} : { awaySec: Math.round(missedMs / 1000) }),
          ...(removed ? { removing: true } : {}),
          live: false,
          self: false,
        };
      });
    const known = hosts.map(({ id, name, vtep, mtu, version }) => ({
      id,
      name,
      vtep,
      mtu,
      version,
      live: live.has(id),
      self: id === document.id,
    }));
    return [...known, ...away];
  }

  async createNetwork(wanted: NewNetwork): Promise<Network> {
    const signal = AbortSignal.timeout(CHANGE_MS);
    const id = await this.#deps.operatorNetworks.create(wanted, signal);
    const made = (await this.networks()).find((network) => network.id === id);
    if (made) return made;
    throw new DaemonError(
      { code: 'NETWORK_UNKNOWN', network: wanted.name },
      `network "${wanted.name}" was made, and removed again by somebody`,
    );
  }

  async removeNetwork(nameOrId: string): Promise<void> {
    await this.#deps.operatorNetworks.remove(nameOrId, AbortSignal.timeout(CHANGE_MS));
  }

  async removeHost(nameOrId: string): Promise<void> {
    await this.#deps.members.remove(nameOrId, AbortSignal.timeout(CHANGE_MS));
  }

  async events(after: number, waitMs: number): Promise<Event[]> {
    return this.#deps.events.after(after, waitMs);
  }

  eventLoop(): EventLoop {
    return this.#deps.eventLoop.read();
  }

  /** What this host has counts also where the store lost it. */
  #known(): NetworkDocument[] {
    const { bindings, view } = this.#deps;
    const known = new Map(view.networks().map((network) => [network.id, network]));
    for (const { network } of bindings.networks()) known.set(network.id, network);
    return [...known.values()];
  }

  /** Who has a network: from memory where this host has it too, else read from the store. Undefined: not known. */
  async #members(
    networks: readonly NetworkDocument[],
  ): Promise<(id: string) => readonly Announcement[] | undefined> {
    const { view } = this.#deps;
    const isWhole = networks.every(({ id }) => view.endpoints(id) !== undefined);
    const elsewhere = isWhole ? undefined : await this.#read();
    return (id) => view.endpoints(id) ?? (elsewhere && (elsewhere.get(id) ?? []));
  }

  async #read(): Promise<Map<string, Announcement[]> | undefined> {
    const { health, view, log } = this.#deps;
    if (!health.store.reachable) return undefined;
    try {
      return await view.readEndpoints({ signal: AbortSignal.timeout(READ_MS) });
    } catch (err) {
      log.warn({ err }, 'networks of other hosts not read; shown as unknown');
      return undefined;
    }
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

function remoteEndpoints({ network, host, endpoints }: Announcement): Endpoint[] {
  return endpoints.map(({ id, mac, addresses, name }) => ({
    id,
    network,
    host,
    ...(name ? { name } : {}),
    mac,
    addresses: addresses.map(formatAddressWithLength),
    local: false,
  }));
}
