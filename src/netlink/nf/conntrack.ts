/** linux/netfilter/nfnetlink_conntrack.h: what the kernel remembers of connections; to read, and to make it forget some. */
import type { Address } from '../../net/index.js';
import { attrs, nested } from '../attr.js';
import { type Codec, type Value, be16, be32, u32, u8 } from '../codec.js';
import type { Connection } from '../connection.js';
import { address } from '../domain.js';
import { type MessageType, message } from '../message.js';
import { headed } from '../struct.js';
import { FAMILY, nfgenmsg } from './wire.js';

/** linux/netfilter/nfnetlink.h NFNL_SUBSYS_CTNETLINK */
const SUBSYSTEM = 1;

/** CTA_TUPLE_*, CTA_IP_V4_*, CTA_PROTO_* */
const tuple = attrs('CTA_TUPLE', {
  ip: [
    1,
    nested(
      attrs('CTA_IP', {
        source: [1, address],
        destination: [2, address],
        source6: [3, address],
        destination6: [4, address],
      }),
    ),
  ],
  protocol: [
    2,
    nested(
      attrs('CTA_PROTO', {
        number: [1, u8],
        sourcePort: [2, be16],
        destinationPort: [3, be16],
        icmpType: [5, u8],
        icmpv6Type: [8, u8],
      }),
    ),
  ],
  zone: [3, be16],
});
type Tuple = Value<typeof tuple>;
const entry = headed(
  nfgenmsg,
  attrs('CTA', {
    origin: [1, nested(tuple)],
    state: [
      4,
      nested(
        attrs('CTA_PROTOINFO', {
          tcp: [1, nested(attrs('CTA_PROTOINFO_TCP', { state: [1, u8] }))],
        }),
      ),
    ],
    filter: [25, nested(attrs('CTA_FILTER', { originFlags: [1, u32] }))],
  }),
);
const stats = headed(nfgenmsg, attrs('CTA_STATS_GLOBAL', { entries: [1, be32] }));

const type = <T>(name: string, number: number, codec: Codec<T>): MessageType<T> => ({
  name,
  type: (SUBSYSTEM << 8) | number,
  codec,
});
const IPCTNL_MSG_CT_NEW = type('IPCTNL_MSG_CT_NEW', 0, entry);
const IPCTNL_MSG_CT_GET = type('IPCTNL_MSG_CT_GET', 1, entry);
const IPCTNL_MSG_CT_DELETE = type('IPCTNL_MSG_CT_DELETE', 2, entry);
const IPCTNL_MSG_CT_GET_STATS = type('IPCTNL_MSG_CT_GET_STATS', 5, stats);

/** linux/netfilter/nf_conntrack_tcp.h TCP_CONNTRACK_TIME_WAIT; one that is reset is beyond it. */
const TIME_WAIT = 7;

/** IPPROTO_UDP */
const UDP = 17;
/** What of a filter's tuple counts (Linux 5.8): the destination's address, the protocol, the destination's port. */
const BY_DESTINATION = (1 << 1) | (1 << 3) | (1 << 5);

/**
 * Makes the kernel forget what was sent to this address and port by UDP over IPv4: where it really goes is then decided
 * anew, by the rules as they are, with the next datagram. `conn` is one of NETLINK.NETFILTER. Throws what the kernel refuses,
 * EOPNOTSUPP or EINVAL where it is built without nf_conntrack_netlink.
 *
 * Not by TCP: what is open there has somebody at its end, and would be reset.
 */
export async function forgetDatagrams(
  conn: Connection,
  to: { readonly address: Address; readonly port: number },
): Promise<void> {
  const head = nfgenmsg.of({ family: FAMILY.ip });
  // A dump walks through the entries of all namespaces, and most that are asked about have none.
  const counted = message(IPCTNL_MSG_CT_GET_STATS, 0, { head, attrs: {} }, 'connections');
  const { attrs: count } = await conn.get(counted, IPCTNL_MSG_CT_GET_STATS);
  if (count.entries === 0) return;
  const origin = {
    ip: { destination: to.address },
    protocol: { number: UDP, destinationPort: to.port },
  };
  const wanted = { origin, filter: { originFlags: BY_DESTINATION } };
  const asked = message(IPCTNL_MSG_CT_GET, 0, { head, attrs: wanted }, 'connections');
  const found = await conn.dump(asked, IPCTNL_MSG_CT_NEW);
  const gone = found.flatMap(({ attrs: { origin: each } }) => {
    const { ip, protocol } = each ?? {};
    const isMeant =
      ip?.destination === to.address &&
      protocol?.destinationPort === to.port &&
      protocol.number === UDP;
    return isMeant ? [message(IPCTNL_MSG_CT_DELETE, 0, { head, attrs: { origin: each } })] : [];
  });
  const refused = await conn.request(gone);
  // What is gone by itself is gone.
  const error = refused.find((outcome) => outcome !== undefined && outcome.code !== 'ENOENT');
  if (error !== undefined) throw error;
}

/** A connection as it was begun; of a protocol without connections, what the kernel takes for one. */
export interface TrackedConnection {
  readonly source: Address;
  readonly destination: Address;
  /** Number in the IP header. */
  readonly protocol: number;
  /** Where it goes to; absent where the protocol has none. */
  readonly port?: number;
  /** Of ICMP, what it was begun with. */
  readonly icmpType?: number;
}

export interface TrackedConnections {
  /** How many the namespace has, in more than was asked for those of TCP that have ended. */
  readonly count: number;
  /** All that have not ended; none of more than was asked for. */
  readonly connections: readonly TrackedConnection[];
}

/** The connections that the kernel knows in this namespace, if they are at most `max`. Throws as {@link forgetDatagrams}. */
export async function readConnections(conn: Connection, max: number): Promise<TrackedConnections> {
  const head = nfgenmsg.of({});
  const counted = message(IPCTNL_MSG_CT_GET_STATS, 0, { head, attrs: {} }, 'connections');
  const { entries: count = 0 } = (await conn.get(counted, IPCTNL_MSG_CT_GET_STATS)).attrs;
  if (count === 0 || count > max) return { count, connections: [] };
  const asked = message(IPCTNL_MSG_CT_GET, 0, { head, attrs: {} }, 'connections');
  const found = await conn.dump(asked, IPCTNL_MSG_CT_NEW);
  const connections = found.flatMap(({ attrs: { origin, state } }) =>
    origin && (state?.tcp?.state ?? 0) < TIME_WAIT ? connectionOf(origin) : [],
  );
  return { count: connections.length, connections };
}

function connectionOf({ ip = {}, protocol: { number, ...rest } = {} }: Tuple): TrackedConnection[] {
  const { source = ip.source6, destination = ip.destination6 } = ip;
  if (source === undefined || destination === undefined || number === undefined) return [];
  const { destinationPort: port, icmpType = rest.icmpv6Type } = rest;
  return [
    {
      source,
      destination,
      protocol: number,
      ...(port !== undefined && { port }),
      ...(icmpType !== undefined && { icmpType }),
    },
  ];
}
