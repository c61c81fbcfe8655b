/**
 * What rules and sets are about: types by nft's names, their values, and how values lie in registers and keys.
 *
 * libnftnl and nft's datatype.h: the numbers say how nft prints a set; the kernel only counts octets.
 */
import {
  type Address,
  type Mac,
  addressFromBytes,
  addressToBytes,
  macFromBytes,
  macToBytes,
} from '../../net/index.js';
import { align4 } from '../attr.js';
import { unencodable } from '../errors.js';

export interface DataType<T = unknown> {
  readonly name: string;
  /** nft's number of the type. */
  readonly number: number;
  readonly octets: number;
  /** nft's number of the byte order: 0 none, 1 the host's, 2 big-endian. */
  readonly byteOrder: 0 | 1 | 2;
  toBytes(value: T): Uint8Array;
  fromBytes(octets: Uint8Array): T;
}

function integer(name: string, number: number, octets: number, byteOrder: 1 | 2): DataType<number> {
  return {
    name,
    number,
    octets,
    byteOrder,
    toBytes(value) {
      const out = Buffer.alloc(octets);
      if (byteOrder === 1) out.writeUIntLE(value, 0, octets);
      else out.writeUIntBE(value, 0, octets);
      return out;
    },
    fromBytes(bytes) {
      const from = Buffer.from(bytes);
      return byteOrder === 1 ? from.readUIntLE(0, octets) : from.readUIntBE(0, octets);
    },
  };
}

const ip = (name: string, number: number, octets: number): DataType<Address> => ({
  name,
  number,
  octets,
  byteOrder: 2,
  toBytes(value) {
    const bytes = addressToBytes(value);
    if (bytes.length === octets) return bytes;
    throw unencodable(name, undefined, `${value} is of the other family`);
  },
  fromBytes: addressFromBytes,
});

/** IFNAMSIZ octets, filled up with NUL. */
const ifname: DataType<string> = {
  name: 'ifname',
  number: 41,
  octets: 16,
  byteOrder: 1,
  toBytes(value) {
    const out = Buffer.alloc(16);
    if (Buffer.byteLength(value) > 15)
      throw unencodable('ifname', undefined, `"${value}" is too long`);
    out.write(value);
    return out;
  },
  fromBytes: (bytes) => Buffer.from(bytes).toString('utf8').replace(/\0.*$/s, ''),
};

const etherAddr: DataType<Mac> = {
  name: 'ether_addr',
  number: 9,
  octets: 6,
  byteOrder: 2,
  toBytes: macToBytes,
  fromBytes: macFromBytes,
};

/** By nft's names, as `nft describe` has them. */
export const dataTypes = {
  /** 24 bits of a VXLAN header; nft has no name for it. */
  vni: integer('integer', 4, 3, 2),
  nf_proto: integer('nf_proto', 2, 1, 1),
  ipv4_addr: ip('ipv4_addr', 7, 4),
  ipv6_addr: ip('ipv6_addr', 8, 16),
  ether_addr: etherAddr,
  ether_type: integer('ether_type', 10, 2, 2),
  arp_op: integer('arp_op', 11, 2, 2),
  inet_proto: integer('inet_proto', 12, 1, 2),
  inet_service: integer('inet_service', 13, 2, 2),
  icmp_type: integer('icmp_type', 14, 1, 2),
  mark: integer('mark', 19, 4, 1),
  /** What a packet's priority is to nft. */
  classid: integer('classid', 23, 4, 1),
  ct_dir: integer('ct_dir', 27, 1, 1),
  iface_index: integer('iface_index', 20, 4, 1),
  iface_type: integer('iface_type', 21, 2, 1),
  icmpv6_type: integer('icmpv6_type', 29, 1, 2),
  ifname,
} as const;
export type DataTypeName = keyof typeof dataTypes;

/** One value, or one for each type of a concatenation. */
export type Key = readonly (string | number)[];

/** The number of a concatenation: 6 bits a type, the first highest. */
export function concatNumber(names: readonly DataTypeName[]): number {
  return names.reduce((number, name) => number * 64 + dataTypes[name].number, 0);
}

/** Octets of a key; parts of a concatenation start at multiples of four. */
export function keyLength(names: readonly DataTypeName[]): number {
  if (names.length === 1) return dataTypes[names[0]!].octets;
  return names.reduce((length, name) => length + align4(dataTypes[name].octets), 0);
}

export function keyToBytes(names: readonly DataTypeName[], key: Key): Uint8Array {
  if (key.length !== names.length) {
    throw unencodable(names.join(' . '), undefined, `a key of ${key.length} parts`);
  }
  const out = new Uint8Array(keyLength(names));
  let at = 0;
  for (const [i, name] of names.entries()) {
    const type = dataTypes[name] as DataType;
    try {
      out.set(type.toBytes(key[i]), at);
    } catch (cause) {
      throw unencodable(
        name,
        undefined,
        `"${key[i]}": ${cause instanceof Error ? cause.message : String(cause)}`,
      );
    }
    at += align4(type.octets);
  }
  return out;
}

export function keyFromBytes(names: readonly DataTypeName[], octets: Uint8Array): Key {
  let at = 0;
  return names.map((name) => {
    const type = dataTypes[name] as DataType<string | number>;
    const value = type.fromBytes(octets.subarray(at, at + type.octets));
    at += align4(type.octets);
    return value;
  });
}

/**
 * The register that starts at the `word`th of the sixteen 32-bit words, as the kernel names it in dumps: NFT_REG_1 to
 * NFT_REG_4 where it can, NFT_REG32_00 and on elsewhere.
 */
export function register(word: number): number {
  return word % 4 === 0 ? 1 + word / 4 : 8 + word;
}
