import { nft } from '../../netlink/index.js';
import { FORWARD_FROM, RESOLVER } from './sockets.js';

/** NF_IP_PRI_NAT_DST is -100, where Docker's rule is: nat decides once for a connection, so the first one does. */
const PRIORITY = -110;

/** What sends a container's questions to our sockets, and ours past them to Docker's. */
export function resolverTable(udpPort: number, tcpPort: number): nft.TableSpec {
  const { rule, ip, udp, tcp, returnToCaller, dnat } = nft;
  const isAsked = ip.daddr.is(RESOLVER.address);
  return {
    family: 'ip',
    name: 'weft-dns',
    owned: true,
    chains: [
      {
        name: 'to-resolver',
        base: { type: 'nat', hook: 'output', priority: PRIORITY },
        rules: [
          rule("to Docker's resolver", ip.saddr.is(FORWARD_FROM), returnToCaller),
          rule(undefined, isAsked, udp.dport.is(RESOLVER.port), dnat(RESOLVER.address, udpPort)),
          rule(undefined, isAsked, tcp.dport.is(RESOLVER.port), dnat(RESOLVER.address, tcpPort)),
        ],
      },
    ],
  };
}
