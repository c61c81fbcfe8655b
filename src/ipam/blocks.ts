import type { Address } from '../net/index.js';

export interface Taken {
  readonly host: string;
  /** Milliseconds since 1970. */
  readonly since: number;
}

/**
 * Some neighbouring addresses of a pool, as one document: every address of a pool is in exactly one, so that whoever hands
 * one out changes one key, and two hosts never both succeed.
 *
 * An address is free when it is in none of the three.
 */
export interface Block {
  /** The host that hands out from here first. */
  owner?: string;
  /** What the owner alone may hand out, without asking the store. */
  readonly reserve: Set<Address>;
  readonly taken: Map<Address, Taken>;
  /** Freed lately: when each may be chosen again, milliseconds since 1970. */
  readonly resting: Map<Address, number>;
}

export function emptyBlock(): Block {
  return { reserve: new Set(), taken: new Map(), resting: new Map() };
}

export function copyBlock({ owner, reserve, taken, resting }: Block): Block {
  return {
    ...(owner === undefined ? {} : { owner }),
    reserve: new Set(reserve),
    taken: new Map(taken),
    resting: new Map(resting),
  };
}

/** True when the document says nothing that its absence would not. */
export function isEmpty({ owner, reserve, taken, resting }: Block): boolean {
  return owner === undefined && reserve.size + taken.size + resting.size === 0;
}

/** Those of `members` that can be handed out now, in their order. */
export function freeIn(block: Block, members: readonly Address[], now: number): Address[] {
  return members.filter(
    (address) =>
      !block.taken.has(address) &&
      !block.reserve.has(address) &&
      (block.resting.get(address) ?? 0) <= now,
  );
}

/** Those of `members` that rest still, the longest rested first. */
export function restingIn(block: Block, members: readonly Address[], now: number): Address[] {
  const until = (address: Address): number => block.resting.get(address) ?? 0;
  return members
    .filter((a) => until(a) > now && !block.taken.has(a) && !block.reserve.has(a))
    .sort((a, b) => until(a) - until(b));
}

/** Hands `address` to `host`, whatever it was before. */
export function take(block: Block, address: Address, host: string, now: number): void {
  block.reserve.delete(address);
  block.resting.delete(address);
  block.taken.set(address, { host, since: now });
}

/** Frees `address` when `host` has it; it then rests until `until`. */
export function free(block: Block, address: Address, host: string, until: number): boolean {
  if (block.taken.get(address)?.host !== host) return false;
  block.taken.delete(address);
  block.resting.set(address, until);
  return true;
}

/** Puts up to `count` free addresses aside for the owner. */
export function reserveMore(
  block: Block,
  members: readonly Address[],
  count: number,
  now: number,
): void {
  for (const address of freeIn(block, members, now).slice(0, Math.max(0, count))) {
    block.resting.delete(address);
    block.reserve.add(address);
  }
}

/** Drops what has rested long enough, so that documents do not grow by what no longer matters. */
export function prune(block: Block, now: number): void {
  for (const [address, until] of block.resting) if (until <= now) block.resting.delete(address);
}

/** Gives up the block: what the owner had aside becomes free. */
export function giveUp(block: Block): void {
  delete block.owner;
  block.reserve.clear();
}

/** Takes everything from `host`: its addresses rest until `until`, its block has no owner. */
export function expel(block: Block, host: string, until: number): void {
  if (block.owner === host) giveUp(block);
  for (const [address, { host: holder }] of block.taken) {
    if (holder === host) free(block, address, host, until);
  }
}
