import type { Bindings, Driver } from '../driver/index.js';
import type { KernelDatapath, Sandbox } from '../vxlan/index.js';
import type { Placement } from './containers.js';
import type { EventLog } from './event-log.js';

/** Docker moves a new endpoint's link by itself, and well before this. */
const YOUNG_MS = 60_000;

export interface SandboxLinksDeps {
  readonly bindings: Bindings;
  readonly datapath: Pick<KernelDatapath, 'enterSandboxes' | 'lostEndpoints'>;
  readonly driver: () => Pick<Driver, 'relink'>;
  readonly events: Pick<EventLog, 'add'>;
  readonly clock?: () => number;
}

/**
 * Gives containers that run the links that they lost: because somebody deleted them, or a network's namespace while no daemon ran.
 * What is made anew waits in the host's namespace, and Docker would take it only with a restart of the container.
 */
export class SandboxLinks {
  readonly #deps: SandboxLinksDeps;
  /** Endpoints whose link could not be brought in, which is said once. */
  readonly #outside = new Set<string>();
  #running = Promise.resolve();

  constructor(deps: SandboxLinksDeps) {
    this.#deps = deps;
  }

  /** What Docker says runs where. One look after another. */
  async look(placements: readonly Placement[]): Promise<void> {
    this.#running = this.#running.then(async () => this.#enter(placements)).catch(() => undefined);
    return this.#running;
  }

  async #enter(placements: readonly Placement[]): Promise<void> {
    const { bindings, datapath, events } = this.#deps;
    const relinked = await this.#relink(placements);
    const now = (this.#deps.clock ?? Date.now)();
    const lost = new Map<string, { readonly network: string; readonly name: string }>();
    const placed = placements.flatMap(({ sandboxKey: path, endpoints }) =>
      endpoints.flatMap(({ id, networkId }) => {
        const binding = bindings.endpoint(networkId, id);
        const network = bindings.network(networkId)?.network;
        if (!path || !binding || !network) return [];
        const age = now - binding.since;
        // Below zero: the clock was set back since.
        if (age >= 0 && age < YOUNG_MS && !relinked.has(id)) return [];
        lost.set(id, { network: network.name ?? network.id, name: binding.name ?? id });
        return [{ path, binding }];
      }),
    );
    for (const id of this.#outside) if (!lost.has(id)) this.#outside.delete(id);
    if (placed.length === 0) return;
    // In the order in which Docker joined them, so that each gets the name that Docker remembers.
    const inOrder = placed.toSorted((a, b) => a.binding.since - b.binding.since);
    const sandboxes = inOrder.map(({ path, binding: { id, addresses } }): Sandbox => {
      return { endpointId: id, path, addresses };
    });
    for (const { endpointId, error } of await datapath.enterSandboxes(sandboxes)) {
      const { network, name } = lost.get(endpointId)!;
      if (error === undefined) {
        this.#outside.delete(endpointId);
        const text = `container ${name} had lost its link to network ${network}; it has a new one`;
        events.add({ code: 'LINK_RESTORED', network, text });
      } else if (!this.#outside.has(endpointId)) {
        this.#outside.add(endpointId);
        const text = `container ${name} has lost its link to network ${network}; disconnect and connect it, or restart it`;
        events.add({ code: 'LINK_LOST', level: 'warn', network, text }, error);
      }
    }
  }

  /** Makes the lost links of containers that run; answers of which endpoints. */
  async #relink(placements: readonly Placement[]): Promise<ReadonlySet<string>> {
    const { datapath, driver } = this.#deps;
    const lost = datapath.lostEndpoints();
    const relinked = new Set<string>();
    if (lost.size === 0) return relinked;
    for (const { id, networkId } of placements.flatMap(({ endpoints }) => endpoints)) {
      if (!lost.has(id)) continue;
      // What can't be made is in the status until it can.
      const isMade = await driver()
        .relink(networkId, id)
        .then(
          () => true,
          () => false,
        );
      if (isMade) relinked.add(id);
    }
    return relinked;
  }
}
