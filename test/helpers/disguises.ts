/** Other forms of a frame with an IP packet, as whoever wants to slip past a filter may send it. */
const ETHERNET = 14;
const IPV4 = 20;
const IPV6 = 40;
/** linux/in.h, RFC 8200 */
const HOP_BY_HOP = 0;
const ROUTING = 43;
const FRAGMENT = 44;
const OPTIONS = 60;

export type Disguise = (frame: Buffer) => readonly Buffer[];

const isV4 = (frame: Buffer): boolean => frame[ETHERNET]! >> 4 === 4;
const payloadOf = (frame: Buffer): Buffer => frame.subarray(ETHERNET + (isV4(frame) ? IPV4 : IPV6));
let identification = 1;

/** In two pieces, cut after so many octets of its payload: 8 leave the ports in the first and the flags of TCP in the second. */
export const cutAt =
  (octets: number): Disguise =>
  (frame) => {
    identification += 1;
    const payload = payloadOf(frame);
    if (payload.length <= octets) return [frame];
    return [
      piece(frame, payload.subarray(0, octets), 0, true),
      piece(frame, payload.subarray(octets), octets, false),
    ];
  };

export const lastFirst =
  (disguise: Disguise): Disguise =>
  (frame) =>
    disguise(frame).toReversed();

/** In pieces of which the second says once more what the first did, but for the port to which. */
export const overlapping =
  (port: number): Disguise =>
  (frame) => {
    identification += 1;
    const payload = payloadOf(frame);
    const decoy = Buffer.from(payload.subarray(0, 8));
    decoy.writeUInt16BE(port, 2);
    return [
      piece(frame, decoy, 0, true),
      piece(frame, payload.subarray(0, 8), 0, true),
      piece(frame, payload.subarray(8), 8, false),
    ];
  };

/** IPv6 behind extension headers, IPv4 with options that do nothing. */
export const padded: Disguise = (frame) =>
  isV4(frame)
    ? [withOptions(frame, Buffer.from([1, 1, 1, 1, 1, 1, 1, 0]))]
    : [behind(behind(behind(frame, OPTIONS), OPTIONS), HOP_BY_HOP)];

/** Routed by its sender: LSRR of RFC 791, type 0 of RFC 5095. */
export const sourceRouted: Disguise = (frame) => {
  if (isV4(frame)) return [withOptions(frame, Buffer.from([131, 7, 4, 10, 0, 0, 12, 0]))];
  return [behind(frame, ROUTING)];
};

function piece(frame: Buffer, part: Buffer, offset: number, isMore: boolean): Buffer {
  const ethernet = frame.subarray(0, ETHERNET);
  if (isV4(frame)) {
    const header = Buffer.from(frame.subarray(ETHERNET, ETHERNET + IPV4));
    header.writeUInt16BE(IPV4 + part.length, 2);
    header.writeUInt16BE(identification & 0xffff, 4);
    header.writeUInt16BE((isMore ? 0x2000 : 0) | (offset / 8), 6);
    return Buffer.concat([ethernet, summed(header), part]);
  }
  const header = Buffer.from(frame.subarray(ETHERNET, ETHERNET + IPV6));
  const fragment = Buffer.alloc(8);
  fragment[0] = header[6]!;
  fragment.writeUInt16BE(offset | Number(isMore), 2);
  fragment.writeUInt32BE(identification, 4);
  header[6] = FRAGMENT;
  header.writeUInt16BE(8 + part.length, 4);
  return Buffer.concat([ethernet, header, fragment, part]);
}

function withOptions(frame: Buffer, options: Buffer): Buffer {
  const header = Buffer.concat([frame.subarray(ETHERNET, ETHERNET + IPV4), options]);
  header[0] = 0x40 | (header.length / 4);
  header.writeUInt16BE(frame.length - ETHERNET + options.length, 2);
  const rest = frame.subarray(ETHERNET + IPV4);
  return Buffer.concat([frame.subarray(0, ETHERNET), summed(header), rest]);
}

/** With one more extension header in front. */
function behind(frame: Buffer, kind: number): Buffer {
  const header = Buffer.from(frame.subarray(ETHERNET, ETHERNET + IPV6));
  const extension = Buffer.from([header[6]!, 0, 1, 4, 0, 0, 0, 0]);
  header[6] = kind;
  header.writeUInt16BE(header.readUInt16BE(4) + extension.length, 4);
  const rest = frame.subarray(ETHERNET + IPV6);
  return Buffer.concat([frame.subarray(0, ETHERNET), header, extension, rest]);
}

/** RFC 791 */
function summed(header: Buffer): Buffer {
  header.writeUInt16BE(0, 10);
  let sum = 0;
  for (let at = 0; at < header.length; at += 2) sum += header.readUInt16BE(at);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  header.writeUInt16BE(~sum & 0xffff, 10);
  return header;
}
