/**
 * A network's links as they should be, and the messages that make them so. Pure.
 *
 * br0 switches, without spanning tree, snooping or addresses. vxlan0 is the port to other hosts: it learns nothing and
 * asks nobody, so only our rows say where a MAC is; what has no row yet goes to all hosts that have the network. A
 * container's port learns nothing either, takes frames only from the MAC that has its bridge row (`locked`, Linux 5.16),
 * and is sent only what is for it or for all.
 */
import {
  type BridgePortOptions,
  type Link,
  type LinkChanges,
  type LinkSpec,
  type Message,
  newLink,
  setBridgePort,
  setLink,
} from '../netlink/index.js';
import { BRIDGE, VXLAN, linkMac, markOf, portLink } from './names.js';
import type { NetworkSpec, Underlay } from './types.js';

export interface LinkWish {
  readonly name: string;
  readonly alias: string;
  /** Undefined where any will do. */
  readonly mac: Link['mac'];
  readonly kind: Exclude<LinkSpec['kind'], { readonly type: 'veth' }> | { readonly type: 'veth' };
  /** As a port of br0; undefined for br0 itself. */
  readonly port: BridgePortOptions | undefined;
}

/**
 * The MTU of every link in a network's namespace: as large as they take. Only a container's end has the network's MTU.
 *
 * A bridge drops what is too large for a port without a word. When the underlay's MTU shrinks, containers that run keep
 * theirs, and smaller links here would swallow their full packets. So nothing here is ever too small, and what does not fit
 * the underlay reaches vxlan0, which answers "packet too big" to the sender, who then keeps to it (measured: TCP goes on,
 * UDP fragments or is told; with smaller links it is lost).
 */
export const INNER_MTU = 65_535;

const portBasics = {
  learning: false,
  multicastFlood: true,
  broadcastFlood: true,
  isolated: false,
  hairpin: false,
} as const;

/** `areFiltered`: bridged packets are shown to the tables of the families ip and ip6; undefined: as it is. */
export function bridgeWish(
  { id, vni }: NetworkSpec,
  { vtep }: Underlay,
  areFiltered?: boolean,
): LinkWish {
  const filtered = { nfCallIptables: areFiltered, nfCallIp6tables: areFiltered };
  return {
    name: BRIDGE,
    alias: markOf(id),
    mac: linkMac(BRIDGE, vtep, vni),
    kind: {
      type: 'bridge',
      stpState: 0,
      multicastSnooping: false,
      ...(areFiltered !== undefined && filtered),
    },
    port: undefined,
  };
}

export function vxlanWish({ id, vni }: NetworkSpec, { vtep, port }: Underlay): LinkWish {
  return {
    name: VXLAN,
    alias: markOf(id),
    mac: linkMac(VXLAN, vtep, vni),
    kind: {
      type: 'vxlan',
      vni,
      local: vtep,
      port,
      learning: false,
      // Without it the receiver's GRO gives up (peers.md I9), and an IPv6 underlay needs it (RFC 6935).
      udpChecksum: true,
      udpZeroChecksum6Tx: false,
      udpZeroChecksum6Rx: false,
    },
    port: { ...portBasics, unicastFlood: true, neighSuppress: true, locked: false },
  };
}

export function portWish(networkId: string, endpointId: string): LinkWish {
  return {
    name: portLink(endpointId),
    alias: markOf(networkId, endpointId),
    mac: undefined,
    kind: { type: 'veth' },
    port: { ...portBasics, unicastFlood: false, neighSuppress: false, locked: true },
  };
}

/** The fields of `wish` that `have` has otherwise; undefined when there are none. */
export function differing<T extends object>(wish: T, have: object): Partial<T> | undefined {
  const different = Object.entries(wish).filter(
    ([field, value]) => value !== undefined && (have as Record<string, unknown>)[field] !== value,
  );
  return different.length === 0 ? undefined : (Object.fromEntries(different) as Partial<T>);
}

/** The same, but a flag that the kernel does not report is one it does not have: older kernels lack some. */
function differingPort(wish: BridgePortOptions, have: BridgePortOptions) {
  const known = Object.entries(wish).filter(([flag]) => flag in have);
  return differing(Object.fromEntries(known), have);
}

/** Whether a port has the flags it should; `options` as the kernel reports them. */
export function isPortAsWished({ port }: LinkWish, options: BridgePortOptions): boolean {
  return port === undefined || differingPort(port, options) === undefined;
}

/** Whether this link can't become the one we want, so that another must be made: of a VXLAN link all but learning is fixed. */
export function isAnother(wish: LinkWish, link: Link): boolean {
  if (link.kind?.type !== wish.kind.type) return true;
  if (wish.kind.type !== 'vxlan') return false;
  const { learning: _, ...identity } = wish.kind;
  return differing(identity, link.kind) !== undefined;
}

/**
 * The messages that turn a link into what it should be; none when it is. `bridge`: ifindex of br0.
 *
 * A port comes up only when it has its flags, since a port that is up learns.
 */
export function linkRepairs(wish: LinkWish, link: Link, bridge: number | undefined): Message[] {
  const messages: Message[] = [];
  const { kind } = wish;
  if (kind.type !== 'veth' && differing(kind, link.kind ?? {}) !== undefined) {
    const { type } = kind;
    const change = type === 'bridge' ? kind : { type, vni: kind.vni, learning: kind.learning };
    messages.push({ ...newLink({ name: wish.name, kind: change }), flags: 0 });
  }
  const { mac, alias } = wish;
  const master = wish.port === undefined ? undefined : bridge;
  const wanted: LinkChanges = { mac, mtu: INNER_MTU, alias, master, addrGenMode: 'none' };
  const changes = differing(wanted, link);
  if (changes !== undefined) messages.push(setLink(link.ifindex, changes));
  if (wish.port !== undefined) {
    const isNewPort = link.port === undefined || link.master !== bridge;
    const flags = isNewPort ? wish.port : differingPort(wish.port, link.port);
    if (flags !== undefined) messages.push(setBridgePort(link.ifindex, flags));
  }
  if (!link.isUp) messages.push(setLink(link.ifindex, { isUp: true }));
  return messages;
}
