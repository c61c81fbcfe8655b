import { crc32 } from 'node:zlib';

/**
 * The journal's bytes: a header line, then one line a record.
 *
 *     weft-journal 1
 *     CRC32 SEQUENCE DURABLE RECORD
 *
 * CRC32 is eight hex digits over the rest of the line. SEQUENCE counts records from 1 without a hole. DURABLE is the highest
 * sequence that was known to be on disk when the line was written. It tells the two kinds of damage apart: records
 * missing up to the highest DURABLE were acknowledged and are lost, what is missing after it was never acknowledged.
 */
export const FORMAT = 1;
const HEADER = /^weft-journal ([0-9]{1,9})$/;
const LINE = /^([0-9a-f]{8}) ([0-9]{1,16}) ([0-9]{1,16}) /;
const LF = 10;

/** Longest possible "CRC32 SEQUENCE DURABLE ". */
const MAX_LINE_HEAD = 8 + 1 + 16 + 1 + 16 + 1;

export const header = `weft-journal ${FORMAT}\n`;

/** One line. The record must not hold a line feed. */
export function encodeLine(sequence: number, durable: number, record: string): string {
  if (record.includes('\n')) throw new TypeError('a journal record must not hold a line feed');
  const body = `${sequence} ${durable} ${record}`;
  return `${crc32(body).toString(16).padStart(8, '0')} ${body}\n`;
}

export interface Scan {
  /** Absent: the header itself is damaged. */
  readonly format?: number;
  readonly records: readonly string[];
  /** Where the last of `records` ends. */
  readonly goodBytes: number;
  /** Sequence of the last of `records`. */
  readonly sequence: number;
  /** Acknowledged records that are not there. */
  readonly lost: number;
}

interface Line {
  readonly sequence: number;
  readonly durable: number;
  readonly record: string;
  readonly end: number;
}

/** Reads what is good of a journal: all acknowledged records that are whole, and after them those without a hole. */
export function scanJournal(bytes: Buffer): Scan {
  const headerEnd = bytes.indexOf(LF);
  const match =
    headerEnd < 0 ? null : HEADER.exec(bytes.toString('latin1', 0, Math.min(headerEnd, 64)));
  const lines = wholeLines(bytes, match ? headerEnd + 1 : 0);
  const durable = lines.reduce((max, line) => Math.max(max, line.durable), 0);
  const records: string[] = [];
  let sequence = 0;
  let acknowledged = 0;
  let goodBytes = match ? headerEnd + 1 : 0;
  for (const line of lines) {
    if (line.sequence > durable && line.sequence !== Math.max(sequence, durable) + 1) break;
    if (line.sequence <= durable) acknowledged += 1;
    records.push(line.record);
    sequence = line.sequence;
    goodBytes = line.end;
  }
  return {
    ...(match ? { format: Number(match[1]) } : {}),
    records,
    goodBytes,
    sequence,
    lost: durable - acknowledged,
  };
}

/** The lines whose checksum holds, in order; sequences only grow. */
function wholeLines(bytes: Buffer, start: number): Line[] {
  const lines: Line[] = [];
  let sequence = 0;
  for (let at = start; at < bytes.length;) {
    const lf = bytes.indexOf(LF, at);
    if (lf < 0) break;
    const line = parseLine(bytes, at, lf);
    if (line && line.sequence > sequence) {
      lines.push(line);
      sequence = line.sequence;
    }
    at = lf + 1;
  }
  return lines;
}

function parseLine(bytes: Buffer, start: number, lf: number): Line | undefined {
  const match = LINE.exec(bytes.toString('latin1', start, Math.min(lf, start + MAX_LINE_HEAD)));
  if (!match) return undefined;
  if (crc32(bytes.subarray(start + 9, lf)) !== Number.parseInt(match[1]!, 16)) return undefined;
  const record = bytes.toString('utf8', start + match[0].length, lf);
  return { sequence: Number(match[2]), durable: Number(match[3]), record, end: lf + 1 };
}
