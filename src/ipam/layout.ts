import {
  type Address,
  type Family,
  type Prefix,
  addressFromBigInt,
  addressToBigInt,
  bitsOf,
  prefixContains,
  prefixLengthOf,
  rangeOf,
} from '../net/index.js';

/** IPv6 pools are larger than anyone can fill: weft chooses from this many addresses at their beginning. */
const CHOSEN_AREA_V6 = 65_536n;

const LARGEST_BLOCK = 64;
const MOST_RESERVED = 8;

/**
 * How many addresses one block holds. A pool should have blocks for many hosts (256 where it is large enough), and a block
 * enough addresses that its owner seldom needs another.
 */
export function blockSizeFor(prefix: Prefix, range: Prefix | undefined): number {
  const area = areaOf(prefix, range);
  const size = Number(area.last - area.first + 1n);
  const whole = 2 ** Math.min(2, bitsOf[rangeOf(prefix).family] - prefixLengthOf(prefix));
  if (size < 128) return whole;
  return Math.min(LARGEST_BLOCK, Math.max(8, 2 ** Math.ceil(Math.log2(size / 256))));
}

/**
 * The arithmetic of one pool: which addresses can be an endpoint's, in which block each one is, and from which ones weft
 * chooses. Knows nothing of who has what.
 */
export class Layout {
  readonly prefix: Prefix;
  readonly prefixLength: number;
  /** How many addresses a host keeps aside for the time when the store is away. None in pools where each one counts. */
  readonly reserveSize: number;
  /** How many addresses weft can choose from, gateway and aux addresses included. */
  readonly chosenSize: number;
  readonly #family: Family;
  readonly #blockSize: bigint;
  readonly #usable: { readonly first: bigint; readonly last: bigint };
  readonly #area: { readonly first: bigint; readonly last: bigint };
  readonly #members = new Map<Address, readonly Address[]>();

  constructor(pool: {
    readonly prefix: Prefix;
    readonly range?: Prefix;
    readonly blockSize: number;
  }) {
    this.prefix = pool.prefix;
    this.prefixLength = prefixLengthOf(pool.prefix);
    this.#family = rangeOf(pool.prefix).family;
    this.#blockSize = BigInt(pool.blockSize);
    this.#usable = usableOf(pool.prefix);
    this.#area = areaOf(pool.prefix, pool.range);
    this.chosenSize = Number(this.#area.last - this.#area.first + 1n);
    this.reserveSize =
      this.chosenSize < 32 ? 0 : Math.min(MOST_RESERVED, Math.floor(pool.blockSize / 2));
  }

  /** True when an endpoint can have it: in the pool, and neither its network nor its broadcast or anycast address. */
  isUsable(address: Address): boolean {
    if (!prefixContains(this.prefix, address)) return false;
    const value = addressToBigInt(address);
    return this.#usable.first <= value && value <= this.#usable.last;
  }

  /** The first address that an endpoint could have: a gateway nobody chose. */
  get firstUsable(): Address {
    return addressFromBigInt(this.#family, this.#usable.first);
  }

  /** The first address of the block that `address` is in: the block's name. */
  baseOf(address: Address): Address {
    return addressFromBigInt(this.#family, this.#floor(addressToBigInt(address)));
  }

  /** Every usable address of the block at `base`. Empty when that is no block of this pool. */
  members(base: Address): readonly Address[] {
    const known = this.#members.get(base);
    if (known) return known;
    const first = addressToBigInt(base);
    const members =
      prefixContains(this.prefix, base) && this.#floor(first) === first
        ? this.#between(first, this.#usable)
        : [];
    if (members.length > 0) this.#members.set(base, members);
    return members;
  }

  /** Those addresses of the block that weft chooses from. */
  chosenFrom(base: Address): readonly Address[] {
    const members = this.members(base);
    const { first, last } = this.#area;
    const start = addressToBigInt(base);
    if (first <= start && start + this.#blockSize - 1n <= last) return members;
    return members.filter((address) => {
      const value = addressToBigInt(address);
      return first <= value && value <= last;
    });
  }

  /** The blocks that weft chooses from, lowest first. */
  *bases(): Iterable<Address> {
    const end = this.#area.last;
    for (let base = this.#floor(this.#area.first); base <= end; base += this.#blockSize) {
      yield addressFromBigInt(this.#family, base);
    }
  }

  #floor(value: bigint): bigint {
    return value - (value % this.#blockSize);
  }

  #between(base: bigint, { first, last }: { first: bigint; last: bigint }): Address[] {
    const addresses: Address[] = [];
    for (let value = base; value < base + this.#blockSize; value += 1n) {
      if (first <= value && value <= last) addresses.push(addressFromBigInt(this.#family, value));
    }
    return addresses;
  }
}

/**
 * Without the network and broadcast address of IPv4 (both are endpoints' in a /31, RFC 3021) and without the
 * subnet-router anycast address of IPv6 (RFC 4291 2.6.1; not in a /127, RFC 6164).
 */
function usableOf(prefix: Prefix): { first: bigint; last: bigint } {
  const { family, first, last } = rangeOf(prefix);
  if (bitsOf[family] - prefixLengthOf(prefix) < 2) return { first, last };
  return { first: first + 1n, last: family === 4 ? last - 1n : last };
}

function areaOf(prefix: Prefix, range: Prefix | undefined): { first: bigint; last: bigint } {
  const usable = usableOf(prefix);
  const wanted = rangeOf(range ?? prefix);
  const first = wanted.first > usable.first ? wanted.first : usable.first;
  const last = wanted.last < usable.last ? wanted.last : usable.last;
  const end = wanted.family === 4 ? last : minimum(last, wanted.first + CHOSEN_AREA_V6 - 1n);
  return { first, last: end };
}

function minimum(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}
