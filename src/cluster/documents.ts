import { createHash } from 'node:crypto';
import Type, { type Static, type TSchema } from 'typebox';
import { Compile, type Validator } from 'typebox/compile';
import {
  type Address,
  type AddressWithLength,
  type Mac,
  type Prefix,
  type Vni,
  isUnicastMac,
  parseAddress,
  parseAddressWithLength,
  parseMac,
  parsePrefix,
  parseVni,
} from '../net/index.js';

/** Version of the key layout and of every document in it. */
export const SCHEMA_VERSION = 1;

/** Bounds on what another host can make us hold. */
const MAX_ENDPOINTS = 4096;
const MAX_POOLS = 16;
const MAX_BYTES = 2_000_000;

export const keys = {
  /** See layout.ts. */
  layout: 'layout',
  hosts: 'hosts/',
  host: (id: string) => `hosts/${id}`,
  vtep: (address: Address) => `vteps/${address}`,
  members: 'members/',
  member: (id: string) => `members/${id}`,
  /** Since when a member is not announced. */
  aways: 'away/',
  away: (id: string) => `away/${id}`,
  networks: 'networks/',
  network: (id: string) => `networks/${id}`,
  vni: (vni: Vni) => `vnis/${vni}`,
  name: (name: string) => `names/${name}`,
  /** Every host's endpoints on every network. */
  everyEndpoint: 'endpoints/',
  /** Every host's endpoints on one network. */
  endpointsOf: (network: string) => `endpoints/${network}/`,
  endpoints: (network: string, host: string) => `endpoints/${network}/${host}`,
  /** For each document of endpoints what tells whether it is another now. */
  everyHead: 'heads/',
  headsOf: (network: string) => `heads/${network}/`,
  head: (network: string, host: string) => `heads/${network}/${host}`,
  /** See policies.ts. */
  policies: 'policies/',
  policyIndex: 'policies/-',
  policy: (name: string, sum: string) => `policies/${name}@${sum}`,
  /** Which version of the policies a host enforces. */
  everyEnforced: 'enforced/',
  enforced: (id: string) => `enforced/${id}`,
} as const;

const id = Type.String({ pattern: '^[0-9a-f]{12}$' });
const hostId = Type.String({ pattern: '^[0-9a-z-]{1,64}$' });
const label = Type.String({ minLength: 1, maxLength: 255 });
/** What Docker allows as a network's name; it becomes part of a key. */
const NETWORK_NAME = '^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}$';
const networkName = Type.String({ pattern: NETWORK_NAME });
const version = Type.Literal(SCHEMA_VERSION);

export interface HostDocument {
  readonly id: string;
  readonly name: string;
  /** The underlay address that others send to. */
  readonly vtep: Address;
  /** MTU of its underlay, octets. */
  readonly mtu: number;
  readonly version: string;
  /** ISO 8601. */
  readonly startedAt: string;
  /** Tells a host that restarted from a copy of it. */
  readonly instance?: string;
}

/** A host that belongs to the cluster, whether or not it is alive, or that did. */
export interface MemberDocument {
  readonly id: string;
  readonly name: string;
  /** The only one that may write under this id. */
  readonly instance: string;
  /** ISO 8601. */
  readonly joinedAt: string;
  readonly removed?: Removal;
}

/** What makes a member's document a tombstone. */
export interface Removal {
  /** When somebody began, ISO 8601. */
  readonly at: string;
  /** Host id of who frees what the member has. */
  readonly by: string;
  /** Its name, for people. */
  readonly byName: string;
  /** True once nothing is left to free. */
  readonly freed: boolean;
}

export interface PoolReference {
  readonly id: string;
  readonly prefix: Prefix;
}

/** One address pool of a network as Docker has it; values as Docker spells them. */
export interface DockerPool {
  readonly subnet: string;
  readonly range?: string;
  readonly gateway?: string;
  /** `--aux-address`, by name. */
  readonly aux?: Readonly<Record<string, string>>;
}

/** How Docker on the host that made a network knows it: what other hosts tell their Docker, so that it is the same there. */
export interface DockerSettings {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  /** `-o`. */
  readonly options: Readonly<Record<string, string>>;
  readonly ipamOptions: Readonly<Record<string, string>>;
  readonly pools: readonly DockerPool[];
  readonly internal: boolean;
  readonly attachable: boolean;
  readonly ipv6: boolean;
  /** False only with `--ipv4=false`. */
  readonly ipv4: boolean;
}

