/**
 * The rows of a network's tables: where each MAC is, and which MAC each address has.
 *
 * Forwarding is static and complete. For each remote endpoint there are a bridge row (MAC is behind vxlan0), a row of
 * vxlan0's own (MAC is at that VTEP) and a neighbor of br0 for each address, from which the bridge answers ARP and neighbor
 * solicitations on the spot. For each remote host there is a flood row: broadcast, multicast, and what has no row yet. Local
 * endpoints have a bridge row, without which their port could not send, and neighbors, so that asking for them crosses no
 * tunnel.
 *
 * Always built whole, from all peers at once: when two peers have one MAC or one address, as when an endpoint moves, the
 * last wins, and when one of them goes the other is there again. Nothing is counted, so nothing can be miscounted.
 */
import { type Address, type Mac, familyOf } from '../net/index.js';
import { FLOOD_MAC, type FdbEntry, type Neighbor } from '../netlink/index.js';
import { VxlanError } from './errors.js';
import { portLink } from './names.js';
import type { LocalEndpoint, Remote } from './types.js';

/** Ifindexes of a network's links, in its namespace. */
export interface LinkIndexes {
  readonly bridge: number;
  readonly vxlan: number;
  /** By name of the port. */
  readonly ports: ReadonlyMap<string, number>;
}

export interface RowSource {
  /** Our own VTEP: what others say of it is old news of ourselves. */
  readonly vtep: Address;
  readonly mtu: number;
  readonly endpoints: readonly LocalEndpoint[];
  /** Undefined until it is known. */
  readonly remote: Remote | undefined;
}

export interface Rows {
  readonly fdb: readonly FdbEntry[];
  readonly neighbors: readonly Neighbor[];
  /** What is wrong with peers that were left out. */
  readonly refused: readonly VxlanError[];
}

/** linux/rtnetlink.h rtm_protocol, unassigned; 'w'. Says in `ip neigh` who put a neighbor there. */
export const RTPROT_WEFT = 119;

/** The least MTU of IPv6 (RFC 8200); below it the kernel keeps no IPv6 neighbors. */
const MIN_IPV6_MTU = 1280;

/** The second digit says group address; a zero MAC would name the flood rows. */
const isUsable = (mac: Mac): boolean =>
  (Number.parseInt(mac[1]!, 16) & 1) === 0 && mac !== FLOOD_MAC;

/** All rows that a network should have. What is attached here beats what others say. */
export function rowsOf(source: RowSource, links: LinkIndexes): Rows {
  const fdb: FdbEntry[] = [];
  const neighbors: Neighbor[] = [];
  const refused: VxlanError[] = [];
  const self = { ifindex: links.vxlan, owner: 'self', state: 'permanent' } as const;
  const master = { owner: 'master', state: 'static' } as const;
  const addNeighbors = (addresses: readonly Address[], mac: Mac) => {
    const common = {
      ifindex: links.bridge,
      mac,
      state: 'permanent',
      protocol: RTPROT_WEFT,
    } as const;
    for (const address of addresses) {
      if (source.mtu >= MIN_IPV6_MTU || familyOf(address) === 4)
        neighbors.push({ ...common, address });
    }
  };
  const local = source.endpoints;
  const macsHere = new Set(local.map(({ mac }) => mac));

  for (const dst of source.remote?.vteps ?? []) {
    if (dst !== source.vtep) fdb.push({ ...self, mac: FLOOD_MAC, dst });
  }
  for (const { id, mac, vtep, addresses } of source.remote?.peers ?? []) {
    if (vtep === source.vtep) continue;
    if (!isUsable(mac)) {
      refused.push(unusable(id, mac, vtep));
      continue;
    }
    if (!macsHere.has(mac)) {
      fdb.push({ ...self, mac, dst: vtep }, { ...master, ifindex: links.vxlan, mac });
    }
    addNeighbors(addresses, mac);
  }
  for (const { id, mac, addresses } of local) {
    const ifindex = links.ports.get(portLink(id));
    if (ifindex !== undefined) fdb.push({ ...master, ifindex, mac });
    addNeighbors(addresses, mac);
  }
  return { fdb, neighbors, refused };
}

function unusable(endpoint: string, mac: Mac, vtep: Address): VxlanError {
  return new VxlanError(
    { code: 'INVALID_PEER', endpoint, mac },
    `endpoint ${endpoint.slice(0, 12)} on ${vtep} has MAC ${mac}, which no endpoint can have`,
  );
}
