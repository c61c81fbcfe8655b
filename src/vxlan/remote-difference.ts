import type { Address } from '../net/index.js';
import type { Peer, Remote } from './types.js';

/** What two states of the other hosts have not in common. */
export interface RemoteDifference {
  /** Peers of either that the other has not, or has in another order. */
  readonly peers: readonly Peer[];
  readonly vteps: readonly Address[];
}

/**
 * By identity: a peer is the same only when it is the same object, which is how a caller that changes little tells so. A list
 * that shares its beginning and end with the one before costs two comparisons a peer and no memory.
 */
export function differenceOf(before: Remote, after: Remote): RemoteDifference {
  return {
    peers: changed(before.peers, after.peers),
    vteps: changed(before.vteps, after.vteps),
  };
}

function changed<T>(before: readonly T[], after: readonly T[]): T[] {
  const shorter = Math.min(before.length, after.length);
  let start = 0;
  while (start < shorter && before[start] === after[start]) start += 1;
  let end = 0;
  while (end < shorter - start && before.at(-1 - end) === after.at(-1 - end)) end += 1;
  const old = before.slice(start, before.length - end);
  const now = after.slice(start, after.length - end);
  const [isOld, isNow] = [new Set(old), new Set(now)];
  const [stayedOld, stayedNow] = [old.filter((x) => isNow.has(x)), now.filter((x) => isOld.has(x))];
  // Of two that claim one place the last counts, so that order is part of what they say.
  const isInOrder =
    stayedOld.length === stayedNow.length && stayedOld.every((x, i) => x === stayedNow[i]);
  if (!isInOrder) return [...old, ...now];
  return [...old.filter((x) => !isNow.has(x)), ...now.filter((x) => !isOld.has(x))];
}
