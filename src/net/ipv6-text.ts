/**
 * IPv6 between octets and canonical text (RFC 5952, as ip-address writes it: no dotted quads), without big integers:
 * dumps of the kernel hold thousands.
 */

const COLON = 58;

function digit(code: number): number {
  return code < 58 ? code - 48 : code - 87; // '0'-'9', 'a'-'f'
}

/** Sixteen octets as text. The first longest run of two or more zero groups becomes "::". */
export function formatIpv6(octets: Uint8Array): string {
  let start = -1;
  let longest = 1;
  for (let i = 0; i < 8; i += 1) {
    let end = i;
    while (end < 8 && octets[end * 2] === 0 && octets[end * 2 + 1] === 0) end += 1;
    if (end - i > longest) {
      start = i;
      longest = end - i;
    }
    if (end > i) i = end - 1;
  }
  let text = '';
  for (let i = 0; i < 8; i += 1) {
    if (i === start) {
      text += '::';
      i += longest - 1;
      continue;
    }
    if (i > 0 && i !== start + longest) text += ':';
    text += ((octets[i * 2]! << 8) | octets[i * 2 + 1]!).toString(16);
  }
  return text;
}

/** Canonical text as sixteen octets; anything else gives nonsense. */
export function parseCanonicalIpv6(text: string): Uint8Array {
  const octets = new Uint8Array(16);
  let at = 0;
  let gap = -1;
  for (let i = 0; i < text.length;) {
    if (text.charCodeAt(i) === COLON) {
      i += 1;
      if (text.charCodeAt(i) === COLON) {
        gap = at;
        i += 1;
      }
      continue;
    }
    let group = 0;
    for (; i < text.length && text.charCodeAt(i) !== COLON; i += 1) {
      group = group * 16 + digit(text.charCodeAt(i));
    }
    octets[at] = group >> 8;
    octets[at + 1] = group & 255;
    at += 2;
  }
  if (gap >= 0 && at < 16) {
    octets.copyWithin(16 - (at - gap), gap, at);
    octets.fill(0, gap, 16 - (at - gap));
  }
  return octets;
}
