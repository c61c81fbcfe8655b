import {
  type AddressRange,
  type Family,
  type Prefix,
  addressFromBigInt,
  bitsOf,
  prefixLengthOf,
  rangeOf,
  rangesOverlap,
} from '../net/index.js';

/** Something on this host that a pool must not overlap. */
export interface Occupied {
  readonly prefix: Prefix;
  /** For the user: "route to 10.0.0.0/8 on eth1", "nameserver 10.0.0.2", "Docker network backend". */
  readonly what: string;
}

/**
 * Pools that weft chooses are /20: 4,093 addresses, four for each of 1,000 hosts, and 1,024 networks out of a /10. A /22
 * would give a thousand hosts one address each; a /16 would be gone after 64 networks. IPv6: /64, as hosts expect (RFC 4291).
 */
const CHOSEN_LENGTH = { 4: 20, 6: 64 } as const;

/** So that even a small range yields 16 pools. */
const MIN_SPLIT_BITS = 4;
const LONGEST_CHOSEN = { 4: 28, 6: 64 } as const;

/** The length of the pools that are cut from a range. */
export function chosenLength(range: Prefix): number {
  const { family } = rangeOf(range);
  const length = prefixLengthOf(range);
  const split = Math.max(CHOSEN_LENGTH[family], length + MIN_SPLIT_BITS);
  return Math.max(length, Math.min(split, LONGEST_CHOSEN[family]));
}

export interface Choice {
  /** In order of preference. */
  readonly ranges: readonly Prefix[];
  readonly family: Family;
  readonly taken: readonly AddressRange[];
  /**
   * Where in a range to begin, from 0 up to 1: Docker refuses pools for reasons that weft may not see, and asks again;
   * to find one beyond a large obstacle the search must jump, not step.
   */
  readonly start: number;
}

/** The first pool at or after `start` that overlaps nothing, wrapping around in each range. */
export function choosePrefix({ ranges, family, taken, start }: Choice): Prefix | undefined {
  for (const range of ranges) {
    const bounds = rangeOf(range);
    if (bounds.family !== family) continue;
    const length = chosenLength(range);
    const size = 1n << BigInt(bitsOf[family] - length);
    const pools = (bounds.last - bounds.first + 1n) / size;
    const middle = bounds.first + BigInt(Math.floor(start * Number(pools))) * size;
    const first =
      firstFree({ family, first: middle, last: bounds.last }, size, taken) ??
      firstFree({ family, first: bounds.first, last: middle - 1n }, size, taken);
    if (first !== undefined) return `${addressFromBigInt(family, first)}/${length}` as Prefix;
  }
  return undefined;
}

/** Jumps over whole obstacles, so that a large one costs no more than a small one. */
function firstFree(
  { family, first, last }: AddressRange,
  size: bigint,
  taken: readonly AddressRange[],
): bigint | undefined {
  let base = first;
  while (base + size - 1n <= last) {
    const candidate = { family, first: base, last: base + size - 1n };
    const obstacle = taken.find((range) => rangesOverlap(range, candidate));
    if (!obstacle) return base;
    const beyond = obstacle.last - first + 1n;
    base = first + ((beyond + size - 1n) / size) * size;
  }
  return undefined;
}

/** The obstacle on this host that `prefix` overlaps, if any. The default route, and its halves as VPNs set them, are none. */
export function obstacleOf(prefix: Prefix, occupied: readonly Occupied[]): Occupied | undefined {
  const bounds = rangeOf(prefix);
  return occupied.find(
    (other) => prefixLengthOf(other.prefix) > 1 && rangesOverlap(bounds, rangeOf(other.prefix)),
  );
}
