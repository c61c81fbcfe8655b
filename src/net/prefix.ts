import {
  type Address,
  type Family,
  addressFromBigInt,
  addressToBigInt,
  bitsOf,
  familyOf,
  parseAddress,
} from './address.js';
import { NetError } from './errors.js';

declare const prefixBrand: unique symbol;
/** A network prefix in canonical text with host bits zero ("10.0.0.0/24"): comparable with ===. */
export type Prefix = string & { readonly [prefixBrand]: true };

/** An address as it sits on a link: the address and the length of its prefix. */
export interface AddressWithLength {
  readonly address: Address;
  readonly prefixLength: number;
}

/** Parses "address/length", host bits kept. Throws INVALID_PREFIX. */
export function parseAddressWithLength(text: string): AddressWithLength {
  const match = /^([^/]+)\/(0|[1-9][0-9]{0,2})$/.exec(text);
  try {
    if (!match) throw new Error('not address/length');
    const address = parseAddress(match[1]!);
    const prefixLength = Number(match[2]);
    if (prefixLength > bitsOf[familyOf(address)]) throw new Error('length too large');
    return { address, prefixLength };
  } catch (cause) {
    throw new NetError({ code: 'INVALID_PREFIX', text }, `"${text}" is not an address/length`, {
      cause,
    });
  }
}

/** Parses "address/length" and clears the host bits. Throws INVALID_PREFIX. */
export function parsePrefix(text: string): Prefix {
  const { address, prefixLength } = parseAddressWithLength(text);
  return prefixOf(address, prefixLength);
}

/** The prefix of this length that holds `address`. */
export function prefixOf(address: Address, prefixLength: number): Prefix {
  const family = familyOf(address);
  const hostBits = BigInt(bitsOf[family] - prefixLength);
  const base = (addressToBigInt(address) >> hostBits) << hostBits;
  return `${addressFromBigInt(family, base)}/${prefixLength}` as Prefix;
}

export function formatAddressWithLength(value: AddressWithLength): string {
  return `${value.address}/${value.prefixLength}`;
}

/** A prefix as numbers, for arithmetic: `first` and `last` are inclusive. */
export interface AddressRange {
  readonly family: Family;
  readonly first: bigint;
  readonly last: bigint;
}

export function prefixLengthOf(prefix: Prefix): number {
  return Number(prefix.slice(prefix.indexOf('/') + 1));
}

export function rangeOf(prefix: Prefix): AddressRange {
  const slash = prefix.indexOf('/');
  const address = prefix.slice(0, slash) as Address;
  const family = familyOf(address);
  const first = addressToBigInt(address);
  const size = 1n << BigInt(bitsOf[family] - Number(prefix.slice(slash + 1)));
  return { family, first, last: first + size - 1n };
}

export function rangesOverlap(a: AddressRange, b: AddressRange): boolean {
  return a.family === b.family && a.first <= b.last && b.first <= a.last;
}

export function prefixesOverlap(a: Prefix, b: Prefix): boolean {
  return rangesOverlap(rangeOf(a), rangeOf(b));
}

export function prefixContains(prefix: Prefix, address: Address): boolean {
  const range = rangeOf(prefix);
  if (range.family !== familyOf(address)) return false;
  const value = addressToBigInt(address);
  return range.first <= value && value <= range.last;
}
