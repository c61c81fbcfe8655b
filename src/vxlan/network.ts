import { NETLINK, type RouteEvent, type nft } from '../netlink/index.js';
import { Closer, allDone } from '../util/index.js';
import { SPOOF_TABLE, type Sender } from './anti-spoof.js';
import { VxlanError, hasErrno } from './errors.js';
import type { Host } from './host.js';
import { portLink } from './names.js';
import { openOrCreateNetns, restoreNetnsFile } from './netns.js';
import { NetworkLinks } from './network-links.js';
import { NetworkTables } from './network-tables.js';
import type { RowSource } from './rows.js';
import { Rules, isTable } from './rules.js';
import { Senders } from './senders.js';
import { Tally } from './tally.js';
import type { LocalEndpoint, NetworkRules, NetworkSpec, Peer, Remote } from './types.js';
import { type Suspect, Watch } from './watch.js';

export interface NetworkDeps {
  readonly host: Host;
  /** Makes room for a VNI that the kernel says is taken, or throws VNI_TAKEN. */
  readonly freeVni: (spec: NetworkSpec) => Promise<void>;
  /** Somebody else changed the kernel: `mend` is due. */
  readonly onUnwanted: () => void;
}

/**
 * There only while br_netfilter is loaded; then each bridged frame would pass through the namespace's iptables, whatever the
 * bridge's own flags say.
 */
const BRIDGE_SYSCTLS = ['iptables', 'ip6tables', 'arptables'].map(
  (name) => `/proc/sys/net/bridge/bridge-nf-call-${name}`,
);

interface Parts {
  readonly netnsFd: number;
  readonly isNew: boolean;
  readonly links: NetworkLinks;
  readonly tables: NetworkTables;
  readonly senders: Senders;
  readonly rules: Rules;
  readonly closer: Closer;
}

/**
 * One network on this host: its namespace and all in it, desired and observed.
 *
 * The caller runs its methods one after another. They keep desired state as asked for even when the kernel refuses some of
 * it, which the next `round` makes good; only `attach` undoes itself.
 */
export class Network implements AsyncDisposable {
  readonly #deps: NetworkDeps;
  readonly #parts: Parts;
  readonly #watch: Watch;
  readonly #endpoints = new Map<string, LocalEndpoint>();
  #spec: NetworkSpec;
  #remote: Remote | undefined;
  /** Whether what we know of the kernel is what we last saw or made: not after an exchange that broke off. */
  #isKnown = false;
  /** How much was refused when each part was last gone through. */
  #refused = { links: 0, tables: 0, rules: 0 };
  /** Whether the kernel can show bridged packets to rules. */
  #canFilter = false;
  #suspect: Suspect | undefined;

