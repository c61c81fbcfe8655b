import type { Address } from '../net/index.js';
import {
  NETLINK,
  type TrackedConnections,
  deleteLink,
  nft,
  readConnections,
} from '../netlink/index.js';
import { Loop, type Status, joinErrors } from '../reconcile/index.js';
import { Closer, KeyedMutex } from '../util/index.js';
import { VxlanError } from './errors.js';
import { Guard } from './guard.js';
import { type ContainerLink, Host } from './host.js';
import { type Kernel, realKernel } from './kernel.js';
import { containerLink, netnsName } from './names.js';
import { deleteEndpoint, deleteNetwork } from './netns.js';
import { Network, type NetworkDeps } from './network.js';
import { type Entered, type Sandbox, enterSandboxes } from './sandbox.js';
import { Tally, isGone } from './tally.js';
import type {
  Datapath,
  DatapathStatus,
  LocalEndpoint,
  NetworkRules,
  NetworkSpec,
  Remote,
  RoundReport,
  Underlay,
} from './types.js';
import { freeVni } from './vni.js';

export interface DatapathOptions {
  readonly underlay: Underlay;
  /** Folder of the networks' namespaces; default: iproute2's, so that `ip netns` shows them. */
  readonly netnsDir?: string | undefined;
  /** File of the namespace that is the host; default: this process's. */
  readonly hostNetns?: string | undefined;
  /** Told after every round of a network, and every change to one. Must not throw. */
  readonly onStatus?: ((networkId: string, status: Status) => void) | undefined;
  readonly kernel?: Kernel | undefined;
}

/** Opens the kernel's share of this host. What it finds of an earlier run stays until asked for again, or pruned. */
export async function openDatapath(options: DatapathOptions): Promise<KernelDatapath> {
  const { underlay, hostNetns, kernel = realKernel, netnsDir = '/run/netns' } = options;
  const host = await Host.open({ underlay, hostNetns, kernel, netnsDir });
  try {
    return await KernelDatapath.open(host, options.onStatus);
  } catch (error) {
    await host[Symbol.asyncDispose]();
    throw error;
  }
}

/** The loop's key for what all networks share. No network has such an id. */
const HOST = 'host';

export class KernelDatapath implements Datapath {
  readonly #host: Host;
  readonly #guard: Guard;
  readonly #networks = new Map<string, Network>();
  readonly #mutex = new KeyedMutex();
  #onLost: () => void = () => undefined;
  readonly #loop: Loop;
  #isClosed = false;

  private constructor(host: Host, guard: Guard, loop: Loop) {
    this.#host = host;
    this.#guard = guard;
    this.#loop = loop;
    loop.add(HOST);
  }

