/** linux/rtnetlink.h ifinfomsg, linux/if_link.h IFLA_*: links as the wire has them. */
import { type Mac } from '../../net/index.js';
import { type UnionCodec, array, attrs, nested, union } from '../attr.js';
import { type Codec, type Value, i32, rest, string, text, u16, u32, u64, u8 } from '../codec.js';
import { mac } from '../domain.js';
import { type MessageType } from '../message.js';
import { headed, skip, struct } from '../struct.js';
import { bridge, bridgePort } from './bridge.js';
import { AF } from './family.js';
import { vxlan } from './vxlan.js';

/** linux/if.h IFF_* */
export const IFF = {
  UP: 0x1,
  LOOPBACK: 0x8,
  NOARP: 0x80,
  PROMISC: 0x100,
  LOWER_UP: 0x10000,
} as const;

/** linux/rtnetlink.h: leave out IPv6 counters, which the kernel gathers from every CPU; rtnl_link_stats64 comes anyway. */
export const RTEXT_FILTER_SKIP_STATS = 8;

export const ifinfomsg = struct('ifinfomsg', {
  family: u8,
  pad: skip(1),
  type: u16,
  ifindex: i32,
  flags: u32,
  change: u32,
});

/** Tunnels and others have addresses of 4, 16 or 20 octets; only Ethernet's are a Mac. */
export const hardwareAddress: Codec<Mac | Uint8Array> = {
  name: 'hardware address',
  size: (value) => (typeof value === 'string' ? 6 : value.length),
  write: (out, at, value) =>
    typeof value === 'string' ? mac.write(out, at, value) : rest.write(out, at, value),
  read: (from, at, length) =>
    length === 6 ? mac.read(from, at, length) : rest.read(from, at, length),
};

/** linux/if_link.h rtnl_link_stats64; newer kernels append. */
const stats64 = struct(
  'rtnl_link_stats64',
  {
    rxPackets: u64,
    txPackets: u64,
    rxBytes: u64,
    txBytes: u64,
    rxErrors: u64,
    txErrors: u64,
    rxDropped: u64,
    txDropped: u64,
    multicast: u64,
    collisions: u64,
  },
  { grows: true },
);

/** What both ends of a veth can be given when they are made. */
const common = {
  address: [1, hardwareAddress],
  name: [3, string],
  mtu: [4, u32],
  txQueueLength: [13, u32],
  group: [27, u32],
  netnsFd: [28, u32],
} as const;

/** linux/veth.h */
const veth = attrs('VETH_INFO', {
  peer: [1, headed(ifinfomsg, attrs('VETH_INFO_PEER', common))],
});

/** Two unions in one nest: what the link is, and what its master makes of it. */
export interface LinkInfo<A, B> {
  readonly own?: A | undefined;
  readonly port?: B | undefined;
}

function linkInfo<A, B>(own: UnionCodec<A>, port: UnionCodec<B>): Codec<LinkInfo<A, B>> {
  return {
    name: 'IFLA_LINKINFO',
    size: (value) =>
      (value.own === undefined ? 0 : own.size(value.own)) +
      (value.port === undefined ? 0 : port.size(value.port)),
    write(out, start, value) {
      const at = value.own === undefined ? start : own.write(out, start, value.own);
      return value.port === undefined ? at : port.write(out, at, value.port);
    },
    read: (from, at, length) => ({
      own: own.present(from, at, length) ? own.read(from, at, length) : undefined,
      port: port.present(from, at, length) ? port.read(from, at, length) : undefined,
    }),
    locate: (from, at, length, offset) =>
      own.present(from, at, length)
        ? own.locate?.(from, at, length, offset)
        : port.locate?.(from, at, length, offset),
  };
}

/** linux/if_link.h IFLA_INET6_*; the table of AF_INET6 in IFLA_AF_SPEC */
const inet6 = attrs('IFLA_INET6', { addrGenMode: [8, u8] });

export const linkAttrs = attrs('IFLA', {
  ...common,
  link: [5, u32],
  master: [10, u32],
  operState: [16, u8],
  linkInfo: [
    18,
    linkInfo(
      union('IFLA_INFO', { kind: 1, data: 2 }, { vxlan, bridge, veth }, text),
      union('IFLA_INFO_SLAVE', { kind: 4, data: 5 }, { bridge: bridgePort }, text),
    ),
  ],
  alias: [20, text],
  stats: [23, stats64],
  afSpec: [26, attrs('IFLA_AF_SPEC', { inet6: [AF.INET6, inet6] })],
  extMask: [29, u32],
  txQueues: [31, u32],
  rxQueues: [32, u32],
  linkNetnsId: [37, i32],
  gsoMaxSegments: [40, u32],
  gsoMaxSize: [41, u32],
  newNetnsId: [45, i32],
  minMtu: [50, u32],
  maxMtu: [51, u32],
  altNames: [52, nested(array('IFLA_PROP_LIST', 53, string))],
  altName: [53, string],
});

export const linkCodec = headed(ifinfomsg, linkAttrs);
export type LinkMessage = Value<typeof linkCodec>;

/** Messages of AF_BRIDGE: a port of a bridge, not the link itself. */
export const bridgePortCodec = headed(
  ifinfomsg,
  attrs('IFLA', { name: [3, string], master: [10, u32], port: [12, nested(bridgePort)] }),
);
export type BridgePortMessage = Value<typeof bridgePortCodec>;

const linkType = (name: string, type: number): MessageType<LinkMessage> => ({
  name,
  type,
  codec: linkCodec,
});
export const RTM_NEWLINK = linkType('RTM_NEWLINK', 16);
export const RTM_DELLINK = linkType('RTM_DELLINK', 17);
export const RTM_GETLINK = linkType('RTM_GETLINK', 18);
export const RTM_NEWLINKPROP = linkType('RTM_NEWLINKPROP', 108);
export const RTM_DELLINKPROP = linkType('RTM_DELLINKPROP', 109);
