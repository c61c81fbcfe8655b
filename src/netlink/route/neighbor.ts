/** Neighbors: which MAC an IP address has on a link. */
import { type Address, type Family, type Mac } from '../../net/index.js';
import { type Connection } from '../connection.js';
import { type Message, NLM_F, message } from '../message.js';
import { afOf, afOfAddress, isIp } from './family.js';
import {
  NTF,
  NUD,
  type NeighborMessage,
  RTM_DELNEIGH,
  RTM_GETNEIGH,
  RTM_NEWNEIGH,
  ndmsg,
} from './neighbor-table.js';

const stateBits = {
  none: 0,
  incomplete: NUD.INCOMPLETE,
  reachable: NUD.REACHABLE,
  stale: NUD.STALE,
  delay: NUD.DELAY,
  probe: NUD.PROBE,
  failed: NUD.FAILED,
  noArp: NUD.NOARP,
  permanent: NUD.PERMANENT,
} as const;
export type NeighborState = keyof typeof stateBits;
const stateNames = new Map(
  Object.entries(stateBits).map(([name, bits]) => [bits as number, name as NeighborState]),
);

export interface Neighbor {
  readonly ifindex: number;
  readonly address: Address;
  /** Absent while unresolved, and for proxies. */
  readonly mac?: Mac | undefined;
  readonly state: NeighborState;
  /** Who put it there, RTPROT_* (linux/rtnetlink.h): our mark. */
  readonly protocol?: number | undefined;
  /** We answer for this address. */
  readonly isProxy?: boolean | undefined;
  readonly isRouter?: boolean | undefined;
  readonly isExternal?: boolean | undefined;
}

function toMessage(neighbor: Neighbor): NeighborMessage {
  const { ifindex, address, mac, state, protocol, isProxy, isRouter, isExternal } = neighbor;
  return {
    head: ndmsg.of({
      family: afOfAddress(address),
      ifindex,
      state: stateBits[state],
      flags:
        (isProxy === true ? NTF.PROXY : 0) |
        (isRouter === true ? NTF.ROUTER : 0) |
        (isExternal === true ? NTF.EXT_LEARNED : 0),
    }),
    attrs: { dst: address, lladdr: mac, protocol },
  };
}

const about = (neighbor: Pick<Neighbor, 'ifindex' | 'address'>): string =>
  `neighbor ${neighbor.address} on link ${neighbor.ifindex}`;

/** Makes an entry, or turns the address's into this. */
export function replaceNeighbor(neighbor: Neighbor): Message {
  const flags = NLM_F.CREATE | NLM_F.REPLACE;
  return message(RTM_NEWNEIGH, flags, toMessage(neighbor), about(neighbor));
}

/** Deletes the address's entry; ENOENT when there is none. */
export function deleteNeighbor(neighbor: Pick<Neighbor, 'ifindex' | 'address'>): Message {
  // The state says nothing here; iproute2 sends this one.
  return message(RTM_DELNEIGH, 0, toMessage({ ...neighbor, state: 'permanent' }), about(neighbor));
}

/** One message of the kernel's as a neighbor; undefined for families without IP addresses. */
export function neighborFromMessage(m: NeighborMessage): Neighbor | undefined {
  const { head, attrs } = m;
  if (attrs.dst === undefined || !isIp(head.family)) return undefined;
  return {
    ifindex: head.ifindex,
    address: attrs.dst,
    mac: typeof attrs.lladdr === 'string' ? attrs.lladdr : undefined,
    state: stateNames.get(head.state) ?? 'none',
    protocol: attrs.protocol,
    isProxy: (head.flags & NTF.PROXY) !== 0,
    isRouter: (head.flags & NTF.ROUTER) !== 0,
    isExternal: (head.flags & NTF.EXT_LEARNED) !== 0,
  };
}

/** Neighbors of all links or of one; proxies are a table of their own and not among them. */
export async function dumpNeighbors(
  conn: Connection,
  query: { readonly ifindex?: number; readonly family?: Family } = {},
): Promise<Neighbor[]> {
  const value = {
    head: ndmsg.of({ family: afOf(query.family) }),
    attrs: { ifindex: query.ifindex },
  };
  const neighbors: Neighbor[] = [];
  for (const m of await conn.dump(message(RTM_GETNEIGH, 0, value), RTM_NEWNEIGH)) {
    const neighbor = neighborFromMessage(m);
    if (neighbor) neighbors.push(neighbor);
  }
  return neighbors;
}