  private constructor(deps: NetworkDeps, spec: NetworkSpec, parts: Parts) {
    this.#deps = deps;
    this.#spec = spec;
    this.#parts = parts;
    this.#watch = new Watch({
      kernel: deps.host.kernel,
      netnsFd: parts.netnsFd,
      judge: (event) => this.#judge(event),
      onSuspect: (suspect) => {
        this.doubt(suspect);
      },
      isOurs: (table) => isTable(SPOOF_TABLE, table) || parts.rules.isTable(table),
      ownPort: () => parts.senders.port,
    });
    parts.closer.use(this.#watch);
  }

  /** Opens the network's namespace, made if need be. What is in it is looked at and made right by the first `round`. */
  static async open(deps: NetworkDeps, spec: NetworkSpec): Promise<Network> {
    const { kernel } = deps.host;
    const closer = new Closer();
    try {
      const { netnsFd, isNew } = await openOrCreateNetns(kernel, deps.host.netnsPath(spec.id));
      closer.defer(() => {
        kernel.closeFd(netnsFd);
      });
      const conn = closer.use(await kernel.connect({ netns: netnsFd }));
      const nf = await kernel.connect({ netns: netnsFd, protocol: NETLINK.NETFILTER });
      const senders = new Senders(closer.use(nf));
      const rules = new Rules(nf);
      const links = new NetworkLinks({ ...deps, conn, netnsFd }, spec);
      const tables = new NetworkTables(conn);
      return new Network(deps, spec, { netnsFd, isNew, links, tables, senders, rules, closer });
    } catch (error) {
      await closer.close();
      throw error;
    }
  }

  /** Whether `open` made the namespace. */
  get isNew(): boolean {
    return this.#parts.isNew;
  }

  get netnsFd(): number {
    return this.#parts.netnsFd;
  }

  get spec(): NetworkSpec {
    return this.#spec;
  }

  get endpoints(): ReadonlyMap<string, LocalEndpoint> {
    return this.#endpoints;
  }

  /** Attached endpoints without a link: somebody deleted it. */
  lost(): string[] {
    return [...this.#endpoints.keys()].filter((id) => this.#parts.links.isLost(id));
  }

  get remote(): Remote | undefined {
    return this.#remote;
  }

  /** Whether nothing was refused when each part was last gone through. */
  get isClean(): boolean {
    const { links, tables, rules } = this.#refused;
    return links + tables + rules === 0;
  }

  /** Takes effect with the next round, and for endpoints attached from then on. */
  configure(spec: NetworkSpec): void {
    this.#spec = spec;
    this.#parts.links.configure(spec);
  }

  /** Compares all with the kernel's own dump and repairs what differs. Throws when nothing could be done. */
  async round(prune: boolean): Promise<Tally> {
    const { links, tables } = this.#parts;
    const tally = new Tally();
    this.#isKnown = false;
    this.#suspect = undefined;
    const { kernel } = this.#deps.host;
    const path = this.#deps.host.netnsPath(this.#spec.id);
    if (await restoreNetnsFile(kernel, this.#parts.netnsFd, path)) tally.count('create');
    await this.#watch.ensure();
    await this.#writeSysctls();
    await links.repair(prune, tally);
    this.#refused.links = tally.errors.length;
    await tables.observe(links.indexes);
    await this.#setTables(prune, tally);
    await this.#checkRules(prune, tally);
    return tally;
  }

  /** Something may not be as we left it. */
  doubt(suspect: Suspect): void {
    if (this.#suspect !== 'all') this.#suspect = suspect;
    this.#deps.onUnwanted();
  }

  /** Looks at what is in doubt, if that is a small part, else at all. */
  async mend(): Promise<Tally> {
    const isSmall = this.#suspect === 'rules' && this.#isKnown && this.isClean;
    if (!isSmall) return this.round(false);
    const tally = new Tally();
    this.#suspect = undefined;
    await this.#checkRules(false, tally);
    return tally;
  }

  /** See Datapath.keepRules. */
  async keepRules(table: nft.TableRef, without: readonly nft.SetSpec[]): Promise<boolean> {
    const { rules } = this.#parts;
    if (rules.areWanted !== undefined || !(await rules.areThere(table))) return false;
    await rules.forget(table, without);
    return true;
  }

  /** Answers what could not be done. */
  async setRules(wanted: NetworkRules): Promise<Tally> {
    const { links, rules } = this.#parts;
    const before = rules.areWanted;
    rules.want(wanted);
    const after = rules.areWanted;
    links.areFiltered = after;
    if (!this.#isKnown) return this.round(false);
    const tally = new Tally();
    // Who sees rules has them: so they come before the bridge asks for them, and go after it does not.
    if (before !== after && after === false) await links.repairBridge(tally);
    if (rules.areKnown) await rules.change(tally);
    else await rules.round(this.#canFilter, tally);
    if (before !== after && after === true) await links.repairBridge(tally);
    this.#refused.rules = tally.errors.length;
    return tally;
  }

  /** Answers what could not be done. */
  async setRemote(remote: Remote): Promise<Tally> {
    const before = this.#remote;
    this.#remote = remote;
    if (!this.#isKnown) return this.round(false);
    const tally = new Tally();
    if (before !== undefined && this.isClean) await this.#changeTables(before, remote, tally);
    else await this.#setTables(false, tally);
    return tally;
  }

  /** Throws what keeps the endpoint from sending and receiving; then nothing of it is left, if nothing was there before. */
  async attach(endpoint: LocalEndpoint): Promise<void> {
    const { links, tables, senders } = this.#parts;
    if (!this.#isKnown) await this.round(false);
    if (this.#hasNamesake(endpoint.id)) throw nameTaken(endpoint.id);
    const before = this.#endpoints.get(endpoint.id);
    if (before !== undefined && isSame(before, endpoint) && this.#isSettled(endpoint.id)) return;
    this.#endpoints.set(endpoint.id, endpoint);
    let isNew = false;
    try {
      isNew = await links.attach(endpoint);
      const isMoved = before !== undefined && !isSame(before, endpoint);
      const tally = new Tally();
      if (isMoved || this.#isContended(endpoint)) await this.#setTables(false, new Tally());
      if (isMoved) await this.#checkSenders(false, tally);
      const source = { ...this.#source([endpoint]), remote: undefined };
      await allDone([
        tables.put(source, links.indexes, tally),
        ...this.#senders([endpoint]).map(async (sender) => senders.put(sender)),
      ]);
      if (tally.errors.length > 0) throw tally.errors[0];
    } catch (error) {
      if (isNew) await this.detach(endpoint.id).catch(() => undefined);
      this.#isKnown = false;
      this.#endpoints.delete(endpoint.id);
      if (before !== undefined) this.#endpoints.set(endpoint.id, before);
      else links.forget(endpoint.id);
      throw error;
    }
  }

  /** Unknown endpoints are fine. Answers what could not be done. */
  async detach(endpointId: string): Promise<Tally> {
    if (this.#hasNamesake(endpointId)) return new Tally();
    const { links, tables, senders } = this.#parts;
    const endpoint = this.#endpoints.get(endpointId);
    const port = links.indexes.ports.get(portLink(endpointId));
    this.#endpoints.delete(endpointId);
    // Before its link goes, and the kernel tells that they are gone.
    if (endpoint !== undefined) tables.forgetPort(endpoint);
    const undone = port === undefined ? [] : [senders.remove(port)];
    await allDone([links.detach(endpointId), ...undone]);
    const tally = new Tally();
    if (endpoint === undefined) return tally;
    if (!this.#isKnown) return this.round(false);
    if (this.#isShared(endpoint)) await this.#setTables(false, tally);
    else await tables.remove(endpoint, links.indexes.bridge, tally);
    return tally;
  }

  /** Whether all there is to know of an attached endpoint is that it is as we made it: Docker asks for each twice, within milliseconds. */
  #isSettled(endpointId: string): boolean {
    const isUndoubted = this.#isKnown && this.#suspect === undefined && this.isClean;
    return isUndoubted && !this.#parts.links.isLost(endpointId);
  }

  /** Whether the link of this id's name is another endpoint's: names hold 44 bits of an id. */
  #hasNamesake(endpointId: string): boolean {
    if (this.#endpoints.has(endpointId)) return false;
    const link = portLink(endpointId);
    return [...this.#endpoints.keys()].some((id) => portLink(id) === link);
  }

  async #setTables(prune: boolean, tally: Tally): Promise<void> {
    const { links, tables } = this.#parts;
    const before = tally.errors.length;
    this.#isKnown = false;
    await tables.set(this.#source(), links.indexes, prune, tally);
    this.#isKnown = true;
    this.#refused.tables = tally.errors.length - before;
  }

  /** As #setTables, when nothing but the other hosts is another. */
  async #changeTables(before: Remote, remote: Remote, tally: Tally): Promise<void> {
    const { links, tables } = this.#parts;
    this.#isKnown = false;
    await tables.change({ ...this.#source(), remote }, before, links.indexes, tally);
    this.#isKnown = true;
    this.#refused.tables = tally.errors.length;
  }

  /** Looks at the tables of rules, of which the kernel does not say what changed in them. */
  async #checkRules(prune: boolean, tally: Tally): Promise<void> {
    const before = tally.errors.length;
    await this.#checkSenders(prune, tally);
    await this.#parts.rules.round(this.#canFilter, tally);
    this.#refused.rules = tally.errors.length - before;
  }

  /** Ports that nobody attached (yet) keep what they may send, until `prune`. */
  async #checkSenders(prune: boolean, tally: Tally): Promise<void> {
    const senders = this.#senders([...this.#endpoints.values()]);
    const attached = new Set(senders.map(({ port }) => port));
    const there = new Set(this.#parts.links.indexes.ports.values());
    const mayStay = (port: number) => !prune && there.has(port) && !attached.has(port);
    await this.#parts.senders.round(senders, mayStay, tally);
  }

  #senders(endpoints: readonly LocalEndpoint[]): Sender[] {
    const { ports } = this.#parts.links.indexes;
    return endpoints.flatMap(({ id, mac, addresses }) => {
      const port = ports.get(portLink(id));
      return port === undefined ? [] : { port, mac, addresses };
    });
  }

  #source(endpoints: readonly LocalEndpoint[] = [...this.#endpoints.values()]): RowSource {
    const { vtep } = this.#deps.host.underlay;
    return { vtep, mtu: this.#spec.mtu, endpoints, remote: this.#remote };
  }

  /** Whether a row of this endpoint's may be another's as well: one that moves here or from here. */
  #isShared({ id, mac, addresses }: LocalEndpoint): boolean {
    const shares = (other: LocalEndpoint | Peer): boolean =>
      other.mac === mac || other.addresses.some((address) => addresses.includes(address));
    return (
      this.#parts.tables.isElsewhere(mac) ||
      [...this.#endpoints.values()].some((other) => other.id !== id && shares(other)) ||
      (this.#remote?.peers.some(shares) ?? false)
    );
  }

  /** Whether a row that this endpoint wants is another's now. Does not ask each peer. */
  #isContended({ id, mac, addresses }: LocalEndpoint): boolean {
    const { tables } = this.#parts;
    return (
      tables.isElsewhere(mac) ||
      addresses.some((address) => tables.isTaken(address, mac)) ||
      [...this.#endpoints.values()].some((other) => other.id !== id && other.mac === mac)
    );
  }

  #judge(event: RouteEvent): { readonly key: string; readonly isWanted: boolean } {
    const { links, tables } = this.#parts;
    switch (event.type) {
      case 'link':
        return { key: `link ${event.link.name}`, isWanted: links.agrees(event) };
      case 'port':
        return { key: `port ${event.port.name}`, isWanted: links.agrees(event) };
      case 'fdb':
      case 'neighbor':
        return {
          key: NetworkTables.keyOf(event),
          isWanted: tables.agrees(event, links.indexes),
        };
      case 'address':
      case 'route':
      default:
        return { key: event.type, isWanted: true };
    }
  }

  async #writeSysctls(): Promise<void> {
    const { kernel } = this.#deps.host;
    this.#canFilter = true;
    for (const path of BRIDGE_SYSCTLS) {
      await kernel.writeInNetns(this.#parts.netnsFd, path, '0').catch((error: unknown) => {
        if (!hasErrno(error, 'ENOENT')) throw error;
        this.#canFilter = false;
      });
    }
  }

  /** Lets go of the network and leaves the kernel as it is. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#parts.closer.close();
  }
}

function isSame(a: LocalEndpoint, b: LocalEndpoint): boolean {
  return a.mac === b.mac && a.addresses.join() === b.addresses.join();
}

function nameTaken(endpointId: string): VxlanError {
  const link = portLink(endpointId);
  return new VxlanError(
    { code: 'LINK_TAKEN', link },
    `another endpoint has a link "${link}", for its id begins alike; start the container again`,
  );
}
