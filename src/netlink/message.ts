/**
 * Netlink messages: what is sent, how a batch becomes octets, how datagrams come apart.
 *
 * linux/netlink.h. A datagram holds one or more messages, each a 16-octet header (length, type, flags, sequence, port)
 * and a payload, padded to four octets.
 */
import { align4, attrs } from './attr.js';
import { type Codec, string, u32 } from './codec.js';
import { NetlinkError, errnoName, malformed } from './errors.js';

/** linux/netlink.h NLMSG_*, NLM_F_* */
export const NLMSG = { NOOP: 1, ERROR: 2, DONE: 3, OVERRUN: 4 } as const;
export const NLM_F = {
  REQUEST: 0x1,
  MULTI: 0x2,
  ACK: 0x4,
  ECHO: 0x8,
  DUMP_INTR: 0x10,
  DUMP: 0x300,
  /** On a message that makes something. */
  REPLACE: 0x100,
  EXCL: 0x200,
  CREATE: 0x400,
  APPEND: 0x800,
  /** On an ack. */
  CAPPED: 0x100,
  ACK_TLVS: 0x200,
} as const;

const HEADER = 16;

/** A kind of message: its name in errors, its number, the codec of its payload. */
export interface MessageType<T> {
  readonly name: string;
  readonly type: number;
  readonly codec: Codec<T>;
}

/** One message to send. `flags` without REQUEST and ACK, which the connection adds. */
export interface Message<T = unknown> {
  readonly kind: MessageType<T>;
  readonly flags: number;
  readonly value: T;
  /** What it is about, for errors: `link "vxlan0"`. */
  readonly about?: string;
  /** False for a message that the kernel does not acknowledge on success (nfnetlink's batch marks). */
  readonly ack?: false;
}

export function message<T>(
  kind: MessageType<T>,
  flags: number,
  value: T,
  about?: string,
): Message<T> {
  return { kind, flags, value, ...(about !== undefined && { about }) };
}

export interface EncodedBatch {
  readonly octets: Buffer;
  /** Number of the first message; the others count on. */
  readonly sequence: number;
  /** Where each message starts. */
  readonly starts: readonly number[];
}

/** Octets of one message in a batch, header and padding included. */
export const encodedSize = (m: Message): number => HEADER + align4(m.kind.codec.size(m.value));

/** Puts messages behind one another, numbered from `sequence`. Throws UNENCODABLE. */
export function encodeBatch(messages: readonly Message[], sequence: number): EncodedBatch {
  let size = 0;
  for (const m of messages) size += encodedSize(m);
  const octets = Buffer.alloc(size);
  const starts: number[] = [];
  let at = 0;
  for (const [i, m] of messages.entries()) {
    const end = m.kind.codec.write(octets, at + HEADER, m.value);
    octets.writeUInt32LE(end - at, at);
    octets.writeUInt16LE(m.kind.type, at + 4);
    octets.writeUInt16LE(m.flags | NLM_F.REQUEST | (m.ack === false ? 0 : NLM_F.ACK), at + 6);
    octets.writeUInt32LE((sequence + i) >>> 0, at + 8);
    starts.push(at);
    at += align4(end - at);
  }
  return { octets, sequence, starts };
}

/** A message as it came, still in its datagram. */
export interface Received {
  readonly type: number;
  readonly flags: number;
  readonly sequence: number;
  /** nlmsg_pid: the port of the socket it is for, or, in news, of the socket that caused it; 0: the kernel's own doing. */
  readonly port: number;
  readonly from: Buffer;
  /** Where the payload starts, and its octets. */
  readonly at: number;
  readonly length: number;
}

