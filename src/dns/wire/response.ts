import { type Address, addressToBytes } from '../../net/index.js';
import { CLASS_IN, FLAG, HEADER_OCTETS, MAX_UDP_OCTETS, TYPE } from './constants.js';
import type { Query } from './query.js';

/** A record; without an owner it is about the name that was asked for, in the asker's spelling. Names as in name.ts, of any case. */
export type ResourceRecord = {
  readonly owner?: string;
  /** Seconds. */
  readonly ttl: number;
} & (
  | { readonly type: typeof TYPE.A | typeof TYPE.AAAA; readonly address: Address }
  | { readonly type: typeof TYPE.PTR; readonly target: string }
  | {
      readonly type: typeof TYPE.SRV;
      readonly priority: number;
      readonly weight: number;
      readonly port: number;
      readonly target: string;
    }
  | {
      readonly type: typeof TYPE.SOA;
      readonly primary: string;
      readonly mailbox: string;
      readonly serial: number;
      /** What a negative answer lives, seconds (RFC 2308). */
      readonly minimum: number;
    }
);

export interface Reply {
  readonly rcode: number;
  readonly isAuthoritative: boolean;
  readonly answers: readonly ResourceRecord[];
  readonly authority: readonly ResourceRecord[];
  readonly additional: readonly ResourceRecord[];
}

const OPT_OCTETS = 11;
/** Pointers have 14 bits. */
const MAX_POINTER = 0x3fff;

/** Answers with nothing but a code. */
export const bareReply = (rcode: number): Reply => ({
  rcode,
  isAuthoritative: false,
  answers: [],
  authority: [],
  additional: [],
});

/**
 * Writes the reply to a query. What does not fit `limit` is left out by whole records: of answers or authority that sets TC,
 * so that the asker comes again by TCP; of additional records it does not matter.
 */
export function writeReply(query: Query, reply: Reply, limit: number): Uint8Array {
  return new Writer(query, Math.min(limit, scratch.length)).write(reply);
}

/** The answer to something that could not be read as a query: its id, its operation, and a code. */
export function writeRejection(message: Uint8Array, rcode: number): Uint8Array {
  const out = new Uint8Array(HEADER_OCTETS);
  out.set(message.subarray(0, 4));
  out[2] = (message[2]! & 0x79) | 0x80;
  out[3] = rcode & 15;
  return out;
}

/** One message at a time is written, and copied out when it is whole. */
const scratch = new Uint8Array(65_535);

class Writer {
  readonly #query: Query;
  /** What records may fill: room for OPT is kept. */
  readonly #end: number;
  #at: number;
  /** Where each suffix that was written stands, by its text in lower case. */
  #suffixes: Map<string, number> | undefined;

  constructor(query: Query, limit: number) {
    this.#query = query;
    this.#end = limit - (query.edns ? OPT_OCTETS : 0);
    scratch.fill(0, 0, HEADER_OCTETS);
    scratch.set(query.message.subarray(HEADER_OCTETS, query.questionEnd), HEADER_OCTETS);
    this.#at = query.questionEnd;
  }

