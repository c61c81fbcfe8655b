/** The FDB and the neighbors of one network, and which of their rows are ours to delete. */
import {
  type Connection,
  FLOOD_MAC,
  type Neighbor,
  type RouteEvent,
  dumpFdb,
  dumpNeighbors,
} from '../netlink/index.js';
import type { Address, Mac } from '../net/index.js';
import { portLink } from './names.js';
import {
  type ObservedFdb,
  bridgeKind,
  fdbMessages,
  floodKind,
  neighborKind,
  neighborMessages,
  sortFdb,
  sortOf,
  tunnelKind,
} from './row-kinds.js';
import { differenceOf } from './remote-difference.js';
import { type LinkIndexes, type RowSource, rowsOf } from './rows.js';
import { Table } from './table.js';
import type { Tally } from './tally.js';
import type { LocalEndpoint, Peer, Remote } from './types.js';

const bridgeRow = (mac: Mac) =>
  ({ ifindex: 0, mac, owner: 'master', state: 'static' }) as const satisfies ObservedFdb;
const tunnelRow = (mac: Mac) =>
  ({ ifindex: 0, mac, owner: 'self', state: 'permanent' }) as const satisfies ObservedFdb;

export type TableEvent = Extract<RouteEvent, { type: 'fdb' | 'neighbor' }>;

