/**
 * What a container may send: only frames from its own MAC, with its own addresses inside.
 *
 * One table per network, in its namespace, at the bridge's first hook. What comes from vxlan0 passes, for its sender's host
 * has judged it; what comes from a port passes when port, MAC and address are an element of a set. Endpoints only change
 * elements, so that one more container costs one message and never touches the rules of others. All else is dropped: other
 * protocols, VLAN tags, router advertisements, redirects, ARP and neighbor discovery that speak for others.
 */
import {
  type Address,
  type Mac,
  addressFromBytes,
  familyOf,
  macToBytes,
  parseAddress,
} from '../net/index.js';
import { nft } from '../netlink/index.js';
import { VXLAN } from './names.js';

/** What one port may send from. */
export interface Sender {
  /** Ifindex of the port. */
  readonly port: number;
  readonly mac: Mac;
  readonly addresses: readonly Address[];
}

export const SPOOF_TABLE = { family: 'bridge', name: 'weft' } as const satisfies nft.TableRef;

const PORT = 'iface_index';
const MAC = 'ether_addr';
export const senderSets = {
  macs: { name: 'macs', type: [PORT, MAC] },
  senders4: { name: 'senders4', type: [PORT, MAC, 'ipv4_addr'] },
  senders6: { name: 'senders6', type: [PORT, MAC, 'ipv6_addr'] },
} as const satisfies Record<string, nft.SetSpec>;
export type SenderSet = keyof typeof senderSets;

/** One element of one of the sets. Its key starts with the port. */
export interface SenderElement {
  readonly set: SenderSet;
  readonly key: nft.Key;
}

export const elementId = ({ set, key }: SenderElement): string => `${set} ${key.join(' ')}`;

/** RFC 4291 appendix A: the link-local address that a link gives itself. */
export function linkLocalOf(mac: Mac): Address {
  const [first = 0, ...rest] = macToBytes(mac);
  const id = [first ^ 2, ...rest.slice(0, 2), 0xff, 0xfe, ...rest.slice(2)];
  return addressFromBytes(Uint8Array.of(0xfe, 0x80, 0, 0, 0, 0, 0, 0, ...id));
}

export function elementsOf({ port, mac, addresses }: Sender): SenderElement[] {
  const own = [...addresses, linkLocalOf(mac)].map((address) => {
    const set = familyOf(address) === 4 ? 'senders4' : 'senders6';
    return { set, key: [port, mac, address] } as const;
  });
  return [{ set: 'macs', key: [port, mac] }, ...own];
}

/** linux/if_ether.h ETH_P_*, as on the wire: behind a VLAN tag they are not seen. */
const ETHER_TYPE = { ip: 0x0800, arp: 0x0806, ip6: 0x86dd } as const;
const ICMPV6 = 58;
/** RFC 4861 */
const ND = { routerAdvert: 134, solicit: 135, advert: 136, redirect: 137 } as const;
/** Type and length of the option that names a link-layer address. */
const OPTION = { source: 0x0101, target: 0x0201 } as const;

/** NF_BR_PRI_NAT_DST_BRIDGED: before all others that are usual there. */
const PRIORITY = -300;

const { rule, concat, meta, ether, ip, ip6, arp, icmpv6, accept, drop, counter } = nft;

const isIp = ether.type.is(ETHER_TYPE.ip);
const isIp6 = ether.type.is(ETHER_TYPE.ip6);
const isArp = ether.type.is(ETHER_TYPE.arp);
const isIcmp6 = meta.l4proto.is(ICMPV6);
const isOtherThanIcmp6 = meta.l4proto.not(ICMPV6);
const isRouterAdvert = icmpv6.type.is(ND.routerAdvert);
const isRedirect = icmpv6.type.is(ND.redirect);
const isAdvert = icmpv6.type.is(ND.advert);
const isSolicit = icmpv6.type.is(ND.solicit);
const namesTarget = icmpv6.firstOption.is(OPTION.target);
const namesSource = icmpv6.firstOption.is(OPTION.source);
const hasNoIp = arp.saddrIp.is(parseAddress('0.0.0.0'));
const hasNoIp6 = ip6.saddr.is(parseAddress('::'));

const hasOwnMac = concat(meta.iif, ether.saddr).in('macs');
const hasOwnIp = concat(meta.iif, ether.saddr, ip.saddr).in('senders4');
const hasOwnIp6 = concat(meta.iif, ether.saddr, ip6.saddr).in('senders6');
const isOwnArp = concat(meta.iif, arp.saddrEther, arp.saddrIp).in('senders4');
const isOwnProbe = concat(meta.iif, arp.saddrEther).in('macs');
const isForAnother = concat(meta.iif, ether.saddr, icmpv6.target).notIn('senders6');
const namesAnother = concat(meta.iif, icmpv6.firstOptionMac).notIn('macs');

/** Most packets are decided by the second or third. */
const rules = [
  rule('from other hosts', meta.iifname.is(VXLAN), accept),
  rule(undefined, isIp, hasOwnIp, accept),
  rule(undefined, isIp6, isOtherThanIcmp6, hasOwnIp6, accept),
  rule(undefined, isArp, hasOwnMac, isOwnArp, accept),
  rule('asks whether an address is free', isArp, hasOwnMac, hasNoIp, isOwnProbe, accept),
  rule('is no router', isRouterAdvert, counter, drop),
  rule('is no router', isRedirect, counter, drop),
  rule('speaks for another', isAdvert, isForAnother, counter, drop),
  rule('names another MAC', isAdvert, namesTarget, namesAnother, counter, drop),
  rule('names another MAC', isSolicit, namesSource, namesAnother, counter, drop),
  rule(undefined, isIp6, hasOwnIp6, accept),
  rule('has no address yet', isIp6, hasOwnMac, hasNoIp6, isIcmp6, accept),
  rule('spoofed', counter, drop),
];

/** The table that lets these elements pass. */
export function spoofTable(elements: readonly SenderElement[]): nft.TableSpec {
  return {
    ...SPOOF_TABLE,
    sets: Object.entries(senderSets).map(([name, set]) => ({
      ...set,
      elements: elements.filter((element) => element.set === name),
    })),
    chains: [
      {
        name: 'from-containers',
        base: { type: 'filter', hook: 'prerouting', priority: PRIORITY, policy: 'drop' },
        rules,
      },
    ],
  };
}
