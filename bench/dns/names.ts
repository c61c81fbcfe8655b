/** What is asked, the same of everybody: `n7.bench`, which is there, and `x7.weft`, which is not. */
import { type Address, addressFromBigInt } from '../../src/net/index.js';

/** Also Docker's network of that name, so that its resolver too knows `n7.bench`. */
export const NETWORK = 'bench';
export const NOWHERE = 'weft';

const V4 = 10n << 24n;
const V6 = 0xfdn << 120n;

export function nameOf(i: number): string {
  return `n${i}`;
}

export function addressesOf(i: number): { readonly v4: Address; readonly v6: Address } {
  const place = BigInt(i + 1);
  return { v4: addressFromBigInt(4, V4 + place), v6: addressFromBigInt(6, V6 + place) };
}

export type Kind = 'A' | 'AAAA' | 'NXDOMAIN';
export const kinds: readonly Kind[] = ['A', 'AAAA', 'NXDOMAIN'];

/** dnsperf's input: every name once, in an order that no cache of the processor likes. */
export function questions(kind: Kind, count: number): string {
  const lines: string[] = [];
  const step = count > 10 ? 7919 : 1;
  for (let i = 0, at = 0; i < count; i += 1, at = (at + step) % count) {
    lines.push(kind === 'NXDOMAIN' ? `x${at}.${NOWHERE} A` : `${nameOf(at)}.${NETWORK} ${kind}`);
  }
  return `${lines.join('\n')}\n`;
}
