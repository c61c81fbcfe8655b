/**
 * Names on the wire, and as text: labels joined with dots, ASCII in lower case, no dot at the end, "" for the root.
 *
 * A text holds one character per octet (latin1). Labels with a dot inside have no text; nothing of ours is called so.
 */
import { MAX_LABEL_OCTETS, MAX_NAME_OCTETS } from './constants.js';

export interface ReadName {
  /** In lower case; undefined for a name with a dot inside a label. */
  readonly text: string | undefined;
  /** Where the next thing starts. */
  readonly end: number;
}

const DOT = 46;

/** Lower case for the octets A to Z, all others as they are (RFC 4343). */
function lower(octet: number): number {
  return octet >= 65 && octet <= 90 ? octet + 32 : octet;
}

const scratch = new Uint8Array(MAX_NAME_OCTETS);

/**
 * Reads a name that is not compressed, as names of questions are: they are the first of their message. Undefined when it
 * is cut short, too long or compressed.
 */
export function readName(from: Uint8Array, start: number): ReadName | undefined {
  let at = start;
  let length = 0;
  let isText = true;
  for (;;) {
    const octets = from[at];
    if (octets === undefined || octets > MAX_LABEL_OCTETS) return undefined;
    at += 1;
    if (octets === 0) break;
    const end = at + octets;
    if (end >= from.length || end - start > MAX_NAME_OCTETS - 1) return undefined;
    if (length > 0) scratch[length++] = DOT;
    for (; at < end; at += 1) {
      const octet = lower(from[at]!);
      if (octet === DOT) isText = false;
      scratch[length++] = octet;
    }
  }
  return { text: isText ? textOf(length) : undefined, end: at };
}

/** For the short names that there are, faster than a decoder. */
function textOf(length: number): string {
  let text = '';
  for (let i = 0; i < length; i += 1) text += String.fromCharCode(scratch[i]!);
  return text;
}

/** Whether the text, ASCII of any case, can be a name on the wire: labels of 1 to 63 octets, 255 in all. */
export function isName(text: string): boolean {
  if (text.length > MAX_NAME_OCTETS - 2) return false;
  // oxlint-disable-next-line no-control-regex
  if (!/^[\x21-\x7e]+$/.test(text)) return false;
  return text.split('.').every((label) => label.length > 0 && label.length <= MAX_LABEL_OCTETS);
}
