/** FDB entries: which MAC is where, in a bridge's table and in a VXLAN link's own. */
import { type Address, type Mac } from '../../net/index.js';
import { type Connection } from '../connection.js';
import { type Message, NLM_F, message } from '../message.js';
import { AF } from './family.js';
import {
  NTF,
  NUD,
  type NeighborMessage,
  RTM_DELNEIGH,
  RTM_GETNEIGH,
  RTM_NEWNEIGH,
  ndmsg,
} from './neighbor-table.js';

/** The MAC of a VXLAN link's flood rows: one a remote, for broadcast, multicast and unknown unicast. */
export const FLOOD_MAC = '00:00:00:00:00:00' as Mac;

export interface FdbEntry {
  /** The link the MAC is behind: a bridge's port, or the VXLAN link. */
  readonly ifindex: number;
  readonly mac: Mac;
  /** Whose table: 'self' is the link's own (VXLAN), 'master' that of its bridge. */
  readonly owner: 'self' | 'master';
  /** 'permanent' and 'static' never age; a permanent entry in a bridge is an address of the host itself. */
  readonly state: 'permanent' | 'static' | 'dynamic';
  /** Remote VTEP; VXLAN only, as are vni, port, sourceVni and via. */
  readonly dst?: Address | undefined;
  /** Only where it differs from the link's own. */
  readonly vni?: number | undefined;
  readonly port?: number | undefined;
  readonly sourceVni?: number | undefined;
  /** Ifindex of the underlay link to send by. */
  readonly via?: number | undefined;
  readonly vlan?: number | undefined;
  readonly nexthopId?: number | undefined;
  /** Put there by a control plane: it may move, and does not age. */
  readonly isExternal?: boolean | undefined;
  /** May not move to another port. */
  readonly isSticky?: boolean | undefined;
}

/** An entry as the kernel reports it. */
export interface ObservedFdbEntry extends FdbEntry {
  /** The bridge whose table it is in. */
  readonly master?: number | undefined;
}

const states = {
  permanent: NUD.NOARP | NUD.PERMANENT,
  static: NUD.NOARP | NUD.REACHABLE,
  dynamic: NUD.REACHABLE,
} as const;

function toMessage(entry: FdbEntry): NeighborMessage {
  const { ifindex, mac, owner, state, via, isExternal, isSticky, ...same } = entry;
  const { dst, vlan, nexthopId, port, vni, sourceVni } = same;
  return {
    head: ndmsg.of({
      family: AF.BRIDGE,
      ifindex,
      state: states[state],
      flags:
        (owner === 'self' ? NTF.SELF : NTF.MASTER) |
        (isExternal === true ? NTF.EXT_LEARNED : 0) |
        (isSticky === true ? NTF.STICKY : 0),
    }),
    attrs: { lladdr: mac, dst, vlan, nexthopId, port, vni, sourceVni, ifindex: via },
  };
}

function about(entry: FdbEntry): string {
  const dst = entry.dst === undefined ? '' : ` dst ${entry.dst}`;
  return `fdb entry ${entry.mac}${dst} of link ${entry.ifindex}`;
}

/** Makes an entry; EEXIST when the MAC has one. */
export function addFdb(entry: FdbEntry): Message {
  return message(RTM_NEWNEIGH, NLM_F.CREATE | NLM_F.EXCL, toMessage(entry), about(entry));
}

/** Makes an entry, or turns the MAC's only one into this. EOPNOTSUPP for flood rows and multicast: those are appended. */
export function replaceFdb(entry: FdbEntry): Message {
  return message(RTM_NEWNEIGH, NLM_F.CREATE | NLM_F.REPLACE, toMessage(entry), about(entry));
}

/**
 * Adds one more destination to a flood row or multicast MAC of a VXLAN link. Already there is a success. On a unicast MAC
 * that has an entry the kernel says yes and does nothing.
 */
export function appendFdb(entry: FdbEntry): Message {
  return message(RTM_NEWNEIGH, NLM_F.CREATE | NLM_F.APPEND, toMessage(entry), about(entry));
}

/**
 * Deletes an entry; ENOENT when the MAC has none. VXLAN, with `dst`: only that destination, and a success when the MAC has
 * others but not this one.
 */
export function deleteFdb(entry: FdbEntry): Message {
  return message(RTM_DELNEIGH, 0, toMessage(entry), about(entry));
}

/** One message of the kernel's as an entry; undefined for what is not an Ethernet address. */
export function fdbFromMessage(m: NeighborMessage): ObservedFdbEntry | undefined {
  const { head, attrs } = m;
  if (typeof attrs.lladdr !== 'string') return undefined;
  return {
    ifindex: head.ifindex,
    mac: attrs.lladdr,
    owner: (head.flags & NTF.SELF) === 0 ? 'master' : 'self',
    state:
      (head.state & NUD.PERMANENT) !== 0
        ? 'permanent'
        : (head.state & NUD.NOARP) !== 0
          ? 'static'
          : 'dynamic',
    dst: attrs.dst,
    vni: attrs.vni,
    port: attrs.port,
    sourceVni: attrs.sourceVni,
    via: attrs.ifindex,
    vlan: attrs.vlan,
    nexthopId: attrs.nexthopId,
    isExternal: (head.flags & NTF.EXT_LEARNED) !== 0,
    isSticky: (head.flags & NTF.STICKY) !== 0,
    master: attrs.master,
  };
}

/**
 * Entries of all links, of one link (its own table and its bridge's), or of one bridge.
 *
 * The kernel goes on by position from one datagram to the next and marks nothing: while somebody deletes from the same
 * table, rows that did not change may be left out, and while somebody adds, come twice. So take a row that is missing as a
 * reason to put it there, never as proof that it is not.
 */
export async function dumpFdb(
  conn: Connection,
  query: { readonly ifindex?: number; readonly master?: number } = {},
): Promise<ObservedFdbEntry[]> {
  const value = {
    head: ndmsg.of({ family: AF.BRIDGE, ifindex: query.ifindex ?? 0 }),
    attrs: { master: query.master },
  };
  const entries: ObservedFdbEntry[] = [];
  for (const m of await conn.dump(message(RTM_GETNEIGH, 0, value), RTM_NEWNEIGH)) {
    const entry = m.head.family === AF.BRIDGE ? fdbFromMessage(m) : undefined;
    if (entry) entries.push(entry);
  }
  return entries;
}
