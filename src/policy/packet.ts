/** From a packet's first octets to the flow it belongs to, as its sender began it or as it answers. */
import { type Address, addressFromBytes } from '../net/index.js';
import type { Flow, FlowProtocol } from './model.js';

/** linux/in.h IPPROTO_*, by the names that rules have. */
export const TRANSPORTS = { 6: 'tcp', 17: 'udp', 132: 'sctp' } as const;
export const ICMP = { 1: 'icmp', 58: 'icmpv6' } as const;
/** RFC 8200: what may stand between the header and the transport, but for the fragment header. */
const EXTENSIONS = new Set([0, 43, 60]);
const FRAGMENT = 44;

/** Undefined for what is no whole header of IPv4 or IPv6. */
export function readFlow(octets: Uint8Array): Flow | undefined {
  const bytes = Buffer.from(octets.buffer, octets.byteOffset, octets.byteLength);
  const version = (bytes[0] ?? 0) >> 4;
  if (version === 4 && bytes.length >= 20) {
    const protocol = protocolOf(bytes[9]!, bytes.subarray((bytes[0]! & 15) * 4));
    const isFirst = (bytes.readUInt16BE(6) & 0x1fff) === 0;
    return { ...ends(bytes, 12, 4), ...(isFirst ? protocol : { protocol: bytes[9]! }) };
  }
  if (version === 6 && bytes.length >= 40) {
    const [next, rest] = pastExtensions(bytes[6]!, bytes.subarray(40));
    return { ...ends(bytes, 8, 16), ...protocolOf(next, rest) };
  }
  return undefined;
}

function ends(
  bytes: Buffer,
  at: number,
  length: number,
): { source: Address; destination: Address } {
  const addressAt = (start: number): Address =>
    addressFromBytes(Uint8Array.from(bytes.subarray(start, start + length)));
  return { source: addressAt(at), destination: addressAt(at + length) };
}

function pastExtensions(first: number, after: Buffer): [number, Buffer] {
  let [next, rest] = [first, after];
  while ((EXTENSIONS.has(next) || next === FRAGMENT) && rest.length >= 8) {
    const length = next === FRAGMENT ? 8 : (rest[1]! + 1) * 8;
    next = rest[0]!;
    rest = rest.subarray(length);
  }
  return [next, rest];
}

function protocolOf(number: number, rest: Buffer): FlowProtocol {
  if (number in TRANSPORTS && rest.length >= 4) {
    const protocol = TRANSPORTS[number as keyof typeof TRANSPORTS];
    return { protocol, port: rest.readUInt16BE(2) };
  }
  if (number in ICMP && rest.length >= 1) {
    return { protocol: ICMP[number as keyof typeof ICMP], type: rest[0]! };
  }
  return { protocol: number };
}
