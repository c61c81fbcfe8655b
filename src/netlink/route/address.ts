/** Addresses of links (linux/if_addr.h). */
import { type Address, type AddressWithLength, type Family } from '../../net/index.js';
import { attrs } from '../attr.js';
import { type Value, string, u32, u8 } from '../codec.js';
import { type Connection } from '../connection.js';
import { address } from '../domain.js';
import { type Message, type MessageType, NLM_F, message } from '../message.js';
import { headed, struct } from '../struct.js';
import { afOf, afOfAddress, isIp } from './family.js';

const ifaddrmsg = struct('ifaddrmsg', {
  family: u8,
  prefixLength: u8,
  flags: u8,
  scope: u8,
  ifindex: u32,
});

export const addressCodec = headed(
  ifaddrmsg,
  attrs('IFA', {
    address: [1, address],
    local: [2, address],
    label: [3, string],
    broadcast: [4, address],
    cacheInfo: [
      6,
      struct('ifa_cacheinfo', { preferredSec: u32, validSec: u32, createdCs: u32, updatedCs: u32 }),
    ],
    flags: [8, u32],
    metric: [9, u32],
    protocol: [11, u8],
  }),
);
export type AddressMessage = Value<typeof addressCodec>;

const addressType = (name: string, type: number): MessageType<AddressMessage> => ({
  name,
  type,
  codec: addressCodec,
});
export const RTM_NEWADDR = addressType('RTM_NEWADDR', 20);
export const RTM_DELADDR = addressType('RTM_DELADDR', 21);
const RTM_GETADDR = addressType('RTM_GETADDR', 22);

/** linux/if_addr.h IFA_F_* */
const IFA_F = {
  NODAD: 0x02,
  DADFAILED: 0x08,
  DEPRECATED: 0x20,
  TENTATIVE: 0x40,
  PERMANENT: 0x80,
  NOPREFIXROUTE: 0x200,
} as const;

/** linux/rtnetlink.h RT_SCOPE_* */
const scopes = { global: 0, site: 200, link: 253, host: 254 } as const;
export type AddressScope = keyof typeof scopes;
const scopeNames = new Map(
  Object.entries(scopes).map(([name, scope]) => [scope as number, name as AddressScope]),
);

export interface LinkAddress extends AddressWithLength {
  readonly ifindex: number;
  /** Default: global. */
  readonly scope?: AddressScope | undefined;
  /** The other end of a point-to-point link. */
  readonly peer?: Address | undefined;
  readonly broadcast?: Address | undefined;
  /** IPv4 only; the link's name unless given. */
  readonly label?: string | undefined;
  /** Metric of the prefix's route. */
  readonly metric?: number | undefined;
  /** No duplicate address detection (IPv6): usable at once. */
  readonly noDad?: boolean | undefined;
  /** No route to the prefix. */
  readonly noPrefixRoute?: boolean | undefined;
}

export interface ObservedLinkAddress extends LinkAddress {
  readonly scope: AddressScope;
  readonly isPermanent: boolean;
  readonly isTentative: boolean;
  readonly isDadFailed: boolean;
  readonly isDeprecated: boolean;
}

function toMessage(a: LinkAddress): AddressMessage {
  const flags =
    (a.noDad === true ? IFA_F.NODAD : 0) | (a.noPrefixRoute === true ? IFA_F.NOPREFIXROUTE : 0);
  return {
    head: ifaddrmsg.of({
      family: afOfAddress(a.address),
      prefixLength: a.prefixLength,
      flags: flags > 0xff ? 0 : flags,
      scope: scopes[a.scope ?? 'global'],
      ifindex: a.ifindex,
    }),
    attrs: {
      local: a.address,
      address: a.peer ?? a.address,
      broadcast: a.broadcast,
      label: a.label,
      flags: flags > 0xff ? flags : undefined,
      metric: a.metric,
    },
  };
}

const about = (a: LinkAddress): string =>
  `address ${a.address}/${a.prefixLength} on link ${a.ifindex}`;

/** Gives a link an address; EEXIST when it has it. */
export function addAddress(a: LinkAddress): Message {
  return message(RTM_NEWADDR, NLM_F.CREATE | NLM_F.EXCL, toMessage(a), about(a));
}

/** As {@link addAddress}, or changes the lifetime, metric and flags of the one that is there. */
export function replaceAddress(a: LinkAddress): Message {
  return message(RTM_NEWADDR, NLM_F.CREATE | NLM_F.REPLACE, toMessage(a), about(a));
}

/** Takes an address away; EADDRNOTAVAIL when the link does not have it. */
export function deleteAddress(a: LinkAddress): Message {
  return message(RTM_DELADDR, 0, toMessage(a), about(a));
}

/** One message of the kernel's as an address; undefined for families other than IP. */
export function addressFromMessage(m: AddressMessage): ObservedLinkAddress | undefined {
  const { head, attrs: values } = m;
  const own = values.local ?? values.address;
  if (own === undefined || !isIp(head.family)) return undefined;
  const flags = values.flags ?? head.flags;
  return {
    ifindex: head.ifindex,
    address: own,
    prefixLength: head.prefixLength,
    scope: scopeNames.get(head.scope) ?? 'global',
    peer: values.address === own ? undefined : values.address,
    broadcast: values.broadcast,
    label: values.label,
    metric: values.metric,
    noDad: (flags & IFA_F.NODAD) !== 0,
    noPrefixRoute: (flags & IFA_F.NOPREFIXROUTE) !== 0,
    isPermanent: (flags & IFA_F.PERMANENT) !== 0,
    isTentative: (flags & IFA_F.TENTATIVE) !== 0,
    isDadFailed: (flags & IFA_F.DADFAILED) !== 0,
    isDeprecated: (flags & IFA_F.DEPRECATED) !== 0,
  };
}

/** Addresses of all links or of one. */
export async function dumpAddresses(
  conn: Connection,
  query: { readonly ifindex?: number; readonly family?: Family } = {},
): Promise<ObservedLinkAddress[]> {
  const head = ifaddrmsg.of({ family: afOf(query.family), ifindex: query.ifindex ?? 0 });
  const question = message(RTM_GETADDR, 0, { head, attrs: {} });
  const addresses: ObservedLinkAddress[] = [];
  for (const m of await conn.dump(question, RTM_NEWADDR)) {
    const found = addressFromMessage(m);
    if (found) addresses.push(found);
  }
  return addresses;
}
