import {
  type Family,
  type Prefix,
  bitsOf,
  parsePrefix,
  prefixLengthOf,
  prefixesOverlap,
  rangeOf,
  rangesOverlap,
} from '../net/index.js';
import type { RequestPoolRequest } from '../plugin-api/index.js';
import { type Pool, type PoolHost, isNetworkName, poolIdOf, prefixWithin } from './documents.js';
import { IpamError } from './errors.js';
import { Layout, blockSizeFor } from './layout.js';
import { type Occupied, choosePrefix, obstacleOf } from './prefixes.js';

/** The one option of `--ipam-opt`. */
export const NETWORK_OPTION = 'weft.network';

/** Docker's own keys among the options are none of ours. */
const DOCKER_KEYS = 'com.docker.';

/**
 * Docker up to 26 asks again as long as the answer overlaps something that it sees; and it would do so for ever. A grant
 * that no network followed counts for as long as such a loop, or a slow create, can last.
 */
export const MAX_OPEN_GRANTS = 32;
export const OPEN_GRANT_MS = 120_000;

/** A create that still runs is younger than this; what is older was left over by an answer that Docker never got. */
export const IN_FLIGHT_MS = 5000;

/** RequestPool, checked. */
export interface Wish {
  readonly family: Family;
  readonly prefix?: Prefix;
  readonly range?: Prefix;
  readonly network?: string;
}

/** What this host has been granted of a pool, and not made a network of. */
export interface OpenGrants {
  /** Of the last {@link OPEN_GRANT_MS}. */
  readonly count: number;
  /** Age of the youngest one. */
  readonly ageMs: number;
}

/** By pool id, of pools that no network was made of yet. */
export function openGrants(
  hosts: Iterable<readonly [id: string, host: PoolHost]>,
  now: number,
): Map<string, OpenGrants> {
  const open = new Map<string, OpenGrants>();
  for (const [id, { created, grants }] of hosts) {
    if (created) continue;
    const ages = Object.values(grants).map((since) => now - since);
    const young = ages.filter((age) => age < OPEN_GRANT_MS);
    if (young.length > 0) open.set(id, { count: young.length, ageMs: Math.min(...young) });
  }
  return open;
}

export interface Situation {
  readonly host: string;
  readonly pools: readonly Pool[];
  readonly occupied: readonly Occupied[];
  /** By pool id. */
  readonly open: ReadonlyMap<string, OpenGrants>;
  /** True when this host has the pool. */
  readonly has: (id: string) => boolean;
  /** True when endpoints on this host use addresses of the pool. */
  readonly inUse: (id: string) => boolean;
  /** What pools are chosen from. */
  readonly ranges: readonly Prefix[];
  readonly nameOf: (host: string) => string;
}

export type Decision =
  | { readonly kind: 'join'; readonly pool: Pool }
  | { readonly kind: 'create'; readonly pool: Pool }
  /** Its deletion has to be completed first. */
  | { readonly kind: 'finish'; readonly pool: Pool }
  /** It was left over on this host, which has to give it up first. */
  | { readonly kind: 'retire'; readonly pool: Pool };

/** A pool that Docker asks for: with this very prefix, or any of the family. */
export interface AskedPool {
  readonly prefix: Prefix | undefined;
  readonly family: 4 | 6;
}

/** Reads what Docker asks for; `expected`: the network that is meant without being named. Throws INVALID_OPTION. */
export function parseWish(
  request: RequestPoolRequest,
  expected: (asked: AskedPool) => string | undefined = () => undefined,
): Wish {
  const { prefix, subPrefix: range, options } = request;
  for (const option of Object.keys(options)) {
    if (option === NETWORK_OPTION || option.startsWith(DOCKER_KEYS)) continue;
    throw invalid(option, `weft has no --ipam-opt "${option}"; it knows ${NETWORK_OPTION}=NAME`);
  }
  const family = prefix === undefined ? (request.ipv6 ? 6 : 4) : rangeOf(prefix).family;
  const network = options[NETWORK_OPTION] ?? expected({ prefix, family });
  if (network !== undefined && !isNetworkName(network)) {
    throw invalid(
      NETWORK_OPTION,
      `"${network}" can't name a network: use letters, digits, '_', '.' and '-', beginning with a letter or digit`,
    );
  }
  if (prefix !== undefined) checkShape(prefix, range);
  return {
    family,
    ...(prefix === undefined ? {} : { prefix }),
    ...(range === undefined ? {} : { range }),
    ...(network === undefined ? {} : { network }),
  };
}

/** What a wish comes to, as things are. Throws POOL_OVERLAP, NO_FREE_POOL, INVALID_OPTION. */
export function decide(wish: Wish, situation: Situation): Decision {
  if (wish.prefix !== undefined) return decideNamed({ ...wish, prefix: wish.prefix }, situation);
  if (wish.network !== undefined) {
    const decision = decideByNetwork({ ...wish, network: wish.network }, situation);
    if (decision) return decision;
  }
  if (wish.range !== undefined) {
    throw invalid('ip-range', `--ip-range ${wish.range} needs a --subnet that it lies in`);
  }
  return { kind: 'create', pool: newPool(chooseAny(wish, situation), wish, situation) };
}

