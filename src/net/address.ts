import { Address4, Address6 } from 'ip-address';
import { NetError } from './errors.js';

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
  if (familyOf(address) === 6) return new Address6(address).bigInt();
  let value = 0;
  for (const octet of address.split('.')) value = value * 256 + Number(octet);
  return BigInt(value);
}

export function addressFromBigInt(family: Family, value: bigint): Address {
  if (family === 6) return Address6.fromBigInt(value).correctForm() as Address;
  const v = Number(value);
  return `${(v >>> 24) & 255}.${(v >>> 16) & 255}.${(v >>> 8) & 255}.${v & 255}` as Address;
}

/** 4 or 16 octets in network order, as the kernel and DNS carry addresses. */
export function addressToBytes(address: Address): Uint8Array {
  const family = familyOf(address);
  const bytes = new Uint8Array(bitsOf[family] / 8);
  if (family === 4) {
    bytes.set(address.split('.').map(Number));
    return bytes;
  }
  let value = addressToBigInt(address);
  for (let i = 15; i >= 0; i -= 1) {
    bytes[i] = Number(value & 0xffn);
    value >>= 8n;
  }
  return bytes;
}

/** The inverse of {@link addressToBytes}. Throws INVALID_ADDRESS unless there are 4 or 16 octets. */
export function addressFromBytes(bytes: Uint8Array): Address {
  if (bytes.length === 4) return `${bytes[0]}.${bytes[1]}.${bytes[2]}.${bytes[3]}` as Address;
  if (bytes.length !== 16) {
    const text = Buffer.from(bytes).toString('hex');
    throw new NetError({ code: 'INVALID_ADDRESS', text }, `${bytes.length} octets are no address`);
  }
  let value = 0n;
  for (const byte of bytes) value = (value << 8n) | BigInt(byte);
  return addressFromBigInt(6, value);
}
