import { endianness } from 'node:os';
import { malformed, unencodable } from './errors.js';

// Netlink is in host order. Every platform weft supports is little-endian; fail at load, not in the data.
if (endianness() !== 'LE') throw new Error('weft runs on little-endian hosts only');

/**
 * How one payload looks on the wire, both ways.
 *
 * Writing takes two passes, `size` and then `write`, into one zeroed buffer. Reading works in place on the received
 * buffer and copies only what it keeps. `at` counts from the start of the buffer.
 */
export interface Codec<T> {
  /** What errors call it: the kernel's name of a table or struct, or the kind of scalar. */
  readonly name: string;
  /** Bits to set in the type of the attribute that carries it (NLA_F_NESTED). */
  readonly typeFlags?: number;
  /** Set by {@link list}: the value is an array, one attribute of the same type per item. */
  readonly item?: Codec<unknown>;
  size(value: T): number;
  /** Answers the offset after what it wrote. */
  write(out: Buffer, at: number, value: T): number;
  /** Throws NetlinkError MALFORMED unless these `length` octets are exactly one value. */
  read(from: Buffer, at: number, length: number): T;
  /** The name of what lies at `offset`, for extended acks. */
  locate?(from: Buffer, at: number, length: number, offset: number): string | undefined;
  /** The name of an attribute type in this table, for extended acks. */
  nameOf?(type: number): string | undefined;
}

/** The type of the values of a codec. */
export type Value<C> = C extends Codec<infer T> ? T : never;

/** A codec whose values all have one size. */
export interface FixedCodec<T> extends Codec<T> {
  readonly octets: number;
}

export function expectLength(name: string, octets: number, at: number, length: number): void {
  if (length === octets) return;
  throw malformed({ table: name, offset: at }, `${length} octets where ${octets} belong`);
}

/** A codec of `octets` octets; `read` and `write` are called with nothing left to check. */
export function fixed<T>(
  name: string,
  octets: number,
  read: (from: Buffer, at: number) => T,
  write: (out: Buffer, at: number, value: T) => void,
): FixedCodec<T> {
  return {
    name,
    octets,
    size: () => octets,
    write(out, at, value) {
      write(out, at, value);
      return at + octets;
    },
    read(from, at, length) {
      expectLength(name, octets, at, length);
      return read(from, at);
    },
  };
}

export const u8 = fixed<number>(
  'u8',
  1,
  (from, at) => from.readUInt8(at),
  (out, at, value) => out.writeUInt8(value, at),
);
export const u16 = fixed<number>(
  'u16',
  2,
  (from, at) => from.readUInt16LE(at),
  (out, at, value) => out.writeUInt16LE(value, at),
);
export const u32 = fixed<number>(
  'u32',
  4,
  (from, at) => from.readUInt32LE(at),
  (out, at, value) => out.writeUInt32LE(value, at),
);
export const u64 = fixed<bigint>(
  'u64',
  8,
  (from, at) => from.readBigUInt64LE(at),
  (out, at, value) => out.writeBigUInt64LE(value, at),
);
export const i32 = fixed<number>(
  'i32',
  4,
  (from, at) => from.readInt32LE(at),
  (out, at, value) => out.writeInt32LE(value, at),
);
export const be16 = fixed<number>(
  'be16',
  2,
  (from, at) => from.readUInt16BE(at),
  (out, at, value) => out.writeUInt16BE(value, at),
);
export const be32 = fixed<number>(
  'be32',
  4,
  (from, at) => from.readUInt32BE(at),
  (out, at, value) => out.writeUInt32BE(value, at),
);
export const be64 = fixed<bigint>(
  'be64',
  8,
  (from, at) => from.readBigUInt64BE(at),
  (out, at, value) => out.writeBigUInt64BE(value, at),
);
/** A u8 that is 0 or 1. */
export const bool8 = fixed<boolean>(
  'bool8',
  1,
  (from, at) => from.readUInt8(at) !== 0,
  (out, at, value) => out.writeUInt8(value ? 1 : 0, at),
);

/** Text with a closing NUL. Reads up to the first NUL, or to the end where the sender left it out. */
export const string: Codec<string> = {
  name: 'string',
  size: (value) => Buffer.byteLength(value) + 1,
  write(out, at, value) {
    if (value.includes('\0')) throw unencodable('string', undefined, 'NUL inside the text');
    return at + out.write(value, at) + 1;
  },
  read(from, at, length) {
    let end = at;
    while (end < at + length && from[end] !== 0) end += 1;
    return from.toString('utf8', at, end);
  },
};

/** Text without a closing NUL, for what the kernel keeps by length; read like {@link string}. */
export const text: Codec<string> = {
  name: 'text',
  size: (value) => Buffer.byteLength(value),
  write: (out, at, value) => at + out.write(value, at),
  read: string.read.bind(string),
};

/** Exactly `octets` octets, copied out of the buffer. */
export function bytes(octets: number): FixedCodec<Uint8Array> {
  const name = `bytes(${octets})`;
  return fixed(
    name,
    octets,
    (from, at) => new Uint8Array(from.subarray(at, at + octets)),
    (out, at, value) => {
      if (value.length !== octets) throw unencodable(name, undefined, `${value.length} octets`);
      out.set(value, at);
    },
  );
}

/** Whatever octets there are, copied out of the buffer. */
export const rest: Codec<Uint8Array> = {
  name: 'rest',
  size: (value) => value.length,
  write(out, at, value) {
    out.set(value, at);
    return at + value.length;
  },
  read: (from, at, length) => new Uint8Array(from.subarray(at, at + length)),
};

/** Presence alone says yes (NLA_FLAG): true or absent, with no payload. */
export const flag = fixed<true>(
  'flag',
  0,
  () => true,
  () => undefined,
);

/** Encodes one value into a buffer of its own. */
export function encode<T>(codec: Codec<T>, value: T): Buffer {
  const out = Buffer.alloc(codec.size(value));
  codec.write(out, 0, value);
  return out;
}

/** Decodes all of `from` as one value. Throws NetlinkError MALFORMED. */
export function decode<T>(codec: Codec<T>, from: Uint8Array): T {
  const buffer = Buffer.from(from.buffer, from.byteOffset, from.byteLength);
  return codec.read(buffer, 0, buffer.length);
}