export interface NetworkDocument {
  /** 12 hex digits. */
  readonly id: string;
  readonly name?: string;
  readonly vni: Vni;
  /** The MTU its creator asked for; absent: each host derives it from its underlay. */
  readonly mtu?: number;
  /** Absent: open. See the policies' model. */
  readonly policy?: 'isolated';
  readonly internal: boolean;
  readonly pools: readonly PoolReference[];
  readonly createdBy: string;
  /** ISO 8601. */
  readonly createdAt: string;
  /** A host that found itself the last one is removing it. */
  readonly closing?: { readonly host: string; readonly since: number };
  /** Absent: a network of the hosts that joined it. Present: each host of the cluster has it. */
  readonly docker?: DockerSettings;
  /** The network is gone; whoever still has it, unused, removes it. Its name and VNI are free. */
  readonly removed?: { readonly host: string; readonly at: string };
}

export interface EndpointRecord {
  /** Docker's endpoint id. */
  readonly id: string;
  readonly mac: Mac;
  readonly addresses: readonly AddressWithLength[];
  /** Its container's name, when it is known. */
  readonly name?: string;
  /** What it is called; absent until Docker has told it. */
  readonly dns?: EndpointNames;
  /** Its container's labels, those that policies may ask for; absent until Docker has told them, or where they are too many. */
  readonly labels?: Readonly<Record<string, string>>;
}

/** What other hosts' containers can find an endpoint by. */
export interface EndpointNames {
  /** The first 12 digits of Docker's id of the container, which are a name too. */
  readonly container: string;
  /** The first is the container's own. */
  readonly names: readonly string[];
  readonly services?: readonly NamedService[];
  /** Present while a health check says that it should be left alone. */
  readonly unhealthy?: true;
}

/** A port and what it is called, in SRV's sense. */
export interface NamedService {
  readonly label: string;
  readonly protocol: string;
  readonly port: number;
}

/** One host's endpoints on one network; that it exists, even empty, means that the host has the network. */
export interface EndpointsDocument {
  readonly network: string;
  readonly host: string;
  readonly endpoints: readonly EndpointRecord[];
}

/** Turns a stored text into a value, or undefined when it is not what it should be. */
export type Parser<T> = (text: string) => T | undefined;

export function parser<S extends TSchema, T>(schema: S, convert: (raw: Static<S>) => T): Parser<T> {
  let validator: Validator | undefined;
  return (text) => {
    if (text.length > MAX_BYTES) return undefined;
    try {
      const raw: unknown = JSON.parse(text);
      validator ??= Compile(schema);
      return validator.Check(raw) ? convert(raw as Static<S>) : undefined;
    } catch {
      return undefined; // not JSON, or a value that only looked like an address
    }
  };
}

export const parseHost: Parser<HostDocument> = parser(
  Type.Object({
    v: version,
    id: hostId,
    name: label,
    vtep: label,
    mtu: Type.Integer({ minimum: 576, maximum: 65_535 }),
    version: label,
    startedAt: label,
    instance: Type.Optional(label),
  }),
  ({ v: _, ...raw }) => ({ ...raw, vtep: parseAddress(raw.vtep) }),
);

export const parseMember: Parser<MemberDocument> = parser(
  Type.Object({
    v: version,
    id: hostId,
    name: label,
    instance: label,
    joinedAt: label,
    removed: Type.Optional(
      Type.Object({ at: label, by: hostId, byName: label, freed: Type.Boolean() }),
    ),
  }),
  ({ v: _, ...raw }) => raw,
);

/** When a member was first missed, milliseconds since 1970. */
export const parseAway: Parser<number> = parser(
  Type.Object({ v: version, since: Type.Integer() }),
  ({ since }) => since,
);
const texts = Type.Record(Type.String(), Type.String());

const DockerSettingsSchema = Type.Object({
  name: label,
  labels: texts,
  options: texts,
  ipamOptions: texts,
  pools: Type.Array(
    Type.Object({
      subnet: label,
      range: Type.Optional(label),
      gateway: Type.Optional(label),
      aux: Type.Optional(texts),
    }),
    { maxItems: MAX_POOLS },
  ),
  internal: Type.Boolean(),
  attachable: Type.Boolean(),
  ipv6: Type.Boolean(),
  ipv4: Type.Boolean(),
});

