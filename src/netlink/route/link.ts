/** Links as a host has them, in domain values. */
import { type Mac } from '../../net/index.js';
import { type Connection } from '../connection.js';
import { type Message, message } from '../message.js';
import { type BridgeOptions, type BridgePortOptions } from './bridge.js';
import {
  IFF,
  type LinkMessage,
  RTEXT_FILTER_SKIP_STATS,
  RTM_GETLINK,
  RTM_NEWLINK,
  ifinfomsg,
} from './link-table.js';
import { type VxlanOptions, vxlanFromAttrs } from './vxlan.js';

/** A link by ifindex or by name (also an alternative name). */
export type LinkRef = number | string;

/** linux/if_link.h IN6_ADDR_GEN_MODE_*: how a link gets its link-local address; 'none' leaves it without. */
export const addrGenModes = ['eui64', 'none', 'stablePrivacy', 'random'] as const;
export type AddrGenMode = (typeof addrGenModes)[number];

/** RFC 2863, linux/if.h IF_OPER_* */
const operStates = [
  'unknown',
  'notPresent',
  'down',
  'lowerLayerDown',
  'testing',
  'dormant',
  'up',
] as const;
export type OperState = (typeof operStates)[number];

export type LinkKind =
  | ({ readonly type: 'vxlan' } & VxlanOptions)
  | ({ readonly type: 'bridge' } & BridgeOptions)
  | { readonly type: 'veth' }
  | { readonly type: 'other'; readonly name: string };

/** Counters since the link was made. */
export type LinkStats = NonNullable<LinkMessage['attrs']['stats']>;

/** A link as the kernel reports it. */
export interface Link {
  readonly ifindex: number;
  readonly name: string;
  readonly altNames: readonly string[];
  readonly alias?: string | undefined;
  /** Absent for links that are not real devices with a driver of their own kind (loopback, hardware). */
  readonly kind?: LinkKind | undefined;
  /** Absent unless the link has an Ethernet address. */
  readonly mac?: Mac | undefined;
  readonly mtu: number;
  readonly group: number;
  readonly txQueueLength: number;
  /** Administratively up. */
  readonly isUp: boolean;
  readonly hasCarrier: boolean;
  readonly isLoopback: boolean;
  readonly isPromiscuous: boolean;
  readonly operState: OperState;
  /** Ifindex of the bridge it is a port of. */
  readonly master?: number | undefined;
  /** What that bridge makes of it. */
  readonly port?: BridgePortOptions | undefined;
  /** Ifindex of the other end of a veth, of the underlay of a tunnel; in the namespace `linkNetnsId` when that is set. */
  readonly link?: number | undefined;
  readonly linkNetnsId?: number | undefined;
  readonly addrGenMode?: AddrGenMode | undefined;
  readonly stats?: LinkStats | undefined;
}

export const aboutLink = (ref: LinkRef): string =>
  typeof ref === 'number' ? `link ${ref}` : `link "${ref}"`;

/** IFLA_IFNAME finds any name, but takes 15 octets at most; longer ones go where alternative names go. */
export function byRef(ref: LinkRef) {
  if (typeof ref === 'number') return { head: ifinfomsg.of({ ifindex: ref }), attrs: {} };
  const isLong = Buffer.byteLength(ref) > 15;
  return { head: ifinfomsg.of({}), attrs: isLong ? { altName: ref } : { name: ref } };
}

function kindOf(m: LinkMessage): LinkKind | undefined {
  const own = m.attrs.linkInfo?.own;
  if (own?.kind === 'vxlan') return { type: 'vxlan', ...vxlanFromAttrs(own.data ?? {}) };
  if (own?.kind === 'bridge') return { type: 'bridge', ...own.data };
  if (own?.kind === 'veth') return { type: 'veth' };
  return own && { type: 'other', name: own.name };
}

/** One message of the kernel's as a Link. */
export function linkFromMessage(m: LinkMessage): Link {
  const { head, attrs } = m;
  const port = attrs.linkInfo?.port;
  const addrGenMode = attrs.afSpec?.inet6?.addrGenMode;
  return {
    ifindex: head.ifindex,
    name: attrs.name ?? '',
    altNames: attrs.altNames ?? [],
    alias: attrs.alias,
    kind: kindOf(m),
    mac: typeof attrs.address === 'string' ? attrs.address : undefined,
    mtu: attrs.mtu ?? 0,
    group: attrs.group ?? 0,
    txQueueLength: attrs.txQueueLength ?? 0,
    isUp: (head.flags & IFF.UP) !== 0,
    hasCarrier: (head.flags & IFF.LOWER_UP) !== 0,
    isLoopback: (head.flags & IFF.LOOPBACK) !== 0,
    isPromiscuous: (head.flags & IFF.PROMISC) !== 0,
    operState: operStates[attrs.operState ?? 0] ?? 'unknown',
    master: attrs.master,
    port: port?.kind === 'bridge' ? port.data : undefined,
    link: attrs.link,
    linkNetnsId: attrs.linkNetnsId,
    addrGenMode: addrGenMode === undefined ? undefined : addrGenModes[addrGenMode],
    stats: attrs.stats,
  };
}

/** Answers a link as it is `after` these messages, sent with the question. Throws their refusal, ENODEV when there is no such link. */
export async function getLink(
  conn: Connection,
  ref: LinkRef,
  options?: { readonly after?: readonly Message[] },
): Promise<Link> {
  const { head, attrs } = byRef(ref);
  const value = { head, attrs: { ...attrs, extMask: RTEXT_FILTER_SKIP_STATS } };
  const question = message(RTM_GETLINK, 0, value, aboutLink(ref));
  return linkFromMessage(await conn.get(question, RTM_NEWLINK, options));
}

/** All links of the namespace, or the ports of one bridge. */
export async function dumpLinks(
  conn: Connection,
  query: { readonly master?: number } = {},
): Promise<Link[]> {
  const value = {
    head: ifinfomsg.of({}),
    attrs: { extMask: RTEXT_FILTER_SKIP_STATS, master: query.master },
  };
  return (await conn.dump(message(RTM_GETLINK, 0, value), RTM_NEWLINK)).map(linkFromMessage);
}