export class NetworkTables {
  readonly #conn: Connection;
  readonly #fdb = {
    flood: new Table<ObservedFdb>(floodKind, fdbMessages),
    tunnels: new Table<ObservedFdb>(tunnelKind, fdbMessages),
    bridge: new Table<ObservedFdb>(bridgeKind, fdbMessages),
  };
  readonly #neighbors = new Table<Neighbor>(neighborKind, neighborMessages);

  constructor(conn: Connection) {
    this.#conn = conn;
  }

  /** Takes in what the kernel has. */
  async observe({ vxlan, bridge }: LinkIndexes): Promise<void> {
    const { flood, tunnels, bridge: ports } = sortFdb(await dumpFdb(this.#conn), vxlan, bridge);
    this.#fdb.flood.observe(flood);
    this.#fdb.tunnels.observe(tunnels);
    this.#fdb.bridge.observe(ports);
    this.#neighbors.observe(await dumpNeighbors(this.#conn, { ifindex: bridge }));
  }

  /**
   * Makes the rows of these peers and endpoints the only ones, as far as what should be is known: rows that lead to other
   * hosts stay until the peers are known, and those of endpoints that nobody attached (yet) until `prune`.
   */
  async set(source: RowSource, links: LinkIndexes, prune: boolean, tally: Tally): Promise<void> {
    const rows = rowsOf(source, links);
    tally.errors.push(...rows.refused);
    const { row, neighbor } = this.#mayGo(source, links, prune);
    await this.#fdb.tunnels.set(this.#conn, rows.tunnels, row, tally);
    await this.#fdb.bridge.set(this.#conn, rows.bridge, row, tally);
    await this.#fdb.flood.set(this.#conn, rows.flood, row, tally);
    await this.#neighbors.set(this.#conn, rows.neighbors, neighbor, tally);
  }

  /**
   * As `set`, when nothing but the other hosts changed since everything was set without an error, from `before` to what
   * `source` says: costs what changed, however much there is.
   */
  async change(
    source: RowSource & { readonly remote: Remote },
    before: Remote,
    links: LinkIndexes,
    tally: Tally,
  ): Promise<void> {
    const { peers, vteps } = differenceOf(before, source.remote);
    const macs = new Set(peers.map(({ mac }) => mac));
    const addresses = new Set(peers.flatMap((peer) => peer.addresses));
    const rows = rowsOf(touching(source, macs, addresses), links);
    tally.errors.push(...rows.refused);
    const hasMac = ({ mac }: ObservedFdb) => macs.has(mac);
    const hasAddress = ({ address }: Neighbor) => addresses.has(address);
    const { row, neighbor } = this.#mayGo(source, links, false);
    const { tunnels, bridge, flood } = this.#fdb;
    await tunnels.setAt(this.#conn, macs, rows.tunnels.filter(hasMac), row, tally);
    await bridge.setAt(this.#conn, macs, rows.bridge.filter(hasMac), row, tally);
    const changed = new Set(vteps);
    const flooded = rows.flood.filter(({ dst }) => dst !== undefined && changed.has(dst));
    await flood.setAt(this.#conn, changed, flooded, row, tally);
    const neighbors = rows.neighbors.filter(hasAddress);
    await this.#neighbors.setAt(this.#conn, addresses, neighbors, neighbor, tally);
  }

  /** Which rows that nobody desires are ours to delete. */
  #mayGo(source: RowSource, links: LinkIndexes, prune: boolean) {
    const { attached, unattached } = portsOf(source, links);
    const isRemoteKnown = source.remote !== undefined;
    const row = ({ ifindex }: ObservedFdb): boolean =>
      (ifindex === links.vxlan && isRemoteKnown) ||
      attached.has(ifindex) ||
      (prune && unattached.has(ifindex));
    const isOfUnattached = (mac: Mac | undefined): boolean => {
      const there = mac === undefined ? undefined : this.#fdb.bridge.observed(bridgeRow(mac));
      return there !== undefined && unattached.has(there.ifindex);
    };
    const neighbor = ({ mac }: Neighbor): boolean =>
      prune || (isRemoteKnown && !isOfUnattached(mac));
    return { row, neighbor };
  }

  /** Adds the rows of one endpoint that shares neither MAC nor address with another. */
  async put(source: RowSource, links: LinkIndexes, tally: Tally): Promise<void> {
    const rows = rowsOf(source, links);
    await this.#fdb.bridge.put(this.#conn, rows.bridge, tally);
    await this.#neighbors.put(this.#conn, rows.neighbors, tally);
  }

  /** The port of this endpoint goes, and its row with it. */
  forgetPort({ mac }: LocalEndpoint): void {
    this.#fdb.bridge.forget([bridgeRow(mac)]);
  }

  /** Deletes the other rows of one endpoint that shares neither MAC nor address with another. */
  async remove({ mac, addresses }: LocalEndpoint, bridge: number, tally: Tally): Promise<void> {
    const neighbor = { ifindex: bridge, mac, state: 'permanent' } as const;
    const rows = addresses.map((address) => ({ ...neighbor, address }));
    await this.#neighbors.remove(this.#conn, rows, tally);
  }

  /** Whether the MAC should be at another host, or was until now. */
  isElsewhere(mac: Mac): boolean {
    const { tunnels } = this.#fdb;
    return tunnels.wants(tunnelRow(mac)) || tunnels.observed(tunnelRow(mac)) !== undefined;
  }

  /** Whether another MAC should have this address. */
  isTaken(address: Address, mac: Mac): boolean {
    const owner = this.#neighbors.desired({ ifindex: 0, address, mac, state: 'permanent' })?.mac;
    return owner !== undefined && owner !== mac;
  }

  /** What an event is about: the row's place. */
  static keyOf(event: TableEvent): string {
    if (event.type === 'neighbor') return event.neighbor.address;
    const { owner, mac, dst } = event.entry;
    return mac === FLOOD_MAC ? `flood ${dst}` : `${owner} ${mac}`;
  }

  /** Whether the kernel's news is what we want anyway, or of no concern. */
  agrees(event: TableEvent, links: LinkIndexes): boolean {
    if (event.type === 'neighbor') {
      const { neighbor, isGone } = event;
      return neighbor.ifindex !== links.bridge || this.#neighbors.agrees(neighbor, isGone);
    }
    const sort = sortOf(event.entry, links.vxlan, links.bridge);
    return sort === undefined || this.#fdb[sort].agrees(event.entry, event.isGone);
  }
}

/** Ifindexes of the ports of attached endpoints, and of our other ports. */
function portsOf({ endpoints }: RowSource, { ports }: LinkIndexes) {
  const unattached = new Set(ports.values());
  const attached = new Set<number>();
  for (const { id } of endpoints) {
    const port = ports.get(portLink(id));
    if (port === undefined) continue;
    attached.add(port);
    unattached.delete(port);
  }
  return { attached, unattached };
}

/** Of the source what has one of these MACs or addresses: all that has a say in who gets them. */
function touching(
  source: RowSource & { readonly remote: Remote },
  macs: ReadonlySet<Mac>,
  addresses: ReadonlySet<Address>,
): RowSource {
  const touches = (each: LocalEndpoint | Peer): boolean =>
    macs.has(each.mac) || each.addresses.some((address) => addresses.has(address));
  const { vteps, peers } = source.remote;
  return {
    ...source,
    endpoints: source.endpoints.filter(touches),
    remote: { vteps, peers: macs.size === 0 ? [] : peers.filter(touches) },
  };
}
