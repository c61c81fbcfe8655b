/**
 * A kernel that has nothing but FDB and neighbors, and follows the real one's rules about them: what may replace what, what
 * is refused. Shows itself as `bridge fdb` and `ip neigh` would.
 */
import { encode } from '../../../src/netlink/codec.js';
import { type FdbEntry, Connection, FLOOD_MAC, type Neighbor } from '../../../src/netlink/index.js';
import { NLM_F, type Received, splitDatagram } from '../../../src/netlink/message.js';
import {
  type NeighborMessage,
  RTM_DELNEIGH,
  RTM_GETNEIGH,
  neighborCodec,
} from '../../../src/netlink/route/neighbor-table.js';
import { fdbFromMessage, replaceFdb } from '../../../src/netlink/route/fdb.js';
import { neighborFromMessage } from '../../../src/netlink/route/neighbor.js';
import { ack, done, reply } from '../netlink/fake-socket.js';

export const LINKS = { bridge: 2, vxlan: 3 } as const;
const AF_BRIDGE = 7;
const EEXIST = 17;
const ENOENT = 2;
const EOPNOTSUPP = 95;

const names = new Map<number, string>([
  [LINKS.bridge, 'br0'],
  [LINKS.vxlan, 'vxlan0'],
]);
const nameOf = (ifindex: number): string => names.get(ifindex) ?? `port${ifindex}`;

export class FakeTables {
  readonly conn = new Connection({
    execute: async (r) => this.#execute(r),
    close: () => undefined,
  });
  /** Messages that made, changed or deleted something. */
  changes = 0;
  /** By table and MAC: of the flood MAC, and of others by misuse, several. */
  readonly #fdb = new Map<string, NeighborMessage[]>();
  readonly #neighbors = new Map<string, NeighborMessage>();

  /** As others would put it there. */
  put(entry: FdbEntry): void {
    const { value } = replaceFdb(entry) as { readonly value: NeighborMessage };
    const key = fdbKey(value);
    this.#fdb.set(key, [...(this.#fdb.get(key) ?? []), withMaster(value)]);
  }

  /** All ports but vxlan0 go, and their rows with them. */
  unplugAll(): void {
    for (const [key, rows] of this.#fdb) {
      const left = rows.filter(({ head }) => head.ifindex === LINKS.vxlan);
      if (left.length > 0) this.#fdb.set(key, left);
      else this.#fdb.delete(key);
    }
  }

  text(): string[] {
    const fdb = [...this.#fdb.values()].flat().map((m) => {
      const { mac, ifindex, owner, dst, state } = fdbFromMessage(m)!;
      const to = dst === undefined ? '' : ` dst ${dst}`;
      return `${mac} dev ${nameOf(ifindex)}${to} ${owner} ${state}`;
    });
    const neighbors = [...this.#neighbors.values()].map((m) => {
      const { address, mac, state } = neighborFromMessage(m) as Neighbor;
      return `${address} lladdr ${mac} ${state}`;
    });
    return [...fdb, ...neighbors].toSorted();
  }

  #execute(request: Uint8Array): Uint8Array[] {
    return splitDatagram(request).flatMap((m) => {
      const value = neighborCodec.read(m.from, m.at, m.length);
      if (m.type === RTM_GETNEIGH.type) return this.#dump(m, value);
      const errno =
        value.head.family === AF_BRIDGE ? this.#onFdb(m, value) : this.#onNeighbor(m, value);
      if (errno === 0) this.changes += 1;
      return [ack(m, errno)];
    });
  }

  #dump(m: Received, { head }: NeighborMessage): Uint8Array[] {
    const values =
      head.family === AF_BRIDGE ? [...this.#fdb.values()].flat() : [...this.#neighbors.values()];
    return [...values.map((v) => reply(m, encode(neighborCodec, v), 0, 28)), done(m)];
  }

  #onFdb(m: Received, value: NeighborMessage): number {
    const key = fdbKey(value);
    const there = this.#fdb.get(key) ?? [];
    if (m.type === RTM_DELNEIGH.type) {
      const left = there.filter((other) => !isSamePlace(other, value));
      if (left.length === there.length) return ENOENT;
      if (left.length > 0) this.#fdb.set(key, left);
      else this.#fdb.delete(key);
      return 0;
    }
    const isFlood = value.attrs.lladdr === FLOOD_MAC;
    if ((m.flags & NLM_F.APPEND) !== 0) {
      const others = there.filter((other) => !isSamePlace(other, value));
      this.#fdb.set(key, [...others, withMaster(value)]);
    } else if (isFlood && (m.flags & NLM_F.REPLACE) !== 0) return EOPNOTSUPP;
    else if (there.length > 0 && (m.flags & NLM_F.REPLACE) === 0) return EEXIST;
    else this.#fdb.set(key, [withMaster(value)]);
    return 0;
  }

  #onNeighbor(m: Received, value: NeighborMessage): number {
    const key = String(value.attrs.dst);
    if (m.type === RTM_DELNEIGH.type) return this.#neighbors.delete(key) ? 0 : ENOENT;
    this.#neighbors.set(key, value);
    return 0;
  }
}

const isMaster = ({ head }: NeighborMessage): boolean => (head.flags & 4) !== 0;

function fdbKey(value: NeighborMessage): string {
  return `${isMaster(value) ? 'master' : 'self'} ${String(value.attrs.lladdr)}`;
}

/** A row of the tunnel goes by its destination, one of the bridge by its port. */
function isSamePlace(a: NeighborMessage, b: NeighborMessage): boolean {
  if (isMaster(a)) return a.head.ifindex === b.head.ifindex;
  return a.attrs.dst === b.attrs.dst && a.attrs.port === b.attrs.port;
}

function withMaster(value: NeighborMessage): NeighborMessage {
  if (!isMaster(value)) return value;
  return { ...value, attrs: { ...value.attrs, master: LINKS.bridge } };
}
