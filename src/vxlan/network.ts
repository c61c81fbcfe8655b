import { type Connection, type Overrun, type RouteEvent } from '../netlink/index.js';
import { Closer } from '../util/index.js';
import { hasErrno } from './errors.js';
import type { Host } from './host.js';
import type { Kernel } from './kernel.js';
import { NetworkLinks, deleteLinks } from './network-links.js';
import { NetworkTables } from './network-tables.js';
import { News } from './news.js';
import type { RowSource } from './rows.js';
import { Tally } from './tally.js';
import type { LocalEndpoint, NetworkSpec, Remote } from './types.js';
import { deleteVeth } from './veth.js';

export interface NetworkDeps {
  readonly host: Host;
  /** Makes room for a VNI that the kernel says is taken, or throws VNI_TAKEN. */
  readonly freeVni: (spec: NetworkSpec) => Promise<void>;
  /** Somebody else changed the kernel: a round is due. */
  readonly onUnwanted: () => void;
}

/** Long enough for our own changes to get where they go, short enough that repair comes within a fraction of a second. */
const SETTLE_MS = 50;

/** There only while br_netfilter is loaded; then each bridged frame would pass through the namespace's iptables. */
const BRIDGE_SYSCTLS = ['iptables', 'ip6tables', 'arptables'].map(
  (name) => `/proc/sys/net/bridge/bridge-nf-call-${name}`,
);

/**
 * One network on this host: its namespace and all in it, desired and observed.
 *
 * The caller runs its methods one after another. They keep desired state as asked for even when the kernel refuses some of
 * it, which the next `round` makes good; only `attach` undoes itself.
 */
export class Network implements AsyncDisposable {
  /** Whether `open` made the namespace. */
  readonly isNew: boolean;
  readonly #deps: NetworkDeps;
  readonly #netnsFd: number;
  readonly #links: NetworkLinks;
  readonly #tables: NetworkTables;
  readonly #news: News;
  readonly #closer: Closer;
  readonly #endpoints = new Map<string, LocalEndpoint>();
  #spec: NetworkSpec;
  #remote: Remote | undefined;
  #isMonitored = false;
  /** Whether what we know of the kernel is what we last saw or made: not after an exchange that broke off. */
  #isKnown = false;

  private constructor(
    deps: NetworkDeps,
    spec: NetworkSpec,
    opened: OpenedNetwork & { readonly conn: Connection; readonly closer: Closer },
  ) {
    const { conn, netnsFd, isNew, closer } = opened;
    this.isNew = isNew;
    this.#deps = deps;
    this.#spec = spec;
    this.#netnsFd = netnsFd;
    this.#closer = closer;
    this.#links = new NetworkLinks({ ...deps, conn, netnsFd }, spec);
    this.#tables = new NetworkTables(conn);
    this.#news = new News(deps.onUnwanted, SETTLE_MS);
    closer.defer(() => {
      this.#news.close();
    });
  }

  /** Opens the network's namespace, made if need be. What is in it is looked at and made right by the first `round`. */
  static async open(deps: NetworkDeps, spec: NetworkSpec): Promise<Network> {
    const { kernel } = deps.host;
    const closer = new Closer();
    try {
      const { netnsFd, isNew } = await openOrCreate(kernel, deps.host.netnsPath(spec.id));
      closer.defer(() => {
        kernel.closeFd(netnsFd);
      });
      const conn = closer.use(await kernel.connect({ netns: netnsFd }));
      return new Network(deps, spec, { conn, netnsFd, isNew, closer });
    } catch (error) {
      await closer.close();
      throw error;
    }
  }

  get spec(): NetworkSpec {
    return this.#spec;
  }

  get endpoints(): ReadonlyMap<string, LocalEndpoint> {
    return this.#endpoints;
  }

  get remote(): Remote | undefined {
    return this.#remote;
  }

  /** Takes effect with the next round, and for endpoints attached from then on. */
  configure(spec: NetworkSpec): void {
    this.#spec = spec;
    this.#links.configure(spec);
  }

  /** Compares all with the kernel's own dump and repairs what differs. Throws when nothing could be done. */
  async round(prune: boolean): Promise<Tally> {
    const tally = new Tally();
    this.#isKnown = false;
    await this.#monitor();
    await this.#writeSysctls();
    await this.#links.repair(prune, tally);
    await this.#tables.observe(this.#links.indexes);
    await this.#tables.set(this.#source(), this.#links.indexes, prune, tally);
    this.#isKnown = true;
    return tally;
  }

