/** linux/rtnetlink.h rtmsg, RTA_*, rtnexthop: routes as the wire has them. */
import { type Address } from '../../net/index.js';
import { align4, attrs } from '../attr.js';
import { type Codec, type Value, i32, u16, u32, u8 } from '../codec.js';
import { address } from '../domain.js';
import { malformed } from '../errors.js';
import { type MessageType } from '../message.js';
import { headed, struct } from '../struct.js';

export const rtmsg = struct('rtmsg', {
  family: u8,
  dstLength: u8,
  srcLength: u8,
  tos: u8,
  table: u8,
  protocol: u8,
  scope: u8,
  type: u8,
  flags: u32,
});

/** struct rtvia: a gateway of another family than the route's. */
const via: Codec<Address> = {
  name: 'rtvia',
  size: (value) => 2 + address.size(value),
  write(out, at, value) {
    out.writeUInt16LE(value.includes(':') ? 10 : 2, at);
    return address.write(out, at + 2, value);
  },
  read(from, at, length) {
    if (length < 2) throw malformed({ table: 'rtvia', offset: at }, `${length} octets`);
    return address.read(from, at + 2, length - 2);
  },
};

const rtnexthop = struct('rtnexthop', { length: u16, flags: u8, hops: u8, ifindex: i32 });
const nexthopAttrs = attrs('RTA', { gateway: [5, address], via: [18, via] });

export interface Nexthop {
  readonly ifindex: number;
  readonly gateway?: Address | undefined;
  readonly via?: Address | undefined;
  /** 1 to 256. */
  readonly weight: number;
}

/** RTA_MULTIPATH: an array of structs, each with its length and attributes of its own. */
const nexthops: Codec<readonly Nexthop[]> = {
  name: 'RTA_MULTIPATH',
  size: (values) =>
    values.reduce(
      (sum, { gateway, via: v }) => sum + rtnexthop.octets + nexthopAttrs.size({ gateway, via: v }),
      0,
    ),
  write(out, start, values) {
    let at = start;
    for (const { ifindex, weight, gateway, via: v } of values) {
      const end = nexthopAttrs.write(out, at + rtnexthop.octets, { gateway, via: v });
      rtnexthop.write(out, at, { length: end - at, flags: 0, hops: weight - 1, ifindex });
      at = end;
    }
    return at;
  },
  read(from, start, length) {
    const end = start + length;
    const values: Nexthop[] = [];
    for (let at = start; at + rtnexthop.octets <= end;) {
      const hop = rtnexthop.read(from, at, rtnexthop.octets);
      if (hop.length < rtnexthop.octets || at + hop.length > end) {
        throw malformed({ table: 'rtnexthop', offset: at }, `length ${hop.length}`);
      }
      const inner = hop.length - rtnexthop.octets;
      const more = nexthopAttrs.read(from, at + rtnexthop.octets, inner);
      values.push({ ifindex: hop.ifindex, weight: hop.hops + 1, ...more });
      at += align4(hop.length);
    }
    return values;
  },
};

export const routeCodec = headed(
  rtmsg,
  attrs('RTA', {
    dst: [1, address],
    src: [2, address],
    inputIfindex: [3, u32],
    ifindex: [4, u32],
    gateway: [5, address],
    priority: [6, u32],
    preferredSource: [7, address],
    metrics: [8, attrs('RTAX', { mtu: [2, u32] })],
    nexthops: [9, nexthops],
    table: [15, u32],
    mark: [16, u32],
    via: [18, via],
    nexthopId: [30, u32],
  }),
);
export type RouteMessage = Value<typeof routeCodec>;

const routeType = (name: string, type: number): MessageType<RouteMessage> => ({
  name,
  type,
  codec: routeCodec,
});
export const RTM_NEWROUTE = routeType('RTM_NEWROUTE', 24);
export const RTM_DELROUTE = routeType('RTM_DELROUTE', 25);
export const RTM_GETROUTE = routeType('RTM_GETROUTE', 26);