export const parseNetwork: Parser<NetworkDocument> = parser(
  Type.Object({
    v: version,
    id,
    name: Type.Optional(networkName),
    vni: Type.Integer(),
    mtu: Type.Optional(Type.Integer({ minimum: 576, maximum: 65_535 })),
    policy: Type.Optional(Type.Literal('isolated')),
    internal: Type.Boolean(),
    pools: Type.Array(Type.Object({ id: label, prefix: label }), { maxItems: MAX_POOLS }),
    createdBy: hostId,
    createdAt: label,
    closing: Type.Optional(Type.Object({ host: hostId, since: Type.Integer() })),
    docker: Type.Optional(DockerSettingsSchema),
    removed: Type.Optional(Type.Object({ host: hostId, at: label })),
  }),
  ({ v: _, ...raw }) => ({
    ...raw,
    vni: parseVni(raw.vni),
    pools: raw.pools.map((pool) => ({ id: pool.id, prefix: parsePrefix(pool.prefix) })),
  }),
);

const dnsSchema = Type.Object({
  container: id,
  names: Type.Array(label, { minItems: 1, maxItems: 64 }),
  services: Type.Optional(
    Type.Array(
      Type.Object({
        label,
        protocol: label,
        port: Type.Integer({ minimum: 1, maximum: 65_535 }),
      }),
      { maxItems: 256 },
    ),
  ),
  unhealthy: Type.Optional(Type.Literal(true)),
});

export const parseEndpoints: Parser<EndpointsDocument> = parser(
  Type.Object({
    v: version,
    network: id,
    host: hostId,
    endpoints: Type.Array(
      Type.Object({
        id: Type.String({ pattern: '^[0-9a-f]{1,64}$' }),
        mac: label,
        addresses: Type.Array(label, { maxItems: 8 }),
        name: Type.Optional(label),
        dns: Type.Optional(dnsSchema),
        labels: Type.Optional(Type.Record(Type.String(), Type.String(), { maxProperties: 256 })),
      }),
      { maxItems: MAX_ENDPOINTS },
    ),
  }),
  ({ v: _, ...raw }) => ({
    ...raw,
    endpoints: raw.endpoints.map((endpoint) => ({
      ...endpoint,
      mac: parseUnicastMac(endpoint.mac),
      addresses: endpoint.addresses.map(parseAddressWithLength),
    })),
  }),
);

/** A group address in a forwarding table would send what is meant for many to one host. */
function parseUnicastMac(text: string): Mac {
  const mac = parseMac(text);
  if (!isUnicastMac(mac)) throw new TypeError(`${mac} is no endpoint's`);
  return mac;
}

/** A key that claims something for a network or host holds just its id. */
export const parseClaim: Parser<string> = parser(
  Type.Object({ v: version, owner: Type.String({ minLength: 1, maxLength: 64 }) }),
  ({ owner }) => owner,
);

export function isNetworkName(text: string): boolean {
  return new RegExp(NETWORK_NAME).test(text);
}

export function format(document: object): string {
  return JSON.stringify({ v: SCHEMA_VERSION, ...document });
}

/** Another for another text, and short. */
export function sumOf(text: string): string {
  return createHash('sha256').update(text).digest('base64url').slice(0, 16);
}

export function formatHead(text: string): string {
  return format({ sum: sumOf(text) });
}

/** By record: with each change of one endpoint all that this host has on the network is written. */
const recordTexts = new WeakMap<EndpointRecord, string>();

/** As it stands in {@link formatEndpoints}. */
export function formatRecord(record: EndpointRecord): string {
  const known = recordTexts.get(record);
  if (known !== undefined) return known;
  const { addresses, ...rest } = record;
  const spelled = addresses.map((a) => `${a.address}/${a.prefixLength}`);
  const text = JSON.stringify({ ...rest, addresses: spelled });
  recordTexts.set(record, text);
  return text;
}

export function formatEndpoints({ network, host, endpoints }: EndpointsDocument): string {
  const head = format({ network, host }).slice(0, -1);
  return `${head},"endpoints":[${endpoints.map(formatRecord).join()}]}`;
}
