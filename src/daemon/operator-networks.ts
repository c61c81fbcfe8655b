import { setTimeout as delay } from 'node:timers/promises';
import type { ClusterView, Networks } from '../cluster/index.js';
import type { NewNetwork } from '../control-api/index.js';
import type { DockerEngine } from '../docker/index.js';
import type { Bindings, NetworkBinding } from '../driver/index.js';
import type { ClusterNetworks } from './cluster-networks.js';
import { DaemonError } from './errors.js';
import type { ExpectedNetworks } from './expected-networks.js';
import type { Health } from './health.js';
import { settingsOf } from './new-network.js';

/** What a change sets off on this host is done in a moment; nobody waits longer for it. */
const FOLLOW_MS = 10_000;
const LOOK_EVERY_MS = 25;

export interface OperatorNetworksDeps {
  readonly engine: Pick<DockerEngine, 'createNetwork'>;
  readonly bindings: Bindings;
  readonly view: Pick<ClusterView, 'networks'>;
  readonly networks: Pick<Networks, 'remove' | 'findByName'>;
  readonly clusterNetworks: Pick<ClusterNetworks, 'made' | 'removed' | 'kick' | 'usersText'>;
  readonly expected: Pick<ExpectedNetworks, 'withoutGuess'>;
  readonly health: Health;
}

/** `weft network create` and `rm`: for the whole cluster, from any host. */
export class OperatorNetworks {
  readonly #deps: OperatorNetworksDeps;

  constructor(deps: OperatorNetworksDeps) {
    this.#deps = deps;
  }

  /**
   * Has Docker here make a network, as `docker network create` would, and waits until the cluster knows its name. Answers its id.
   * Throws INVALID_NETWORK, DOCKER_REFUSED with Docker's words, NETWORK_TAKEN when another host made one of that name at the same moment.
   */
  async create(wanted: NewNetwork, signal: AbortSignal): Promise<string> {
    const { engine, bindings, clusterNetworks, expected } = this.#deps;
    const settings = settingsOf(wanted);
    const make = async (): Promise<string> => engine.createNetwork(settings, signal);
    const isBack = [...bindings.shunned().values()].includes(settings.name);
    const dockerId = isBack ? await make() : await expected.withoutGuess(make);
    clusterNetworks.made(dockerId);
    const announced = (): NetworkBinding | undefined =>
      bindings.networks().find(({ network }) => network.docker?.name === settings.name);
    const found = await this.#soon(announced, signal);
    if (found && found.dockerId !== dockerId && !isBack) throw takenMeanwhile(settings.name);
    if (found) return found.network.id;
    const store = this.#deps.health.store.reachable ? '' : ', which is out of reach';
    throw new DaemonError(
      { code: 'NETWORK_NOT_ANNOUNCED', network: settings.name },
      `network "${settings.name}" is on this host, and comes to the others as soon as the store has it${store}`,
    );
  }

  /** Removes a network from every host, by name or id. Throws NETWORK_IN_USE with who uses it, NETWORK_UNKNOWN. */
  async remove(nameOrId: string, signal: AbortSignal): Promise<void> {
    const { networks, bindings, clusterNetworks } = this.#deps;
    const { id, name } = await this.#find(nameOrId);
    const removal = await networks.remove(id, { signal, leave: false });
    if (removal.kind === 'in-use') {
      throw new DaemonError(
        { code: 'NETWORK_IN_USE', network: name },
        `network "${name}" is in use by ${clusterNetworks.usersText(removal.by)}; stop these containers or disconnect them first`,
      );
    }
    // Where it is on this host, its end here tells.
    const isHere = bindings.byNetworkId(id) !== undefined;
    if (removal.kind === 'removed' && !isHere) clusterNetworks.removed({ id, name }, []);
    clusterNetworks.kick();
    await this.#soon(() => (bindings.byNetworkId(id) ? undefined : true), signal);
  }

  async #find(nameOrId: string): Promise<{ readonly id: string; readonly name: string }> {
    const { view, networks } = this.#deps;
    // The view may be behind, or what is here may have been lost by the store: that one comes back by itself.
    const found =
      view.networks().find(({ id, name }) => name === nameOrId || id === nameOrId) ??
      (await networks.findByName(nameOrId));
    if (found) return { id: found.id, name: found.name ?? found.id };
    throw new DaemonError(
      { code: 'NETWORK_UNKNOWN', network: nameOrId },
      `the cluster has no network "${nameOrId}"; "weft network ls" shows those that it has`,
    );
  }

  async #soon<T>(look: () => T | undefined, signal: AbortSignal): Promise<T | undefined> {
    const endsAt = performance.now() + FOLLOW_MS;
    for (;;) {
      const found = look();
      if (found !== undefined || signal.aborted || performance.now() > endsAt) return found;
      await delay(LOOK_EVERY_MS, undefined, { signal }).catch(() => undefined);
    }
  }
}

function takenMeanwhile(network: string): DaemonError {
  return new DaemonError(
    { code: 'NETWORK_TAKEN', network },
    `another host made a network "${network}" at the same moment, and the cluster has that one; "weft network ls" shows it; remove it, or choose another name`,
  );
}
