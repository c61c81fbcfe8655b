/** From a connection as the kernel tracks it to the flow that its first packet was. */
import type { TrackedConnection } from '../netlink/index.js';
import type { Flow } from './model.js';
import { ICMP, TRANSPORTS } from './packet.js';

export function flowOf({ source, destination, ...tracked }: TrackedConnection): Flow {
  const { protocol: number, port, icmpType: type } = tracked;
  const ends = { source, destination };
  if (port !== undefined && number in TRANSPORTS) {
    return { ...ends, protocol: TRANSPORTS[number as keyof typeof TRANSPORTS], port };
  }
  if (type !== undefined && number in ICMP) {
    return { ...ends, protocol: ICMP[number as keyof typeof ICMP], type };
  }
  return { ...ends, protocol: number };
}