function decideNamed(wish: Wish & { readonly prefix: Prefix }, situation: Situation): Decision {
  const { prefix, network } = wish;
  const { pools, host, open } = situation;
  const exact = pools.find((pool) => pool.prefix === prefix);
  assertNoObstacle(prefix, situation, exact && network);
  if (exact?.closing) return { kind: 'finish', pool: exact };
  if (exact && network !== undefined && exact.network === network)
    return join(exact, wish, situation);
  // Docker has no such network here, and nobody but its creator can have a pool without a name.
  const isLeftOver = exact?.createdBy === host && (!exact.network || situation.has(exact.id));
  if (exact && network === undefined && isLeftOver) {
    if ((open.get(exact.id)?.ageMs ?? Infinity) < IN_FLIGHT_MS) throw beingCreated(prefix);
    if (situation.inUse(exact.id)) throw overlap(prefix, exact, situation);
    return { kind: 'retire', pool: exact };
  }
  const bounds = rangeOf(prefix);
  const other = exact ?? pools.find((pool) => rangesOverlap(bounds, rangeOf(pool.prefix)));
  if (other?.closing) return { kind: 'finish', pool: other };
  if (other) throw overlap(prefix, other, situation);
  if (network !== undefined) assertOpenEnded(network, prefix, pools);
  return { kind: 'create', pool: newPool(prefix, wish, situation) };
}

/** The network's own pool, when it has one; undefined: it needs a new one. */
function decideByNetwork(
  wish: Wish & { readonly network: string },
  situation: Situation,
): Decision | undefined {
  const { network, family } = wish;
  const { open } = situation;
  const ofNetwork = situation.pools.filter((pool) => pool.network === network);
  const ofFamily = ofNetwork.filter((pool) => rangeOf(pool.prefix).family === family);
  const closing = ofFamily.find((pool) => pool.closing);
  if (closing) return { kind: 'finish', pool: closing };
  // A pool that this host made a moment ago and asks for again is one that Docker refused.
  const found = ofFamily.filter(
    ({ id, settled }) => settled || (open.get(id)?.ageMs ?? Infinity) >= IN_FLIGHT_MS,
  );
  const [pool, another] = found;
  if (pool && another) {
    throw invalid(
      'subnet',
      `weft network "${network}" has several IPv${family} pools; name each one: ${subnets(found)}`,
    );
  }
  if (pool) {
    assertNoObstacle(pool.prefix, situation, network);
    return join(pool, wish, situation);
  }
  if (ofNetwork.some(({ settled }) => settled)) {
    const wayOut =
      family === 4 ? 'add --ipv4=false --ipv6 (Docker 28 and later)' : 'leave --ipv6 out';
    throw invalid(
      'ipv6',
      `weft network "${network}" has no IPv${family} pool, but ${subnets(ofNetwork)}; ${wayOut} to join it`,
    );
  }
  return undefined;
}

function join(pool: Pool, { range }: Wish, { open }: Situation): Decision {
  if (range !== undefined && range !== pool.range) {
    throw invalid(
      'ip-range',
      `pool ${pool.prefix} of weft network "${pool.network}" has ${pool.range ? `the range ${pool.range}` : 'no --ip-range'}; leave --ip-range out to join it`,
    );
  }
  if ((open.get(pool.id)?.count ?? 0) >= MAX_OPEN_GRANTS) {
    throw new IpamError(
      { code: 'NO_FREE_POOL' },
      `Docker on this host keeps refusing pool ${pool.prefix} of weft network "${pool.network}": it overlaps a route or nameserver here; remove that, or create the network with another --subnet`,
    );
  }
  return { kind: 'join', pool };
}

function chooseAny({ family }: Wish, { pools, occupied, open, ranges }: Situation): Prefix {
  const refused = [...open.values()].reduce((sum, { count }) => sum + count, 0);
  if (refused >= MAX_OPEN_GRANTS) {
    throw new IpamError(
      { code: 'NO_FREE_POOL' },
      `Docker on this host refused ${refused} pools in a row, since each overlaps something here; name one with --subnet, or set ipam.ranges in weft's configuration`,
    );
  }
  const obstacles = occupied.filter(({ prefix }) => prefixLengthOf(prefix) > 1);
  const taken = [...pools, ...obstacles].map(({ prefix }) => rangeOf(prefix));
  const chosen = choosePrefix({ ranges, family, taken, start: refused / MAX_OPEN_GRANTS });
  if (chosen !== undefined) return chosen;
  const tried = ranges.filter((range) => rangeOf(range).family === family).join(', ');
  throw new IpamError(
    { code: 'NO_FREE_POOL' },
    `no free IPv${family} pool is left in ${tried || 'any configured range'} that overlaps nothing on this host; name one with --subnet, or set ipam.ranges in weft's configuration`,
  );
}

