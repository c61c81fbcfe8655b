/** linux/netfilter/nfnetlink_conntrack.h: what the kernel remembers of connections, as far as it has to forget some. */
import type { Address } from '../../net/index.js';
import { attrs, nested } from '../attr.js';
import { type Value, be16, u8 } from '../codec.js';
import type { Connection } from '../connection.js';
import { address } from '../domain.js';
import { type MessageType, message } from '../message.js';
import { headed } from '../struct.js';
import { FAMILY, nfgenmsg } from './wire.js';

/** linux/netfilter/nfnetlink.h NFNL_SUBSYS_CTNETLINK */
const SUBSYSTEM = 1;

/** CTA_TUPLE_*, CTA_IP_V4_*, CTA_PROTO_* */
const tuple = attrs('CTA_TUPLE', {
  ip: [1, nested(attrs('CTA_IP', { source: [1, address], destination: [2, address] }))],
  protocol: [
    2,
    nested(
      attrs('CTA_PROTO', { number: [1, u8], sourcePort: [2, be16], destinationPort: [3, be16] }),
    ),
  ],
  zone: [3, be16],
});
const payload = headed(nfgenmsg, attrs('CTA', { origin: [1, nested(tuple)] }));

const type = (name: string, number: number): MessageType<Value<typeof payload>> => ({
  name,
  type: (SUBSYSTEM << 8) | number,
  codec: payload,
});
const IPCTNL_MSG_CT_NEW = type('IPCTNL_MSG_CT_NEW', 0);
const IPCTNL_MSG_CT_GET = type('IPCTNL_MSG_CT_GET', 1);
const IPCTNL_MSG_CT_DELETE = type('IPCTNL_MSG_CT_DELETE', 2);

/** IPPROTO_TCP, IPPROTO_UDP */
const TRANSPORTS: readonly (number | undefined)[] = [6, 17];

/**
 * Makes the kernel forget the TCP and UDP connections over IPv4 that were begun to this address and port: where they really go
 * is then decided anew, by the rules as they are, with the next packet. `conn` is one of NETLINK.NETFILTER. Throws what the
 * kernel refuses, EOPNOTSUPP or EINVAL where it is built without nf_conntrack_netlink.
 */
export async function forgetConnections(
  conn: Connection,
  to: { readonly address: Address; readonly port: number },
): Promise<void> {
  const head = nfgenmsg.of({ family: FAMILY.ip });
  const asked = message(IPCTNL_MSG_CT_GET, 0, { head, attrs: {} }, 'connections');
  const all = await conn.dump(asked, IPCTNL_MSG_CT_NEW);
  const gone = all.flatMap(({ attrs: { origin } }) => {
    const { ip, protocol } = origin ?? {};
    const isMeant =
      ip?.destination === to.address &&
      protocol?.destinationPort === to.port &&
      TRANSPORTS.includes(protocol.number);
    return isMeant ? [message(IPCTNL_MSG_CT_DELETE, 0, { head, attrs: { origin } })] : [];
  });
  const refused = await conn.request(gone);
  // What is gone by itself is gone.
  const error = refused.find((outcome) => outcome !== undefined && outcome.code !== 'ENOENT');
  if (error !== undefined) throw error;
}