  /** Answers what could not be done. */
  async setRemote(remote: Remote): Promise<Tally> {
    this.#remote = remote;
    if (!this.#isKnown) return this.round(false);
    return this.#setTables();
  }

  /** Throws what keeps the endpoint from sending and receiving; then nothing of it is left, if nothing was there before. */
  async attach(endpoint: LocalEndpoint): Promise<void> {
    if (!this.#isKnown) await this.round(false);
    const before = this.#endpoints.get(endpoint.id);
    this.#endpoints.set(endpoint.id, endpoint);
    let isNew = false;
    try {
      isNew = await this.#links.attach(endpoint);
      const isMoved = before !== undefined && !isSame(before, endpoint);
      if (isMoved || this.#isShared(endpoint)) await this.#setTables();
      const tally = new Tally();
      const source = { ...this.#source([endpoint]), remote: undefined };
      await this.#tables.put(source, this.#links.indexes, tally);
      if (tally.errors.length > 0) throw tally.errors[0];
    } catch (error) {
      this.#isKnown = false;
      this.#endpoints.delete(endpoint.id);
      if (before !== undefined) this.#endpoints.set(endpoint.id, before);
      else this.#links.forget(endpoint.id);
      if (isNew) await this.detach(endpoint.id).catch(() => undefined);
      throw error;
    }
  }

  /** Unknown endpoints are fine. Answers what could not be done. */
  async detach(endpointId: string): Promise<Tally> {
    const endpoint = this.#endpoints.get(endpointId);
    this.#endpoints.delete(endpointId);
    await this.#links.detach(endpointId);
    const tally = new Tally();
    if (endpoint === undefined) return tally;
    if (!this.#isKnown) return this.round(false);
    if (this.#isShared(endpoint)) return this.#setTables();
    await this.#tables.remove(endpoint, this.#links.indexes.bridge, tally);
    return tally;
  }

  async #setTables(): Promise<Tally> {
    const tally = new Tally();
    this.#isKnown = false;
    await this.#tables.set(this.#source(), this.#links.indexes, false, tally);
    this.#isKnown = true;
    return tally;
  }

  #source(endpoints: readonly LocalEndpoint[] = [...this.#endpoints.values()]): RowSource {
    const { vtep } = this.#deps.host.underlay;
    return { vtep, mtu: this.#spec.mtu, endpoints, remote: this.#remote };
  }

  /** Whether a row of this endpoint's may be another's as well: one that moves here or from here. */
  #isShared({ id, mac, addresses }: LocalEndpoint): boolean {
    const others = [...this.#endpoints.values()].filter((other) => other.id !== id);
    const sharesAddress = (other: { readonly addresses: LocalEndpoint['addresses'] }) =>
      other.addresses.some((address) => addresses.includes(address));
    return (
      this.#tables.isElsewhere(mac) ||
      others.some((other) => other.mac === mac || sharesAddress(other)) ||
      (this.#remote?.peers.some(sharesAddress) ?? false)
    );
  }

  async #monitor(): Promise<void> {
    if (this.#isMonitored) return;
    const monitor = await this.#deps.host.kernel.monitor({
      netns: this.#netnsFd,
      groups: ['link', 'neighbor'],
      onEvent: (event) => {
        this.#onEvent(event);
      },
      onError: () => {
        this.#isMonitored = false;
        this.#deps.onUnwanted();
      },
    });
    this.#closer.use(monitor);
    this.#isMonitored = true;
  }

  #onEvent(event: RouteEvent | Overrun): void {
    switch (event.type) {
      case 'overrun':
        return this.#deps.onUnwanted();
      case 'link':
        return this.#news.tell(`link ${event.link.name}`, this.#links.agrees(event));
      case 'port':
        return this.#news.tell(`port ${event.port.name}`, this.#links.agrees(event));
      case 'fdb':
      case 'neighbor':
        return this.#news.tell(
          NetworkTables.keyOf(event),
          this.#tables.agrees(event, this.#links.indexes),
        );
      case 'address':
      case 'route':
        return undefined;
    }
  }

  async #writeSysctls(): Promise<void> {
    for (const path of BRIDGE_SYSCTLS) {
      await this.#deps.host.kernel
        .writeInNetns(this.#netnsFd, path, '0')
        .catch((error: unknown) => {
          if (!hasErrno(error, 'ENOENT')) throw error;
        });
    }
  }

  /** Lets go of the network and leaves the kernel as it is. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#closer.close();
  }
}

/** Deletes a network's namespace and all that is ours in it. None is fine. */
export async function deleteNetwork(host: Host, networkId: string): Promise<void> {
  const { kernel } = host;
  const path = host.netnsPath(networkId);
  const conn = await connectTo(host, networkId);
  if (conn !== undefined) {
    await using open = conn;
    await deleteLinks(open);
  }
  await kernel.deleteNetns(path).catch((error: unknown) => {
    if (!hasErrno(error, 'ENOENT')) throw error;
  });
}

/** Deletes an endpoint of a network that nobody opened. None is fine. */
export async function deleteEndpoint(
  host: Host,
  networkId: string,
  endpointId: string,
): Promise<void> {
  const conn = await connectTo(host, networkId);
  if (conn === undefined) return;
  await using open = conn;
  await deleteVeth(open, endpointId);
}

/** Undefined when there is no such namespace; EINVAL: a file that a crash left without one. */
async function connectTo(host: Host, networkId: string): Promise<Connection | undefined> {
  const netns = host.netnsPath(networkId);
  return host.kernel.connect({ netns }).catch((error: unknown) => {
    if (!hasErrno(error, 'ENOENT', 'EINVAL')) throw error;
    return undefined;
  });
}

interface OpenedNetwork {
  readonly netnsFd: number;
  readonly isNew: boolean;
}

async function openOrCreate(kernel: Kernel, path: string): Promise<OpenedNetwork> {
  try {
    await kernel.createNetns(path);
  } catch (error) {
    if (!hasErrno(error, 'EEXIST')) throw error;
    try {
      return { netnsFd: kernel.openNetns(path), isNew: false };
    } catch (bad) {
      if (!hasErrno(bad, 'EINVAL')) throw bad;
      // A crash left the file without its namespace.
      await kernel.deleteNetns(path);
      await kernel.createNetns(path);
    }
  }
  return { netnsFd: kernel.openNetns(path), isNew: true };
}

function isSame(a: LocalEndpoint, b: LocalEndpoint): boolean {
  return a.mac === b.mac && a.addresses.join() === b.addresses.join();
}
