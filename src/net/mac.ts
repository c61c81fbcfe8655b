import { createHash } from 'node:crypto';
import { type Address, addressToBytes, familyOf } from './address.js';
import { NetError } from './errors.js';

declare const macBrand: unique symbol;
/** An Ethernet address, lower case with colons ("02:42:0a:00:00:01"). */
export type Mac = string & { readonly [macBrand]: true };

/** Parses six octets in hex, separated by ':' or '-'. Throws INVALID_MAC. */
export function parseMac(text: string): Mac {
  if (!/^[0-9a-fA-F]{2}([:-][0-9a-fA-F]{2}){5}$/.test(text)) {
    throw new NetError({ code: 'INVALID_MAC', text }, `"${text}" is not a MAC address`);
  }
  return text.toLowerCase().replaceAll('-', ':') as Mac;
}

export function macToBytes(mac: Mac): Uint8Array {
  const octets = new Uint8Array(6);
  for (let i = 0; i < 6; i += 1) {
    octets[i] = digit(mac.charCodeAt(i * 3)) * 16 + digit(mac.charCodeAt(i * 3 + 1));
  }
  return octets;
}

function digit(code: number): number {
  return code < 58 ? code - 48 : code - 87; // '0'-'9', 'a'-'f'
}

/** Throws INVALID_MAC unless there are 6 octets. */
export function macFromBytes(bytes: Uint8Array): Mac {
  return parseMac(Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join(':'));
}

/** True for an address that one endpoint may own: not multicast, not all zero. */
export function isUnicastMac(mac: Mac): boolean {
  return (macToBytes(mac)[0]! & 1) === 0 && mac !== '00:00:00:00:00:00';
}

/**
 * The MAC of an endpoint from its address: locally administered, the same each time, and unique in a
 * network because the address is. 02:42 and the four octets of IPv4 (Docker's own habit), else
 * 02:46 and 32 bits of a hash.
 */
export function macFromAddress(address: Address): Mac {
  const bytes = addressToBytes(address);
  if (familyOf(address) === 4) return macFromBytes(Uint8Array.of(0x02, 0x42, ...bytes));
  const hash = createHash('sha256').update(bytes).digest();
  return macFromBytes(Uint8Array.of(0x02, 0x46, ...hash.subarray(0, 4)));
}
