import type { Standing } from '../cluster/index.js';
import type { Bindings, Driver, EndpointBinding, NetworkBinding } from '../driver/index.js';
import type { Ipam } from '../ipam/index.js';
import type { Address, Prefix } from '../net/index.js';
import type { DockerSyncDeps } from './docker-sync.js';
import type { Log } from './log.js';

/** Docker shows an endpoint only some time after it asked for its address. */
const YOUNG_MS = 60_000;
const CALL_MS = 10_000;

type Callbacks = Pick<
  DockerSyncDeps,
  'onNetworkGone' | 'onEndpointGone' | 'onEndpointNamed' | 'onCompared'
>;

export interface ReclaimerDeps {
  readonly bindings: Bindings;
  readonly driver: Driver;
  readonly ipam: Ipam;
  readonly standing: Standing;
  /** Addresses that were in the way are free. */
  readonly onFreed: () => void;
  readonly log: Log;
}

/** Takes back what Docker no longer has: networks, endpoints, addresses. */
export class Reclaimer {
  readonly #deps: ReclaimerDeps;

  constructor(deps: ReclaimerDeps) {
    this.#deps = deps;
  }

  callbacks(): Callbacks {
    return {
      onNetworkGone: async (binding) => this.#networkGone(binding),
      onEndpointGone: async (endpoint) => this.#endpointGone(endpoint),
      onEndpointNamed: async (endpoint, name) => this.#deps.driver.nameEndpoint(endpoint, name),
      onCompared: async () => this.#reclaimAddresses(),
    };
  }

  async #networkGone({ dockerId, network }: NetworkBinding): Promise<void> {
    const { driver, log } = this.#deps;
    log.warn(
      { network: network.id, name: network.name, dockerId },
      'docker has lost a network; removed',
    );
    await driver.forgetNetwork(dockerId);
  }

  async #endpointGone({ dockerId, id }: EndpointBinding): Promise<void> {
    const { driver, log } = this.#deps;
    log.warn({ endpoint: id, dockerId }, 'docker has lost an endpoint; removed');
    await driver.deleteEndpoint(dockerId, id, context());
  }

  async #reclaimAddresses(): Promise<void> {
    const { bindings, ipam, standing, onFreed, log } = this.#deps;
    if (standing.refusal) return; // nothing of this host is its own to compare
    const live = new Map<Prefix, Set<Address>>();
    for (const { dockerId, network } of bindings.networks()) {
      const addresses = bindings.endpoints(dockerId).flatMap((endpoint) => endpoint.addresses);
      for (const { id, prefix } of network.pools) {
        live.set(prefix, new Set(addresses.filter((a) => a.poolId === id).map((a) => a.address)));
      }
    }
    const { signal } = context();
    const { freed, adopted, conflicts, pools } = await ipam.reclaim(live, {
      olderThanMs: YOUNG_MS,
      signal,
    });
    if (freed.length + adopted.length + pools.length > 0) {
      log.info({ freed, adopted, pools }, 'addresses compared with docker');
    }
    if (freed.length > 0) onFreed();
    if (conflicts.length > 0) {
      log.error(
        { conflicts },
        'addresses are in use here and given to others; restart their containers',
      );
    }
  }
}

function context() {
  return { requestId: 'docker-sync', signal: AbortSignal.timeout(CALL_MS) };
}
