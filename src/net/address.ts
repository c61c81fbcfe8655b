import { Address4, Address6 } from 'ip-address';
import { NetError } from './errors.js';
import { formatIpv6, parseCanonicalIpv6 } from './ipv6-text.js';

declare const addressBrand: unique symbol;
/** An IPv4 or IPv6 address in canonical text ("10.0.0.1", "fd00::1"): comparable with ===, made by {@link parseAddress}. */
export type Address = string & { readonly [addressBrand]: true };

export type Family = 4 | 6;

export const bitsOf = { 4: 32, 6: 128 } as const;

/** Parses one address without a prefix length or zone. Throws INVALID_ADDRESS. */
export function parseAddress(text: string): Address {
  try {
    if (text.includes('/') || text.includes('%')) throw new Error('not a bare address');
    if (!text.includes(':')) return new Address4(text).correctForm() as Address;
    return addressFromBigInt(6, new Address6(text).bigInt());
  } catch (cause) {
    throw new NetError({ code: 'INVALID_ADDRESS', text }, `"${text}" is not an IP address`, {
      cause,
    });
  }
}

export function familyOf(address: Address): Family {
  return address.includes(':') ? 6 : 4;
}

export function addressToBigInt(address: Address): bigint {
  if (familyOf(address) === 6) {
    const octets = parseCanonicalIpv6(address);
    const view = new DataView(octets.buffer);
    return (view.getBigUint64(0) << 64n) | view.getBigUint64(8);
  }
  let value = 0;
  for (const octet of addressToBytes(address)) value = value * 256 + octet;
  return BigInt(value);
}

export function addressFromBigInt(family: Family, value: bigint): Address {
  if (family === 6) {
    const octets = new Uint8Array(16);
    const view = new DataView(octets.buffer);
    view.setBigUint64(0, value >> 64n);
    view.setBigUint64(8, value);
    return formatIpv6(octets) as Address;
  }
  const v = Number(value);
  return `${(v >>> 24) & 255}.${(v >>> 16) & 255}.${(v >>> 8) & 255}.${v & 255}` as Address;
}

/** 4 or 16 octets in network order, as the kernel and DNS carry addresses. */
export function addressToBytes(address: Address): Uint8Array {
  if (familyOf(address) === 6) return parseCanonicalIpv6(address);
  const octets = new Uint8Array(4);
  let at = 0;
  for (let i = 0; i < address.length; i += 1) {
    const code = address.charCodeAt(i);
    if (code === 46) at += 1;
    else octets[at] = octets[at]! * 10 + code - 48;
  }
  return octets;
}

/** The inverse of {@link addressToBytes}. Throws INVALID_ADDRESS unless there are 4 or 16 octets. */
export function addressFromBytes(bytes: Uint8Array): Address {
  if (bytes.length === 4) return `${bytes[0]}.${bytes[1]}.${bytes[2]}.${bytes[3]}` as Address;
  if (bytes.length === 16) return formatIpv6(bytes) as Address;
  const text = Buffer.from(bytes).toString('hex');
  throw new NetError({ code: 'INVALID_ADDRESS', text }, `${bytes.length} octets are no address`);
}
