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
  /** vxlan0's own table: VTEPs that get what goes to all. */
  readonly flood: readonly FdbEntry[];
  /** vxlan0's own table: the VTEP of each MAC that is elsewhere. */
  readonly tunnels: readonly FdbEntry[];
  /** The bridge's table: the port of each MAC. */
  readonly bridge: readonly FdbEntry[];
  readonly neighbors: readonly Neighbor[];
  /** What is wrong with peers that were left out. */
  readonly refused: readonly VxlanError[];
}

/** linux/rtnetlink.h rtm_protocol, unassigned; 'w'. Says in `ip neigh` who put a neighbor there. */
export const RTPROT_WEFT = 119;

/** The least MTU of IPv6 (RFC 8200); below it the kernel keeps no IPv6 neighbors. */
const MIN_IPV6_MTU = 1280;

/** The second digit says group address; a zero MAC would name the flood rows. */
const isUsable = (mac: Mac): boolean => !'13579bdf'.includes(mac[1]!) && mac !== FLOOD_MAC;

/** All rows that a network should have. What is attached here beats what others say. */
export function rowsOf(source: RowSource, links: LinkIndexes): Rows {
  const flood: FdbEntry[] = [];
  const tunnels: FdbEntry[] = [];
  const bridge: FdbEntry[] = [];
  const neighbors: Neighbor[] = [];
  const refused: VxlanError[] = [];
  const { bridge: br0, vxlan: vxlan0, ports } = links;

  const toTunnel = (mac: Mac, dst: Address) =>
    ({ ifindex: vxlan0, mac, owner: 'self', state: 'permanent', dst }) as const;
  const addBridge = (mac: Mac, ifindex: number) =>
    bridge.push({ ifindex, mac, owner: 'master', state: 'static' });
  const addNeighbors = (addresses: readonly Address[], mac: Mac) => {
    for (const address of addresses) {
      if (source.mtu < MIN_IPV6_MTU && familyOf(address) === 6) continue;
      neighbors.push({ ifindex: br0, address, mac, state: 'permanent', protocol: RTPROT_WEFT });
    }
  };
  const macsHere = new Set(source.endpoints.map(({ mac }) => mac));

  for (const dst of source.remote?.vteps ?? []) {
    if (dst !== source.vtep) flood.push(toTunnel(FLOOD_MAC, dst));
  }
  for (const { mac, vtep, addresses } of source.remote?.peers ?? []) {
    if (vtep === source.vtep) continue;
    if (!isUsable(mac)) {
      refused.push(unusable(mac, vtep));
      continue;
    }
    if (!macsHere.has(mac)) {
      tunnels.push(toTunnel(mac, vtep));
      addBridge(mac, vxlan0);
    }
    addNeighbors(addresses, mac);
  }
  for (const { id, mac, addresses } of source.endpoints) {
    const port = ports.get(portLink(id));
    if (port !== undefined) addBridge(mac, port);
    addNeighbors(addresses, mac);
  }
  return { flood, tunnels, bridge, neighbors, refused };
}

function unusable(mac: Mac, vtep: Address): VxlanError {
  return new VxlanError(
    { code: 'INVALID_PEER', vtep, mac },
    `an endpoint on ${vtep} has MAC ${mac}, which no endpoint can have`,
  );
}
