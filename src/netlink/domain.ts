/** Codecs that speak weft's own values: addresses and MACs. */
import {
  type Address,
  type Mac,
  addressFromBytes,
  addressToBytes,
  familyOf,
  macToBytes,
} from '../net/index.js';
import { type Codec, fixed } from './codec.js';
import { malformed } from './errors.js';

/** 4 or 16 octets in network order; the length says the family. */
export const address: Codec<Address> = {
  name: 'address',
  size: (value) => (familyOf(value) === 4 ? 4 : 16),
  write(out, at, value) {
    const octets = addressToBytes(value);
    out.set(octets, at);
    return at + octets.length;
  },
  read(from, at, length) {
    if (length === 4)
      return `${from[at]}.${from[at + 1]}.${from[at + 2]}.${from[at + 3]}` as Address;
    if (length === 16) return addressFromBytes(from.subarray(at, at + 16));
    throw malformed({ table: 'address', offset: at }, `${length} octets where 4 or 16 belong`);
  },
};

const hex = Array.from({ length: 256 }, (_, octet) => octet.toString(16).padStart(2, '0'));

/** Six octets (ETH_ALEN). */
export const mac = fixed<Mac>(
  'mac',
  6,
  (from, at) =>
    `${hex[from[at]!]}:${hex[from[at + 1]!]}:${hex[from[at + 2]!]}:${hex[from[at + 3]!]}:${hex[from[at + 4]!]}:${hex[from[at + 5]!]}` as Mac,
  (out, at, value) => out.set(macToBytes(value), at),
);
