/** First packets of flows as frames, whole enough for connection tracking: with checksums that are right. */
import { type Address, addressToBytes, familyOf } from '../../src/net/index.js';
import type { Flow, FlowProtocol } from '../../src/policy/index.js';
import { type Ends, ethernet } from './frames.js';

const be16 = (value: number): number[] => [(value >> 8) & 255, value & 255];
const be32 = (value: number): number[] => [...be16(value >>> 16), ...be16(value & 0xffff)];

/** linux/in.h IPPROTO_* */
const NUMBERS = { icmp: 1, tcp: 6, udp: 17, icmpv6: 58, sctp: 132 } as const;
const SYN = 2;
const ACK = 16;

/** What of a packet its flow does not say. */
export interface Segment {
  /** Of TCP, UDP and SCTP, or what tells echoes apart; default: one for each packet. */
  readonly sourcePort?: number;
  /** The second packet of a TCP connection, whose port to which is in `port`. */
  readonly isAnswer?: boolean;
  /** Of TCP, what the one who began a connection sends after its answer; what else is sent twice is the same. */
  readonly isLater?: boolean;
}

/** The frame, in hex. Ends with "weft" and `index` in four octets. */
export function frameOf(packet: Flow & Segment, macs: Ends, index: number): string {
  const { source, destination, protocol } = packet;
  const mark = [...Buffer.from('weft'), ...be32(index)];
  const ports = 20_000 + (index % 40_000);
  const payload = payloadOf(packet, packet.sourcePort ?? ports, mark);
  const number = typeof protocol === 'number' ? protocol : NUMBERS[protocol];
  const at = checksumAt(protocol);
  if (at !== undefined) {
    const isIpv4Icmp = protocol === 'icmp';
    const pseudo = isIpv4Icmp ? [] : pseudoHeader(source, destination, number, payload.length);
    payload.splice(at, 2, ...checksum([...pseudo, ...payload]));
  }
  if (protocol === 'sctp') payload.splice(8, 4, ...crc32c(payload));
  return familyOf(source) === 4
    ? ethernet(macs, 0x0800, ipv4(source, destination, number, payload))
    : ethernet(macs, 0x86dd, ipv6(source, destination, number, payload));
}

function payloadOf(packet: Flow & Segment, sourcePort: number, mark: number[]): number[] {
  if ('type' in packet) return [packet.type, 0, 0, 0, ...be16(sourcePort), 0, 1, ...mark];
  if (!('port' in packet)) return mark;
  const ports = [...be16(sourcePort), ...be16(packet.port)];
  if (packet.protocol === 'udp') return [...ports, ...be16(8 + mark.length), 0, 0, ...mark];
  if (packet.protocol === 'tcp') {
    const flags = packet.isLater ? ACK : packet.isAnswer ? SYN | ACK : SYN;
    const acked = packet.isLater || packet.isAnswer ? 2 : 0;
    const sequence = packet.isLater ? 2 : 1;
    const numbers = [...be32(sequence), ...be32(acked)];
    return [...ports, ...numbers, 5 << 4, flags, 0xff, 0xff, 0, 0, 0, 0, ...mark];
  }
  // RFC 9260 section 3.3.2: an INIT chunk, with the mark as a parameter that is to be skipped.
  const parameter = [0xc0, 0xff, ...be16(4 + mark.length), ...mark];
  const init = [...be32(1), ...be32(0xffff), ...be16(1), ...be16(1), ...be32(1), ...parameter];
  return [...ports, ...be32(0), ...be32(0), 1, 0, ...be16(4 + init.length), ...init];
}

function checksumAt(protocol: FlowProtocol['protocol']): number | undefined {
  const places: { readonly [name: string]: number } = { icmp: 2, icmpv6: 2, tcp: 16, udp: 6 };
  return places[protocol];
}

function pseudoHeader(from: Address, to: Address, protocol: number, length: number): number[] {
  const addresses = [...addressToBytes(from), ...addressToBytes(to)];
  return familyOf(from) === 4
    ? [...addresses, 0, protocol, ...be16(length)]
    : [...addresses, ...be32(length), 0, 0, 0, protocol];
}

function ipv4(from: Address, to: Address, protocol: number, payload: number[]): Uint8Array {
  const start = [0x45, 0, ...be16(20 + payload.length), 0, 0, 0, 0, 64, protocol, 0, 0];
  const header = [...start, ...addressToBytes(from), ...addressToBytes(to)];
  header.splice(10, 2, ...checksum(header));
  return Uint8Array.from([...header, ...payload]);
}

function ipv6(from: Address, to: Address, protocol: number, payload: number[]): Uint8Array {
  const start = [0x60, 0, 0, 0, ...be16(payload.length), protocol, 64];
  return Uint8Array.from([...start, ...addressToBytes(from), ...addressToBytes(to), ...payload]);
}

/** RFC 1071 */
function checksum(bytes: readonly number[]): number[] {
  let sum = 0;
  for (let i = 0; i < bytes.length; i += 2) sum += (bytes[i]! << 8) + (bytes[i + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return be16(~sum & 0xffff);
}

/** RFC 9260 appendix A, in the order of the wire. */
function crc32c(bytes: readonly number[]): number[] {
  let crc = ~0;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f6_3b78 : 0);
  }
  return be32(~crc >>> 0).toReversed();
}