function newPool(prefix: Prefix, { range, network }: Wish, { host }: Situation): Pool {
  return {
    id: poolIdOf(prefix),
    prefix,
    ...(range === undefined ? {} : { range }),
    ...(network === undefined ? {} : { network }),
    aux: [],
    createdBy: host,
    blockSize: blockSizeFor(prefix, range),
    settled: false,
  };
}

/** What no container can use as its own subnet (RFC 6890): IPv4-mapped addresses are how Docker would misread one family as the other. */
const SPECIAL = (
  [
    ['0.0.0.0/8', '"this network"'],
    ['127.0.0.0/8', 'loopback'],
    ['169.254.0.0/16', 'link-local'],
    ['224.0.0.0/3', 'multicast and reserved'],
    ['::/96', 'reserved'],
    ['::ffff:0:0/96', 'IPv4-mapped'],
    ['fe80::/10', 'link-local'],
    ['ff00::/8', 'multicast'],
  ] as const
).map(([prefix, what]) => ({ special: parsePrefix(prefix), what }));

function checkShape(prefix: Prefix, range: Prefix | undefined): void {
  if (prefixLengthOf(prefix) < 8) {
    throw invalid('subnet', `--subnet ${prefix} is too large; /8 is the largest`);
  }
  const smallest = bitsOf[rangeOf(prefix).family] - 2;
  if (prefixLengthOf(prefix) > smallest) {
    throw invalid(
      'subnet',
      `--subnet ${prefix} is too small for a gateway and containers; give one from /8 to /${smallest}`,
    );
  }
  const found = SPECIAL.find(({ special }) => prefixesOverlap(special, prefix));
  if (found) {
    const { special, what } = found;
    throw invalid('subnet', `--subnet ${prefix} can't be used: ${special} is ${what}`);
  }
  if (range === undefined) return;
  if (!prefixWithin(prefix, range)) {
    throw invalid('ip-range', `--ip-range ${range} does not lie in --subnet ${prefix}`);
  }
  const { chosenSize } = new Layout({ prefix, range, blockSize: blockSizeFor(prefix, range) });
  if (chosenSize < 1)
    throw invalid('ip-range', `--ip-range ${range} has no address for a container`);
}

function assertNoObstacle(
  prefix: Prefix,
  { occupied }: Situation,
  network: string | undefined,
): void {
  const obstacle = obstacleOf(prefix, occupied);
  if (!obstacle) return;
  const whose = network === undefined ? '' : ` of weft network "${network}"`;
  throw new IpamError(
    { code: 'POOL_OVERLAP', pool: prefix, other: obstacle.what },
    `${prefix}${whose} overlaps ${obstacle.what} (${obstacle.prefix}) on this host; ${network === undefined ? 'choose another --subnet' : 'remove that, or create the network with another --subnet'}`,
  );
}

/** A network whose prefixes are final takes no further ones. */
function assertOpenEnded(network: string, prefix: Prefix, pools: readonly Pool[]): void {
  const ofNetwork = pools.filter((pool) => pool.network === network);
  if (!ofNetwork.some(({ settled }) => settled)) return;
  throw invalid(
    'subnet',
    `weft network "${network}" exists with ${subnets(ofNetwork)}, not ${prefix}; leave --subnet out to join it, or choose another name`,
  );
}

function overlap(prefix: Prefix, other: Pool, { nameOf }: Situation): IpamError {
  const creator = nameOf(other.createdBy);
  const whose =
    other.network === undefined
      ? `that ${creator} has for a network without a name in the cluster: if it was made there a moment ago and is the one you mean, it comes to this host by itself, so try again; ` +
        `if not, choose another --subnet, or, for one network on several hosts, create it on each of them with --ipam-opt ${NETWORK_OPTION}=NAME`
      : `of weft network "${other.network}" (created by ${creator}); choose another --subnet, or join that network with --ipam-opt ${NETWORK_OPTION}=${other.network}`;
  return new IpamError(
    { code: 'POOL_OVERLAP', pool: prefix, other: other.network ?? other.prefix },
    `${prefix} overlaps the pool ${other.prefix} ${whose}`,
  );
}

function beingCreated(prefix: Prefix): IpamError {
  return new IpamError(
    { code: 'POOL_OVERLAP', pool: prefix, other: prefix },
    `${prefix} is being made a network on this host right now; if that came to nothing, try again in ${IN_FLIGHT_MS / 1000} seconds`,
  );
}

function invalid(option: string, message: string): IpamError {
  return new IpamError({ code: 'INVALID_OPTION', option }, message);
}

function subnets(pools: readonly Pool[]): string {
  return pools.map(({ prefix }) => `--subnet ${prefix}`).join(' ');
}
