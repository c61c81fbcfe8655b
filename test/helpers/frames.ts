/** Ethernet frames by hand, as a container with raw sockets can send them. All in hex. */
import { type Address, type Mac, addressToBytes, macToBytes } from '../../src/net/index.js';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const ip = (address: string): Uint8Array => addressToBytes(address as Address);
const mac = (text: string): Uint8Array => macToBytes(text as Mac);
const be16 = (value: number): number[] => [value >> 8, value & 255];

/** RFC 1071 */
function checksum(bytes: Uint8Array): number[] {
  let sum = 0;
  for (let i = 0; i < bytes.length; i += 2) sum += (bytes[i]! << 8) + (bytes[i + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return be16(~sum & 0xffff);
}

export interface Ends {
  readonly from: string;
  readonly to: string;
}

export function ethernet(
  macs: Ends,
  etherType: number,
  payload: Uint8Array,
  vlan?: number,
): string {
  const tag = vlan === undefined ? [] : [0x81, 0, ...be16(vlan)];
  return hex(
    Uint8Array.of(...mac(macs.to), ...mac(macs.from), ...tag, ...be16(etherType), ...payload),
  );
}

/** RFC 826; operation 1 asks, 2 answers. */
export function arp(
  operation: number,
  sender: { mac: string; ip: string },
  target: string,
): Uint8Array {
  const ethernetAndIp = [0, 1, 8, 0, 6, 4];
  return Uint8Array.of(
    ...ethernetAndIp,
    ...be16(operation),
    ...mac(sender.mac),
    ...ip(sender.ip),
    ...new Uint8Array(6),
    ...ip(target),
    ...new Uint8Array(18),
  );
}

/** An IPv4 packet of an experimental protocol (RFC 3692: 253). */
export function ipv4(ends: Ends, payload: Uint8Array): Uint8Array {
  const start = [0x45, 0, ...be16(20 + payload.length), 0, 0, 0, 0, 64, 253, 0, 0];
  const header = Uint8Array.of(...start, ...ip(ends.from), ...ip(ends.to));
  header.set(checksum(header), 10);
  return Uint8Array.of(...header, ...payload);
}

export function ipv6(ends: Ends, nextHeader: number, payload: Uint8Array): Uint8Array {
  const start = [0x60, 0, 0, 0, ...be16(payload.length), nextHeader, 255];
  return Uint8Array.of(...start, ...ip(ends.from), ...ip(ends.to), ...payload);
}

/** RFC 4443 */
export function icmpv6(ends: Ends, type: number, body: Uint8Array): Uint8Array {
  const message = Uint8Array.of(type, 0, 0, 0, ...body);
  const pseudo = [...ip(ends.from), ...ip(ends.to), 0, 0, ...be16(message.length), 0, 0, 0, 58];
  message.set(checksum(Uint8Array.of(...pseudo, ...message)), 2);
  return ipv6(ends, 58, message);
}

/** The body of a solicitation or an advertisement (RFC 4861 4.3, 4.4) with one link-layer option. */
export function discovery(target: string, option: 1 | 2, linkLayer: string): Uint8Array {
  return Uint8Array.of(0x20, 0, 0, 0, ...ip(target), option, 1, ...mac(linkLayer));
}
