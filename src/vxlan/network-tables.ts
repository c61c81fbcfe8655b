/** The FDB and the neighbors of one network, and which of their rows are ours to delete. */
import {
  type Connection,
  type Neighbor,
  type RouteEvent,
  dumpFdb,
  dumpNeighbors,
} from '../netlink/index.js';
import type { Mac } from '../net/index.js';
import { portLink } from './names.js';
import {
  type ObservedFdb,
  fdbKind,
  fdbMessages,
  neighborKind,
  neighborMessages,
  relevantFdb,
} from './row-kinds.js';
import { type LinkIndexes, type RowSource, rowsOf } from './rows.js';
import { Table } from './table.js';
import type { Tally } from './tally.js';
import type { LocalEndpoint } from './types.js';

const bridgeRow = (mac: Mac) =>
  ({ ifindex: 0, mac, owner: 'master', state: 'static' }) as const satisfies ObservedFdb;
const tunnelRow = (mac: Mac) =>
  ({ ifindex: 0, mac, owner: 'self', state: 'permanent' }) as const satisfies ObservedFdb;

export type TableEvent = Extract<RouteEvent, { type: 'fdb' | 'neighbor' }>;

export class NetworkTables {
  readonly #conn: Connection;
  readonly #fdb = new Table<ObservedFdb>(fdbKind, fdbMessages);
  readonly #neighbors = new Table<Neighbor>(neighborKind, neighborMessages);

  constructor(conn: Connection) {
    this.#conn = conn;
  }

  /** Takes in what the kernel has. */
  async observe({ vxlan, bridge }: LinkIndexes): Promise<void> {
    this.#fdb.observe(relevantFdb(await dumpFdb(this.#conn), vxlan, bridge));
    this.#neighbors.observe(await dumpNeighbors(this.#conn, { ifindex: bridge }));
  }

  /**
   * Makes the rows of these peers and endpoints the only ones, as far as what should be is known: rows that lead to other
   * hosts stay until the peers are known, and those of endpoints that nobody attached (yet) until `prune`.
   */
  async set(source: RowSource, links: LinkIndexes, prune: boolean, tally: Tally): Promise<void> {
    const rows = rowsOf(source, links);
    tally.errors.push(...rows.refused);
    const { attached, unattached } = portsOf(source, links);
    const isRemoteKnown = source.remote !== undefined;
    const mayDelete = ({ ifindex }: ObservedFdb) =>
      (ifindex === links.vxlan && isRemoteKnown) ||
      attached.has(ifindex) ||
      (prune && unattached.has(ifindex));
    await this.#fdb.set(this.#conn, rows.fdb, mayDelete, tally);

    const isOfUnattached = (mac: Mac | undefined) => {
      const row = mac === undefined ? undefined : this.#fdb.observed(bridgeRow(mac));
      return row !== undefined && unattached.has(row.ifindex);
    };
    const mayForget = ({ mac }: Neighbor) => prune || (isRemoteKnown && !isOfUnattached(mac));
    await this.#neighbors.set(this.#conn, rows.neighbors, mayForget, tally);
  }

  /** Adds the rows of one endpoint that shares neither MAC nor address with another. */
  async put(source: RowSource, links: LinkIndexes, tally: Tally): Promise<void> {
    const rows = rowsOf(source, links);
    await this.#fdb.put(this.#conn, rows.fdb, tally);
    await this.#neighbors.put(this.#conn, rows.neighbors, tally);
  }

  /** Deletes the rows of one endpoint that shares neither MAC nor address with another, and whose link is gone. */
  async remove({ mac, addresses }: LocalEndpoint, bridge: number, tally: Tally): Promise<void> {
    this.#fdb.forget([bridgeRow(mac)]);
    const neighbor = { ifindex: bridge, mac, state: 'permanent' } as const;
    const rows = addresses.map((address) => ({ ...neighbor, address }));
    await this.#neighbors.remove(this.#conn, rows, tally);
  }

  /** Whether the MAC should be at another host, or was until now. */
  isElsewhere(mac: Mac): boolean {
    return this.#fdb.wants(tunnelRow(mac)) || this.#fdb.observed(tunnelRow(mac)) !== undefined;
  }

  /** What an event is about: the row's place. */
  static keyOf(event: TableEvent): string {
    if (event.type === 'neighbor') return neighborKind.key(event.neighbor);
    return fdbKind.key(event.entry);
  }

  /** Whether the kernel's news is what we want anyway, or of no concern. */
  agrees(event: TableEvent, links: LinkIndexes): boolean {
    if (event.type === 'neighbor') {
      const { neighbor, isGone } = event;
      return neighbor.ifindex !== links.bridge || this.#neighbors.agrees(neighbor, isGone);
    }
    const [entry] = relevantFdb([event.entry], links.vxlan, links.bridge);
    return entry === undefined || this.#fdb.agrees(entry, event.isGone);
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
