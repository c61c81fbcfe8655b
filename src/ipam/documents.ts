import Type, { type Static, type TSchema } from 'typebox';
import { Compile, type Validator } from 'typebox/compile';
import {
  type Address,
  type Prefix,
  parseAddress,
  parsePrefix,
  prefixContains,
  prefixLengthOf,
  rangeOf,
} from '../net/index.js';
import { messageOf } from '../util/index.js';
import type { Block, Taken } from './blocks.js';
import { IpamError } from './errors.js';

/** Where ipam keeps what in the shared store. */
export const keys = {
  pools: 'pools/',
  pool: (id: string) => `pools/${id}`,
  /** Written by every creation of a pool, so that two hosts never choose at the same time. */
  poolsGuard: 'pools-guard',
  /** The range that IPv6 pools of this cluster are cut from. */
  ula: 'ula',
  poolHosts: (pool: string) => `pool-hosts/${pool}/`,
  poolHost: (pool: string, host: string) => `pool-hosts/${pool}/${host}`,
  blocks: (pool: string) => `blocks/${pool}/`,
  block: (pool: string, base: Address) => `blocks/${pool}/${base}`,
  /** What others ask of a host's reserve. */
  wantedOf: (host: string) => `wanted/${host}/`,
  wanted: (host: string, pool: string, address: Address) => `wanted/${host}/${pool}/${address}`,
  /** Says that the host listens, and keeps its watch from being of nothing. */
  listens: (host: string) => `wanted/${host}/-`,
} as const;

/** The address that ends a key, or undefined when it is none in canonical form. */
export function addressOfKey(key: string): Address | undefined {
  return canonicalAddress(key.slice(key.lastIndexOf('/') + 1));
}

/** "10.203.0.0/24" is pool "10.203.0.0-24" on every host: prefixes are unique in the cluster. */
export function poolIdOf(prefix: Prefix): string {
  return prefix.replace('/', '-');
}

/** The inverse of {@link poolIdOf}; undefined for what that never makes. */
export function prefixOfPoolId(id: string): Prefix | undefined {
  try {
    const prefix = parsePrefix(id.replace('-', '/'));
    return poolIdOf(prefix) === id ? prefix : undefined;
  } catch {
    return undefined;
  }
}

/** The id that Docker got: the pool's own and, after a '~', that of the grant. */
export function parseGrantedId(poolId: string): { readonly id: string; readonly grant: string } {
  const [id = '', grant = ''] = poolId.split('~');
  return { id, grant };
}

export function damagedDocument(key: string): IpamError {
  return new IpamError(
    { code: 'BAD_DOCUMENT', key },
    `what this host's disk holds at ${key} can't be read; it is read from the shared store again`,
  );
}

/** A network's addresses, as all hosts know them. */
export interface Pool {
  readonly id: string;
  readonly prefix: Prefix;
  /** `--ip-range`: addresses are chosen from here only. */
  readonly range?: Prefix;
  /** `--ipam-opt weft.network=NAME`: what makes pools on several hosts one. */
  readonly network?: string;
  /** The same on each host; kept until the pool goes. */
  readonly gateway?: Address;
  /** `--aux-address`: never handed out; kept until the pool goes. */
  readonly aux: readonly Address[];
  readonly createdBy: string;
  /** How many addresses one block document holds; a power of two. */
  readonly blockSize: number;
  /** True once a network was created on it: its prefixes are final. */
  readonly settled: boolean;
  /** Somebody is deleting it; nobody can join. `by` does the work, `leaving` is the last host that had it. */
  readonly closing?: { readonly by: string; readonly leaving: string };
}

/** One host's use of a pool; that it exists keeps the pool alive. */
export interface PoolHost {
  /** One per RequestPool that was answered and not yet released: id and time, ms since 1970. */
  readonly grants: Readonly<Record<string, number>>;
  /** True once Docker's network exists on the host: explicit addresses are endpoints' from then on. */
  readonly created: boolean;
}

const version = Type.Literal(1);
const host = Type.String({ pattern: '^[0-9A-Za-z._-]{1,128}$' });
const address = Type.String({ maxLength: 45 });
const time = Type.Integer({ minimum: 0 });
const NETWORK_NAME = '^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$';

const PoolSchema = Type.Object({
  v: version,
  prefix: Type.String(),
  range: Type.Optional(Type.String()),
  network: Type.Optional(Type.String({ pattern: NETWORK_NAME })),
  gateway: Type.Optional(address),
  aux: Type.Array(address, { maxItems: 1024 }),
  createdBy: host,
  blockSize: Type.Integer({ minimum: 1, maximum: 256 }),
  settled: Type.Boolean(),
  closing: Type.Optional(Type.Object({ by: host, leaving: host })),
});

const PoolHostSchema = Type.Object({
  v: version,
  grants: Type.Record(Type.String(), time, { maxProperties: 256 }),
  created: Type.Boolean(),
});