  write({ rcode, isAuthoritative, answers, authority, additional }: Reply): Uint8Array {
    const { id, flags, edns } = this.#query;
    const answered = this.#records(answers);
    const isWhole = answered === answers.length;
    const authorized = isWhole ? this.#records(authority) : 0;
    const isTruncated = !isWhole || authorized < authority.length;
    let added = isTruncated ? 0 : this.#records(additional);
    if (edns) {
      this.#opt(rcode);
      added += 1;
    }
    const more = (isAuthoritative ? FLAG.AA : 0) | (isTruncated ? FLAG.TC : 0) | FLAG.QR | FLAG.RA;
    put16(0, id);
    put16(2, (flags & (FLAG.RD | FLAG.CD)) | more | (rcode & 15));
    put16(4, 1);
    put16(6, answered);
    put16(8, authorized);
    put16(10, added);
    return scratch.slice(0, this.#at);
  }

  /** How many fit. */
  #records(records: readonly ResourceRecord[]): number {
    for (const [i, record] of records.entries()) {
      const before = this.#at;
      if (this.#record(record)) continue;
      this.#at = before;
      return i;
    }
    return records.length;
  }

  #record(record: ResourceRecord): boolean {
    // The longest of ours: an SOA with two names, and the owner.
    if (this.#at + 3 * 256 + 40 > scratch.length) return false;
    if (record.owner === undefined) this.#put16(0xc000 | HEADER_OCTETS);
    else this.#name(record.owner, true);
    this.#put16(record.type);
    this.#put16(CLASS_IN);
    this.#put32(record.ttl);
    const lengthAt = this.#at;
    this.#at += 2;
    this.#data(record);
    put16(lengthAt, this.#at - lengthAt - 2);
    return this.#at <= this.#end;
  }

  #data(record: ResourceRecord): void {
    switch (record.type) {
      case TYPE.A:
      case TYPE.AAAA: {
        const octets = addressToBytes(record.address);
        scratch.set(octets, this.#at);
        this.#at += octets.length;
        break;
      }
      case TYPE.PTR:
        this.#name(record.target, true);
        break;
      case TYPE.SRV:
        this.#put16(record.priority);
        this.#put16(record.weight);
        this.#put16(record.port);
        this.#name(record.target, false); // RFC 2782
        break;
      case TYPE.SOA:
        this.#name(record.primary, true);
        this.#name(record.mailbox, true);
        this.#put32(record.serial);
        for (const seconds of [3600, 600, 86_400, record.minimum]) this.#put32(seconds);
        break;
    }
  }

  /** Points to where the rest of the name stands already, when it may be compressed. Suffixes are remembered either way. */
  #name(name: string, mayPoint: boolean): void {
    const suffixes = (this.#suffixes ??= this.#ofQuestion());
    let rest = name;
    while (rest !== '') {
      const key = rest.toLowerCase();
      const there = suffixes.get(key);
      if (mayPoint && there !== undefined) {
        this.#put16(0xc000 | there);
        return;
      }
      if (there === undefined && this.#at <= MAX_POINTER) suffixes.set(key, this.#at);
      const dot = rest.indexOf('.');
      const label = dot === -1 ? rest : rest.slice(0, dot);
      scratch[this.#at] = label.length;
      for (let i = 0; i < label.length; i += 1) scratch[this.#at + 1 + i] = label.charCodeAt(i);
      this.#at += 1 + label.length;
      rest = dot === -1 ? '' : rest.slice(dot + 1);
    }
    scratch[this.#at] = 0;
    this.#at += 1;
  }

  #ofQuestion(): Map<string, number> {
    const suffixes = new Map<string, number>();
    let at = HEADER_OCTETS;
    for (let rest = this.#query.name ?? ''; rest !== '';) {
      suffixes.set(rest, at);
      at += 1 + scratch[at]!;
      const dot = rest.indexOf('.');
      rest = dot === -1 ? '' : rest.slice(dot + 1);
    }
    return suffixes;
  }

  /** RFC 6891 6.1.2 */
  #opt(rcode: number): void {
    scratch.fill(0, this.#at, this.#at + OPT_OCTETS);
    put16(this.#at + 1, TYPE.OPT);
    put16(this.#at + 3, MAX_UDP_OCTETS);
    scratch[this.#at + 5] = rcode >> 4;
    if (this.#query.edns?.isDnssecOk === true) scratch[this.#at + 7] = 0x80;
    this.#at += OPT_OCTETS;
  }

  #put16(value: number): void {
    put16(this.#at, value);
    this.#at += 2;
  }

  #put32(value: number): void {
    put16(this.#at, value >>> 16);
    put16(this.#at + 2, value & 0xffff);
    this.#at += 4;
  }
}

function put16(at: number, value: number): void {
  scratch[at] = value >> 8;
  scratch[at + 1] = value & 255;
}