  /** See {@link openDatapath}. */
  static async open(host: Host, onStatus: DatapathOptions['onStatus']): Promise<KernelDatapath> {
    const round = async (key: string) => (key === HOST ? opened.#guardRound() : opened.#mend(key));
    const loop = new Loop({ round, onStatus });
    const onChange = () => {
      loop.mark(HOST);
    };
    const opened = new KernelDatapath(host, await Guard.open(host, onChange), loop);
    return opened;
  }

  async #mend(networkId: string): Promise<void> {
    await this.#alone(networkId, async (network) => {
      if (network === undefined) return;
      const error = degraded(networkId, await network.mend());
      if (network.lost().length > 0) this.#onLost();
      if (error !== undefined) throw error;
    });
  }

  async #guardRound(): Promise<void> {
    await this.#mutex.run(HOST, async () => {
      if (this.#isClosed) return;
      await this.#guard.round([...this.#networks.values()].map(({ spec }) => spec.vni));
    });
  }

  /** Never stops what called for it: what fails is retried, and seen in the status. */
  async #recordGuard(): Promise<void> {
    try {
      await this.#guardRound();
      this.#loop.record(HOST);
    } catch (error) {
      this.#loop.record(HOST, error);
    }
  }

  async ensureNetwork(spec: NetworkSpec): Promise<void> {
    await this.#alone(spec.id, async (before) => {
      const network = before ?? (await Network.open(this.#depsOf(spec.id), spec));
      this.#host.watchNetns((id) => this.#networks.get(id)?.doubt('all'));
      // From now on its links are wanted: another network that wants its VNI has to yield.
      this.#networks.set(spec.id, network);
      network.configure(spec);
      await this.#recordGuard();
      try {
        const tally = await network.round(false);
        this.#loop.add(spec.id);
        this.#record(network, tally);
      } catch (error) {
        if (before === undefined) await this.#drop(network);
        else this.#loop.record(spec.id, error);
        throw error;
      }
    });
  }

  async deleteNetwork(networkId: string): Promise<void> {
    await this.#alone(networkId, async (network) => {
      this.#networks.delete(networkId);
      await network?.[Symbol.asyncDispose]();
      await deleteNetwork(this.#host, networkId);
      const left = await this.#host.containerLinks();
      await this.#sweep(left.filter((link) => link.networkId === networkId));
    });
    // Not inside: a round that waits for its turn would wait for us.
    if (!this.#networks.has(networkId)) await this.#loop.remove(networkId);
    await this.#recordGuard();
  }

  async ensureEndpoint(
    networkId: string,
    endpoint: LocalEndpoint,
  ): Promise<{ readonly linkName: string }> {
    const linkName = containerLink(endpoint.id);
    await this.#alone(networkId, async (network) => {
      try {
        await known(networkId, network).attach(endpoint);
      } catch (error) {
        this.#loop.mark(networkId);
        throw error;
      }
    });
    return { linkName };
  }

  async deleteEndpoint(networkId: string, endpointId: string): Promise<void> {
    await this.#alone(networkId, async (network) => {
      if (network === undefined) await deleteEndpoint(this.#host, networkId, endpointId);
      else this.#record(network, await network.detach(endpointId));
    });
  }

  /** Endpoints whose link somebody deleted; `ensureEndpoint` makes it anew. */
  lostEndpoints(): ReadonlySet<string> {
    return new Set([...this.#networks.values()].flatMap((network) => network.lost()));
  }

  /** `listener` hears, from now on, that links were found to be lost, and again as long as they are. Must not throw. */
  onLost(listener: () => void): void {
    this.#onLost = listener;
  }

  /** See {@link enterSandboxes}. */
  async enterSandboxes(sandboxes: readonly Sandbox[]): Promise<Entered[]> {
    return enterSandboxes(this.#host, sandboxes);
  }

  async setRemote(networkId: string, remote: Remote): Promise<void> {
    await this.#alone(networkId, async (found) => {
      const network = known(networkId, found);
      this.#record(network, await network.setRemote(remote));
    });
  }

  async keepRules(
    networkId: string,
    table: nft.TableRef,
    without: readonly nft.SetSpec[],
  ): Promise<boolean> {
    return this.#alone(networkId, async (found) =>
      known(networkId, found).keepRules(table, without),
    );
  }

  /** Hears of packets that a network's rules log; see nft.openPacketLog, for all it throws too. */
  async openPacketLog(
    networkId: string,
    options: Omit<nft.PacketLogOptions, 'netns'>,
  ): Promise<Disposable> {
    return this.#alone(networkId, async (found) =>
      nft.openPacketLog({ ...options, netns: known(networkId, found).netnsFd }),
    );
  }

  /** The connections of a network with rules that this host's kernel knows, if they are at most `max`; others have none. */
  async connections(networkId: string, max: number): Promise<TrackedConnections> {
    // Nothing else about the network waits until they are read.
    await using conn = await this.#alone(networkId, async (found) =>
      this.#host.kernel.connect({
        netns: known(networkId, found).netnsFd,
        protocol: NETLINK.NETFILTER,
      }),
    );
    return await readConnections(conn, max);
  }

  async setRules(networkId: string, rules: NetworkRules): Promise<void> {
    await this.#alone(networkId, async (found) => {
      const network = known(networkId, found);
      const tally = await network.setRules(rules);
      this.#record(network, tally);
      const error = degraded(networkId, tally);
      if (error !== undefined) throw error;
    });
  }

  async setKnownVteps(vteps: readonly Address[]): Promise<void> {
    this.#guard.vteps = vteps;
    await this.#recordGuard();
  }

  async setUnderlay(underlay: Underlay): Promise<void> {
    this.#host.underlay = underlay;
    await this.#recordGuard();
  }

  async reconcile({ prune }: { readonly prune: boolean }): Promise<RoundReport[]> {
    const reports: RoundReport[] = [];
    await this.#recordGuard();
    for (const networkId of this.#networks.keys()) {
      const report = await this.#alone(networkId, async (network) => {
        if (network === undefined) return undefined;
        const start = performance.now();
        const tally = await network.round(prune).catch((error: unknown) => failed(error));
        this.#record(network, tally);
        const { created, changed, deleted } = tally;
        return { networkId, created, changed, deleted, durationMs: performance.now() - start };
      });
      if (report !== undefined) reports.push(report);
    }
    if (prune) reports.push(...(await this.#prune()));
    return reports;
  }

  /** What there is, and how it is doing. */
  inspect(): DatapathStatus {
    const networks = [...this.#networks.values()].map(({ spec, endpoints, remote }) => ({
      spec,
      endpoints: endpoints.size,
      peers: remote?.peers.length,
      status: this.#loop.status(spec.id) ?? pending,
    }));
    return { guard: this.#loop.status(HOST) ?? pending, networks };
  }

  /** Deletes networks on disk that nobody wants, and container ends of endpoints that nobody wants. */
  async #prune(): Promise<RoundReport[]> {
    const reports: RoundReport[] = [];
    for (const networkId of await this.#host.networksOnDisk()) {
      const start = performance.now();
      const isDeleted = await this.#alone(networkId, async (network) => {
        if (network !== undefined) return false;
        await deleteNetwork(this.#host, networkId);
        return true;
      });
      const durationMs = performance.now() - start;
      if (isDeleted) reports.push({ networkId, created: 0, changed: 0, deleted: 1, durationMs });
    }
    await this.#sweep(await this.#host.containerLinks());
    return reports;
  }

  /** Deletes those of the links whose endpoint nobody wants. */
  async #sweep(links: readonly ContainerLink[]): Promise<void> {
    const wanted = new Set<string>();
    for (const { endpoints } of this.#networks.values()) {
      for (const id of endpoints.keys()) wanted.add(containerLink(id));
    }
    const unwanted = links.filter(({ link }) => !wanted.has(link.name));
    const outcomes = await this.#host.conn.request(
      unwanted.map(({ link }) => deleteLink(link.ifindex)),
    );
    const error = outcomes.find((outcome) => outcome !== undefined && !isGone(outcome));
    if (error !== undefined) throw error;
  }

  async #alone<T>(networkId: string, fn: (network: Network | undefined) => Promise<T>): Promise<T> {
    netnsName(networkId);
    return this.#mutex.run(networkId, async () => {
      if (this.#isClosed) throw new VxlanError({ code: 'CLOSED' }, 'data path is closed');
      return fn(this.#networks.get(networkId));
    });
  }

  #depsOf(networkId: string): NetworkDeps {
    const host = this.#host;
    const { kernel, conn, netnsDir, underlay } = host;
    const search = { kernel, conn, netnsDir, underlay };
    const isDesired = (id: string) => this.#networks.has(id);
    return {
      host,
      freeVni: async ({ vni }) => freeVni({ ...search, isDesired }, vni, networkId),
      onUnwanted: () => {
        this.#loop.mark(networkId);
      },
    };
  }

  /** Undoes a network that could not be made; one that was there before this process stays. */
  async #drop(network: Network): Promise<void> {
    const { id } = network.spec;
    this.#networks.delete(id);
    await network[Symbol.asyncDispose]();
    if (network.isNew) await deleteNetwork(this.#host, id);
  }

  /** What went well says nothing of what failed before, unless all of it was gone through since. */
  #record(network: Network, tally: Tally): void {
    const { id } = network.spec;
    const error = degraded(id, tally);
    if (error !== undefined || network.isClean) this.#loop.record(id, error);
  }

  /** Lets go of the kernel and leaves all as it is: traffic goes on. Twice is fine. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    await this.#loop.close();
    const closer = new Closer();
    closer.use(this.#host);
    closer.defer(async () => this.#mutex.run(HOST, async () => this.#guard[Symbol.asyncDispose]()));
    for (const [id, network] of this.#networks) {
      closer.defer(async () => this.#mutex.run(id, async () => network[Symbol.asyncDispose]()));
    }
    this.#isClosed = true;
    await closer.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

const pending: Status = { state: 'pending' };

function known(networkId: string, network: Network | undefined): Network {
  if (network !== undefined) return network;
  throw new VxlanError(
    { code: 'UNKNOWN_NETWORK', network: networkId },
    `network ${networkId} is not on this host`,
  );
}

/** What a round left undone, as one error; undefined when that is nothing. */
function degraded(networkId: string, { errors }: Tally): VxlanError | undefined {
  if (errors.length === 0) return undefined;
  const detail = { code: 'DEGRADED', network: networkId, failures: errors.length } as const;
  return new VxlanError(detail, joinErrors(errors), { cause: errors[0] });
}

/** A round that broke off. */
function failed(error: unknown): Tally {
  const tally = new Tally();
  tally.errors.push(error);
  return tally;
}
