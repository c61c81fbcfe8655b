import { FLAG, HEADER_OCTETS, MAX_LABEL_OCTETS, TYPE } from './constants.js';
import { u16, u32 } from './octets.js';
import type { Query } from './query.js';

/** What decides for how long a reply may be kept. */
export interface ReadReply {
  readonly rcode: number;
  readonly isTruncated: boolean;
  /** Of the answers and their authority, not of OPT: where each record's TTL stands, and what it says, seconds. */
  readonly ttls: readonly { readonly at: number; readonly sec: number }[];
  /** The types and TTLs of the records that answer. */
  readonly answers: readonly { readonly type: number; readonly ttlSec: number }[];
  /** Of the authority: who says that there is nothing, and for how long that holds (RFC 2308). */
  readonly soa: { readonly isRoot: boolean; readonly minimumSec: number } | undefined;
}

interface Record {
  readonly type: number;
  readonly ttlAt: number;
  readonly dataAt: number;
  readonly end: number;
}

/** The last field of an SOA, behind two names and four numbers. */
const MINIMUM_OCTETS = 4;

/** Reads a reply to this query, as `answersQuestion` took it; undefined when it is malformed. */
export function readReply(reply: Uint8Array, query: Query): ReadReply | undefined {
  const ttls: { at: number; sec: number }[] = [];
  const answers: { type: number; ttlSec: number }[] = [];
  let soa: ReadReply['soa'];
  let at = query.questionEnd;
  for (const [section, countAt] of [6, 8, 10].entries()) {
    for (let left = u16(reply, countAt); left > 0; left -= 1) {
      const record = readRecord(reply, at);
      if (record === undefined) return undefined;
      const { type, ttlAt, dataAt, end } = record;
      if (type !== TYPE.OPT) {
        const sec = u32(reply, ttlAt);
        ttls.push({ at: ttlAt, sec });
        if (section === 0) answers.push({ type, ttlSec: sec });
        if (section === 1 && type === TYPE.SOA && end - dataAt >= MINIMUM_OCTETS) {
          soa = { isRoot: reply[at] === 0, minimumSec: u32(reply, end - MINIMUM_OCTETS) };
        }
      }
      at = end;
    }
  }
  const flags = u16(reply, 2);
  return { rcode: flags & 15, isTruncated: (flags & FLAG.TC) !== 0, ttls, answers, soa };
}

function readRecord(from: Uint8Array, start: number): Record | undefined {
  const nameEnd = skipName(from, start);
  if (nameEnd === undefined || nameEnd + 10 > from.length) return undefined;
  const dataAt = nameEnd + 10;
  const end = dataAt + u16(from, nameEnd + 8);
  if (end > from.length) return undefined;
  return { type: u16(from, nameEnd), ttlAt: nameEnd + 4, dataAt, end };
}

/** Where what follows a name starts, whether it is compressed or not. */
function skipName(from: Uint8Array, start: number): number | undefined {
  for (let at = start; at < from.length;) {
    const octets = from[at]!;
    if (octets === 0) return at + 1;
    if (octets >= 0xc0) return at + 2;
    if (octets > MAX_LABEL_OCTETS) return undefined;
    at += 1 + octets;
  }
  return undefined;
}

/** The same reply for another who asked the same question: with its id, and in its spelling. A copy. */
export function replyFor(query: Query, reply: Uint8Array): Uint8Array {
  const copy = Uint8Array.from(reply);
  copy[0] = query.id >> 8;
  copy[1] = query.id & 255;
  copy.set(query.message.subarray(HEADER_OCTETS, query.questionEnd), HEADER_OCTETS);
  return copy;
}
