/** RFC 1035 3.2.2, RFC 3596, RFC 2782, RFC 6891: the record types that weft itself makes or looks at. */
export const TYPE = { A: 1, NS: 2, SOA: 6, PTR: 12, AAAA: 28, SRV: 33, OPT: 41, ANY: 255 } as const;

/** RFC 1035 3.2.4 */
export const CLASS_IN = 1;

/** RFC 1035 4.1.1, RFC 6891 9: codes above 15 take an OPT record. */
export const RCODE = {
  NOERROR: 0,
  FORMERR: 1,
  SERVFAIL: 2,
  NXDOMAIN: 3,
  NOTIMP: 4,
  REFUSED: 5,
  BADVERS: 16,
} as const;

/** RFC 1035 4.1.1, RFC 4035 3: the header's second pair of octets. */
export const FLAG = {
  QR: 0x8000,
  AA: 0x0400,
  TC: 0x0200,
  RD: 0x0100,
  RA: 0x0080,
  CD: 0x0010,
} as const;

export const HEADER_OCTETS = 12;
/** RFC 1035 2.3.4 */
export const MAX_LABEL_OCTETS = 63;
export const MAX_NAME_OCTETS = 255;
/** What a UDP reply may have when the asker says nothing, RFC 1035 4.2.1. */
export const PLAIN_UDP_OCTETS = 512;
/** What we send by UDP at most, and say that we take: fits any path without fragments (dnsflagday.net, RFC 9715). */
export const MAX_UDP_OCTETS = 1232;