/** Takes a datagram apart. Throws MALFORMED when a header does not fit. The payloads stay in `datagram`. */
export function splitDatagram(datagram: Uint8Array): Received[] {
  const from = Buffer.from(datagram.buffer, datagram.byteOffset, datagram.byteLength);
  const messages: Received[] = [];
  // The last message may lack its padding, so that `at` can pass the end.
  for (let at = 0; at < from.length;) {
    const left = from.length - at;
    const length = left < HEADER ? 0 : from.readUInt32LE(at);
    if (length < HEADER || length > left) {
      throw malformed(
        { table: 'nlmsghdr', offset: at },
        `length ${length} with ${left} octets left`,
      );
    }
    messages.push({
      type: from.readUInt16LE(at + 4),
      flags: from.readUInt16LE(at + 6),
      sequence: from.readUInt32LE(at + 8),
      port: from.readUInt32LE(at + 12),
      from,
      at: at + HEADER,
      length: length - HEADER,
    });
    at += align4(length);
  }
  return messages;
}

/** linux/netlink.h NLMSGERR_ATTR_* */
const extAck = attrs('NLMSGERR_ATTR', {
  message: [1, string],
  offset: [2, u32],
  missingType: [5, u32],
  /** Offset of the nest that lacks it; absent: the top level. */
  missingNest: [6, u32],
});

/** What the kernel said to one request: nothing but yes, or why not. */
export interface Ack {
  /** Positive errno, 0 for yes. */
  readonly errno: number;
  readonly extack?: string | undefined;
  readonly offset?: number | undefined;
  readonly missingType?: number | undefined;
  readonly missingNest?: number | undefined;
}

/** Reads NLMSG_ERROR, or an NLMSG_DONE that carries an error. Throws MALFORMED. */
export function readAck(m: Received): Ack {
  const { from, at, length } = m;
  const isDone = m.type === NLMSG.DONE;
  if (isDone && length < 4) return { errno: 0 };
  // struct nlmsgerr: the errno, then the header of the request, then its payload unless capped.
  let head = isDone ? 4 : 4 + HEADER;
  if (length < head) throw malformed({ table: 'nlmsgerr', offset: at }, `${length} octets`);
  const errno = Math.abs(from.readInt32LE(at));
  if ((m.flags & NLM_F.ACK_TLVS) === 0) return { errno };
  if (!isDone && (m.flags & NLM_F.CAPPED) === 0) {
    head += Math.max(0, align4(from.readUInt32LE(at + 4)) - HEADER);
  }
  if (head > length)
    throw malformed({ table: 'nlmsgerr', offset: at }, 'no room for its own request');
  const { message: extack, ...where } = extAck.read(from, at + head, length - head);
  return { errno, extack, ...where };
}

/** The error of a refused message; `sent` is the batch it went out in, to name the attribute the kernel points at. */
export function refusal(ack: Ack, m: Message, sent: EncodedBatch, index: number): NetlinkError {
  const attribute = attributeOf(ack, m, sent, index);
  const code = errnoName(ack.errno);
  const object = m.about === undefined ? '' : ` of ${m.about}`;
  const said = ack.extack === undefined ? '' : `: ${ack.extack}`;
  const where = attribute === undefined ? '' : ` (${attribute})`;
  return new NetlinkError(
    { code, errno: ack.errno, op: m.kind.name, extack: ack.extack, attribute },
    `${m.kind.name}${object} refused with ${code}${said}${where}`,
  );
}

function attributeOf(ack: Ack, m: Message, sent: EncodedBatch, index: number): string | undefined {
  const { codec } = m.kind;
  const start = sent.starts[index]!;
  const length = sent.octets.readUInt32LE(start) - HEADER;
  const at = start + HEADER;
  if (ack.missingType !== undefined) {
    const nest =
      ack.missingNest === undefined
        ? undefined
        : codec.locate?.(sent.octets, at, length, start + ack.missingNest);
    const name = nest === undefined ? codec.nameOf?.(ack.missingType) : undefined;
    return `${name ?? `${nest ?? codec.name} type ${ack.missingType}`} is missing`;
  }
  if (ack.offset === undefined) return undefined;
  return codec.locate?.(sent.octets, at, length, start + ack.offset);
}
