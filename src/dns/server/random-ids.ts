import { randomFillSync } from 'node:crypto';

const ids = new Uint16Array(512);
let next = ids.length;

/** A query id that nobody can guess (RFC 5452 9.2). */
export function randomId(): number {
  if (next === ids.length) {
    randomFillSync(ids);
    next = 0;
  }
  return ids[next++]!;
}