const BlockSchema = Type.Object({
  v: version,
  host: Type.Optional(host),
  reserve: Type.Array(address, { maxItems: 256 }),
  taken: Type.Record(Type.String(), Type.Object({ host, since: time }), { maxProperties: 256 }),
  resting: Type.Record(Type.String(), time, { maxProperties: 256 }),
});

const WantedSchema = Type.Object({ v: version, host });
const UlaSchema = Type.Object({ v: version, prefix: Type.String() });

/** Network names are Docker's. */
export function isNetworkName(text: string): boolean {
  return new RegExp(NETWORK_NAME).test(text);
}

export function parsePool(key: string, text: string): Pool {
  return parse(key, text, PoolSchema, ({ v: _, ...raw }) => {
    const id = key.slice(keys.pools.length);
    const prefix = raw.prefix as Prefix;
    demand(prefixOfPoolId(id) === prefix, 'its prefix is not that of its key');
    const { range, gateway, aux, ...rest } = raw;
    const inside = (one: string): Address => {
      const found = canonicalAddress(one);
      demand(found !== undefined && prefixContains(prefix, found), `${one} is not in the pool`);
      return found;
    };
    demand((raw.blockSize & (raw.blockSize - 1)) === 0, 'its block size is no power of two');
    return {
      ...rest,
      id,
      prefix,
      aux: aux.map(inside),
      ...(gateway === undefined ? {} : { gateway: inside(gateway) }),
      ...(range === undefined ? {} : { range: rangeInside(prefix, range) }),
    };
  });
}

export function formatPool({ id: _, ...pool }: Pool): string {
  return JSON.stringify({ v: 1, ...pool });
}

export function parsePoolHost(key: string, text: string): PoolHost {
  return parse(key, text, PoolHostSchema, ({ grants, created }) => ({ grants, created }));
}

export function formatPoolHost(document: PoolHost): string {
  return JSON.stringify({ v: 1, ...document });
}

/** `members`: the addresses that belong to this block; others in the document make it a bad one. */
export function parseBlock(key: string, text: string, members: ReadonlySet<Address>): Block {
  return parse(key, text, BlockSchema, (raw) => {
    const member = (one: string): Address => {
      demand(members.has(one as Address), `${one} does not belong there`);
      return one as Address;
    };
    const block: Block = {
      reserve: new Set(raw.reserve.map(member)),
      taken: new Map(Object.entries(raw.taken).map(([a, t]): [Address, Taken] => [member(a), t])),
      resting: new Map(
        Object.entries(raw.resting).map(([a, t]): [Address, number] => [member(a), t]),
      ),
    };
    if (raw.host !== undefined) block.owner = raw.host;
    for (const one of block.reserve) demand(!block.taken.has(one), `${one} is taken and reserved`);
    demand(block.owner !== undefined || block.reserve.size === 0, 'a reserve without owner');
    return block;
  });
}

export function formatBlock({ owner, reserve, taken, resting }: Block): string {
  return JSON.stringify({
    v: 1,
    host: owner,
    reserve: [...reserve],
    taken: Object.fromEntries(taken),
    resting: Object.fromEntries(resting),
  });
}

/** The host that asks. */
export function parseWanted(key: string, text: string): string {
  return parse(key, text, WantedSchema, (raw) => raw.host);
}

export function formatWanted(document: { readonly host: string }): string {
  return JSON.stringify({ v: 1, ...document });
}

export function parseUla(key: string, text: string): Prefix {
  return parse(key, text, UlaSchema, (raw) => parsePrefix(raw.prefix));
}

export function formatUla(prefix: Prefix): string {
  return JSON.stringify({ v: 1, prefix });
}

export function canonicalAddress(text: string): Address | undefined {
  try {
    const parsed = parseAddress(text);
    return parsed === text ? parsed : undefined;
  } catch {
    return undefined;
  }
}

/** True when every address of `inner` is in `outer`. */
export function prefixWithin(outer: Prefix, inner: Prefix): boolean {
  const [a, b] = [rangeOf(outer), rangeOf(inner)];
  return a.family === b.family && a.first <= b.first && b.last <= a.last;
}

function rangeInside(prefix: Prefix, text: string): Prefix {
  const range = parsePrefix(text);
  demand(prefixWithin(prefix, range), `its range ${text} is not inside its prefix`);
  demand(prefixLengthOf(range) >= prefixLengthOf(prefix), 'its range is larger than its prefix');
  return range;
}

function demand(condition: boolean, problem: string): asserts condition {
  if (!condition) throw new TypeError(problem);
}

const validators = new Map<TSchema, Validator>();

function parse<S extends TSchema, T>(
  key: string,
  text: string,
  schema: S,
  convert: (raw: Static<S>) => T,
): T {
  try {
    let validator = validators.get(schema);
    if (!validator) validators.set(schema, (validator = Compile(schema)));
    const raw: unknown = JSON.parse(text);
    demand(validator.Check(raw), 'not the shape that weft writes');
    return convert(raw as Static<S>);
  } catch (cause) {
    throw new IpamError(
      { code: 'BAD_DOCUMENT', key },
      `what the store holds at ${key} is not weft's (${messageOf(cause)}); repair or delete it`,
      { cause },
    );
  }
}
