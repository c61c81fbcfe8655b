/** The messages that make, change and delete links. */
import { type Mac } from '../../net/index.js';
import { type Message, NLM_F, message } from '../message.js';
import { type BridgeOptions, type BridgePortOptions } from './bridge.js';
import { type AddrGenMode, type LinkRef, aboutLink, addrGenModes, byRef } from './link.js';
import {
  IFF,
  type LinkMessage,
  RTM_DELLINK,
  RTM_DELLINKPROP,
  RTM_NEWLINK,
  RTM_NEWLINKPROP,
  ifinfomsg,
} from './link-table.js';
import { type VxlanOptions, vxlanToAttrs } from './vxlan.js';

/** What the kernel honours in the message that makes a link; for alias and addrGenMode it takes {@link setLink}. */
export interface LinkBasics {
  readonly name: string;
  /** Asks for this ifindex in the link's namespace. */
  readonly ifindex?: number | undefined;
  readonly mac?: Mac | undefined;
  readonly mtu?: number | undefined;
  readonly group?: number | undefined;
  readonly txQueueLength?: number | undefined;
  /** The namespace to make it in; default: the connection's. */
  readonly netnsFd?: number | undefined;
}

/** The peer cannot be made up at once: the kernel refuses with ENOTCONN. */
export interface VethSpec {
  readonly type: 'veth';
  readonly peer: LinkBasics;
}

export interface LinkSpec extends LinkBasics {
  readonly isUp?: boolean | undefined;
  readonly kind:
    | ({ readonly type: 'vxlan' } & VxlanOptions)
    | ({ readonly type: 'bridge' } & BridgeOptions)
    | VethSpec;
  /** Ifindex of a bridge in the link's namespace. */
  readonly master?: number | undefined;
}

export interface LinkChanges {
  readonly mac?: Mac | undefined;
  readonly mtu?: number | undefined;
  readonly group?: number | undefined;
  readonly txQueueLength?: number | undefined;
  readonly isUp?: boolean | undefined;
  readonly isPromiscuous?: boolean | undefined;
  /** Empty takes it away. */
  readonly alias?: string | undefined;
  readonly addrGenMode?: AddrGenMode | undefined;
  /** Ifindex of a bridge; 0 leaves the one it is in. */
  readonly master?: number | undefined;
  /** Moves the link; the other changes are made before. */
  readonly netnsFd?: number | undefined;
}

function upFlags(isUp: boolean | undefined, isPromiscuous?: boolean) {
  let flags = 0;
  let change = 0;
  if (isUp !== undefined) change |= IFF.UP;
  if (isUp === true) flags |= IFF.UP;
  if (isPromiscuous !== undefined) change |= IFF.PROMISC;
  if (isPromiscuous === true) flags |= IFF.PROMISC;
  return { flags, change };
}

function basics(link: LinkBasics & { readonly isUp?: boolean | undefined }) {
  const { name, mac, mtu, group, txQueueLength, netnsFd, ifindex = 0, isUp } = link;
  return {
    head: ifinfomsg.of({ ifindex, ...upFlags(isUp) }),
    attrs: { name, address: mac, mtu, txQueueLength, group, netnsFd },
  };
}

type OwnInfo = NonNullable<NonNullable<LinkMessage['attrs']['linkInfo']>['own']>;

function infoOf(kind: LinkSpec['kind']): OwnInfo {
  if (kind.type === 'veth') return { kind: 'veth', data: { peer: basics(kind.peer) } };
  if (kind.type === 'bridge') {
    const { type, ...options } = kind;
    return { kind: type, data: options };
  }
  const { type, ...options } = kind;
  return { kind: type, data: vxlanToAttrs(options) };
}

/** Makes a link, both ends of a veth at once. EEXIST when the name is taken, or for VXLAN the VNI and port. */
export function newLink(spec: LinkSpec): Message {
  const { head, attrs } = basics(spec);
  const { kind, master } = spec;
  const value = { head, attrs: { ...attrs, master, linkInfo: { own: infoOf(kind) } } };
  return message(RTM_NEWLINK, NLM_F.CREATE | NLM_F.EXCL, value, aboutLink(spec.name));
}

/**
 * Changes a link; ENODEV when there is none. The kernel goes through the changes in an order of its own and stops at the
 * first it refuses. It brings a link up before it looks at addrGenMode: set that in a message before.
 */
export function setLink(ref: LinkRef, changes: LinkChanges): Message {
  const { mac, addrGenMode, isUp, isPromiscuous, ...same } = changes;
  const { head, attrs } = byRef(ref);
  const afSpec = addrGenMode && { inet6: { addrGenMode: addrGenModes.indexOf(addrGenMode) } };
  const value = {
    head: { ...head, ...upFlags(isUp, isPromiscuous) },
    attrs: { ...attrs, address: mac, ...same, afSpec },
  };
  return message(RTM_NEWLINK, 0, value, aboutLink(ref));
}

/** Renames a link; since Linux 6.2 also one that is up, before that EBUSY. */
export function renameLink(ifindex: number, name: string): Message {
  const value = { head: ifinfomsg.of({ ifindex }), attrs: { name } };
  return message(RTM_NEWLINK, 0, value, aboutLink(ifindex));
}

/** Changes a link as a port of the bridge it is in; EOPNOTSUPP when it is in none. */
export function setBridgePort(ref: LinkRef, port: BridgePortOptions): Message {
  const { head, attrs } = byRef(ref);
  const linkInfo = { port: { kind: 'bridge', data: port } } as const;
  return message(RTM_NEWLINK, 0, { head, attrs: { ...attrs, linkInfo } }, aboutLink(ref));
}

/** Deletes a link, and with it the other end of a veth; ENODEV when there is none. */
export function deleteLink(ref: LinkRef): Message {
  return message(RTM_DELLINK, 0, byRef(ref), aboutLink(ref));
}

/** Gives a link one more name, up to 127 octets; EEXIST when it is taken. */
export function addAltName(ref: LinkRef, altName: string): Message {
  const { head, attrs } = byRef(ref);
  const value = { head, attrs: { ...attrs, altNames: [altName] } };
  return message(RTM_NEWLINKPROP, NLM_F.CREATE | NLM_F.EXCL | NLM_F.APPEND, value, aboutLink(ref));
}

export function deleteAltName(ref: LinkRef, altName: string): Message {
  const { head, attrs } = byRef(ref);
  return message(
    RTM_DELLINKPROP,
    0,
    { head, attrs: { ...attrs, altNames: [altName] } },
    aboutLink(ref),
  );
}
