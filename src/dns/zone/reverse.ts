import { type Address, addressFromBytes } from '../../net/index.js';

const V4 = '.in-addr.arpa';
const V6 = '.ip6.arpa';

/** The address that a reverse name stands for (RFC 1035 3.5, RFC 3596 2.5); undefined for any other name. */
export function addressOfReverse(name: string): Address | undefined {
  if (name.endsWith(V4)) return fromOctets(name.slice(0, -V4.length).split('.'));
  if (name.endsWith(V6)) return fromNibbles(name.slice(0, -V6.length).split('.'));
  return undefined;
}

function fromOctets(labels: readonly string[]): Address | undefined {
  const isOne = labels.length === 4 && labels.every((label) => /^(0|[1-9]\d{0,2})$/.test(label));
  if (!isOne || labels.some((label) => Number(label) > 255)) return undefined;
  return addressFromBytes(Uint8Array.from(labels.toReversed(), Number));
}

function fromNibbles(labels: readonly string[]): Address | undefined {
  if (labels.length !== 32 || !labels.every((label) => /^[0-9a-f]$/.test(label))) return undefined;
  return addressFromBytes(Buffer.from(labels.toReversed().join(''), 'hex'));
}
