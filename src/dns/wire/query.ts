import { FLAG, HEADER_OCTETS, MAX_UDP_OCTETS, PLAIN_UDP_OCTETS, RCODE, TYPE } from './constants.js';
import { readName } from './name.js';
import { u16 } from './octets.js';

/** What the asker says in its OPT record. */
export interface Edns {
  /** Octets that it takes by UDP, at least 512. */
  readonly udpOctets: number;
  readonly version: number;
  /** It wants DNSSEC records (DO). */
  readonly isDnssecOk: boolean;
  /** It says more than that: a cookie, where it is from. */
  readonly hasOptions: boolean;
}

/** One question as it arrived. */
export interface Query {
  readonly message: Uint8Array;
  readonly id: number;
  /** The header's flags as they came. */
  readonly flags: number;
  /** See name.ts; undefined for a name that has no text. */
  readonly name: string | undefined;
  readonly type: number;
  readonly class: number;
  /** Where the question ends in `message`; it starts behind the header. */
  readonly questionEnd: number;
  readonly edns: Edns | undefined;
}

/** A message that gets no answer, or only this code. */
export interface Rejected {
  readonly rcode: number | undefined;
}

const SILENT: Rejected = { rcode: undefined };
const OPT_FIXED_OCTETS = 11;
const BARE_ERRORS: ReadonlySet<number> = new Set([
  RCODE.FORMERR,
  RCODE.SERVFAIL,
  RCODE.NOTIMP,
  RCODE.REFUSED,
]);
/** RFC 2181 5.3.1 and others let a query bring more than OPT (TSIG, SIG(0)); that many is no query. */
const MAX_ADDITIONAL = 8;

/**
 * Reads a query. Whatever is no query (an answer, less than a header) gets silence, so that two servers never talk to one
 * another for ever; what is malformed gets FORMERR, other operations NOTIMP.
 */
export function parseQuery(message: Uint8Array): Query | Rejected {
  if (message.length < HEADER_OCTETS) return SILENT;
  const flags = u16(message, 2);
  if ((flags & FLAG.QR) !== 0) return SILENT;
  if (((flags >> 11) & 15) !== 0) return { rcode: RCODE.NOTIMP };
  if (u16(message, 4) !== 1 || u16(message, 6) !== 0) return { rcode: RCODE.FORMERR };
  const read = readName(message, HEADER_OCTETS);
  if (read === undefined || read.end + 4 > message.length) return { rcode: RCODE.FORMERR };
  const questionEnd = read.end + 4;
  const edns = readEdns(message, questionEnd);
  if (edns === 'malformed') return { rcode: RCODE.FORMERR };
  return {
    message,
    id: u16(message, 0),
    flags,
    name: read.text,
    type: u16(message, read.end),
    class: u16(message, read.end + 2),
    questionEnd,
    edns,
  };
}

export const isQuery = (parsed: Query | Rejected): parsed is Query => 'message' in parsed;

/** Finds the OPT record; what else a query brings along is stepped over. */
function readEdns(message: Uint8Array, questionEnd: number): Edns | undefined | 'malformed' {
  const authority = u16(message, 8);
  const records = authority + u16(message, 10);
  if (records === 0) return undefined;
  if (records > MAX_ADDITIONAL) return 'malformed';
  let found: Edns | undefined;
  let at = questionEnd;
  for (let i = 0; i < records; i += 1) {
    const start = at;
    const name = readName(message, at);
    if (name === undefined || name.end + OPT_FIXED_OCTETS - 1 > message.length) return 'malformed';
    const isOpt = u16(message, name.end) === TYPE.OPT;
    at = name.end + 10 + u16(message, name.end + 8);
    if (at > message.length) return 'malformed';
    if (!isOpt) continue;
    // One, at the root, RFC 6891 6.1.1.
    if (found !== undefined || name.end !== start + 1 || i < authority) return 'malformed';
    found = {
      udpOctets: Math.max(PLAIN_UDP_OCTETS, u16(message, start + 3)),
      version: message[start + 6]!,
      isDnssecOk: (message[start + 7]! & 0x80) !== 0,
      hasOptions: at > start + OPT_FIXED_OCTETS,
    };
  }
  return found;
}

/** Equal for two queries that differ in their id and their spelling only; undefined for a name that has no text. */
export function sameQuestion({ message, name, flags, questionEnd }: Query): string | undefined {
  if (name === undefined) return undefined;
  // The question's type and class, and all that comes behind it: the size that the asker takes, and its options.
  const rest = Buffer.from(message.buffer, message.byteOffset, message.length);
  return `${name}\n${flags}\n${rest.toString('latin1', questionEnd - 4)}`;
}

/** Octets that an answer to this query may have. */
export function replyLimit({ edns }: Query, transport: 'udp' | 'tcp'): number {
  if (transport === 'tcp') return 65_535;
  return edns === undefined ? PLAIN_UDP_OCTETS : Math.min(edns.udpOctets, MAX_UDP_OCTETS);
}

/** Whether `reply` answers this very question, in the spelling in which it was asked (RFC 5452 9.1). */
export function answersQuestion(reply: Uint8Array, query: Query): boolean {
  if (reply.length < query.questionEnd || (reply[2]! & 0x80) === 0 || u16(reply, 4) !== 1) {
    return false;
  }
  for (let at = HEADER_OCTETS; at < query.questionEnd; at += 1) {
    if (reply[at] !== query.message[at]) return false;
  }
  return true;
}

/**
 * Whether `reply` says why there is none, and repeats no question: what a server says that could not read it, or would not. Its id and
 * where it came from are all there is to know it by.
 */
export function isBareError(reply: Uint8Array): boolean {
  if (reply.length < HEADER_OCTETS || (reply[2]! & 0x80) === 0 || u16(reply, 4) !== 0) return false;
  return BARE_ERRORS.has(reply[3]! & 15);
}
