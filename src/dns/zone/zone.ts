import { type Address, familyOf } from '../../net/index.js';
import { RCODE, TYPE, type Reply, type ResourceRecord, isName } from '../wire/index.js';
import { type Candidate, NetworkNames, namesAbove, namesOf } from './network-names.js';
import { addressOfReverse } from './reverse.js';
import type { NamedEndpoint, NamedHost, Share, ZoneOptions } from './types.js';

/** The domain that is ours alone: what is not in it does not exist. */
export const DOMAIN = 'weft';
const HOSTS = 'host';
/** Of how many questions it is remembered whom the last answer began with. */
const MAX_TURNS = 4096;

export interface Question {
  /** In lower case, no dot at the end. */
  readonly name: string;
  readonly type: number;
}

/** Who has a name, and on which network. */
interface Found {
  readonly candidates: readonly Candidate[];
  readonly network: NetworkNames;
}

/**
 * All names of all networks, and what they answer to a container on some of them.
 *
 * A name that several containers have is answered with all of them, each time beginning with another; those that are not
 * healthy or on a host that is gone are left out, unless there are no others.
 */
export class Zone {
  /** Another daemon may have others. */
  options: ZoneOptions;
  readonly #networks = new Map<string, NetworkNames>();
  readonly #hosts = new Map<string, Address>();
  readonly #aboveHosts = new Set<string>();
  #serial = 1;
  /** By type and name, so that who asks for A and AAAA together gets each address of both in turn. */
  readonly #turns = new Map<string, number>();

  constructor(options: ZoneOptions) {
    this.options = options;
  }

  setShare(share: Share): void {
    this.#namesOf(share.network).set(share);
    this.#serial += 1;
  }

  /** `endpoints` came or are others now, those with the ids in `gone` went. */
  changeShare(share: Share, gone: readonly string[]): void {
    this.#namesOf(share.network).change(share, gone);
    this.#serial += 1;
  }

  #namesOf({ id, name }: Share['network']): NetworkNames {
    const names = this.#networks.get(id) ?? new NetworkNames();
    this.#networks.set(id, names);
    names.name = name?.toLowerCase();
    return names;
  }

  deleteShare(networkId: string, host: string): void {
    const names = this.#networks.get(networkId);
    names?.delete(host);
    if (names?.isEmpty === true) this.#networks.delete(networkId);
    this.#serial += 1;
  }

  /** Forgets what other hosts have on this network. */
  keepHosts(networkId: string, hosts: ReadonlySet<string>): void {
    for (const host of this.#networks.get(networkId)?.hosts() ?? []) {
      if (!hosts.has(host)) this.deleteShare(networkId, host);
    }
  }

  /** Forgets all other networks. */
  keepNetworks(ids: ReadonlySet<string>): void {
    for (const id of this.#networks.keys()) if (!ids.has(id)) this.#networks.delete(id);
    this.#serial += 1;
  }

  setHosts(hosts: readonly NamedHost[]): void {
    this.#hosts.clear();
    this.#aboveHosts.clear();
    for (const { name, address } of hosts) {
      this.#hosts.set(name.toLowerCase(), address);
      for (const above of namesAbove(name.toLowerCase())) this.#aboveHosts.add(above);
    }
    this.#serial += 1;
  }

  /** All that have names here. */
  networkIds(): string[] {
    return [...this.#networks.keys()];
  }

  /** The answer to a container on these networks, by id; undefined when the name is none of ours. */
  answer({ name, type }: Question, networkIds: readonly string[]): Reply | undefined {
    const networks = this.#known(networkIds);
    const address = addressOfReverse(name);
    if (address !== undefined) return this.#reverse(address, type, networks);
    if (name === DOMAIN) return this.#apex(type);
    if (!name.endsWith(`.${DOMAIN}`)) return this.#at(name, type, networks);
    const inside = name.slice(0, -DOMAIN.length - 1);
    const reply = this.#host(inside, type) ?? this.#at(inside, type, networks);
    if (reply) return reply;
    return this.#negative(this.#isAbove(inside, networks) ? RCODE.NOERROR : RCODE.NXDOMAIN);
  }

  /** Whether there are names below it, so that it exists though nobody has it (RFC 8020). */
  #isAbove(inside: string, networks: readonly NetworkNames[]): boolean {
    if (inside === HOSTS) return true;
    if (inside.endsWith(`.${HOSTS}`) && this.#aboveHosts.has(before(inside, HOSTS))) return true;
    return networks.some((network) => {
      const { name } = network;
      if (network.isAbove(inside)) return true;
      if (name === undefined) return false;
      if (name === inside || name.endsWith(`.${inside}`)) return true;
      return inside.endsWith(`.${name}`) && network.isAbove(before(inside, name));
    });
  }

  #known(networkIds: readonly string[]): NetworkNames[] {
    const known: NetworkNames[] = [];
    for (const id of networkIds) {
      const names = this.#networks.get(id);
      if (names !== undefined) known.push(names);
    }
    return known;
  }

  #host(inside: string, type: number): Reply | undefined {
    if (!inside.endsWith(`.${HOSTS}`)) return undefined;
    const address = this.#hosts.get(before(inside, HOSTS));
    return address === undefined ? undefined : this.#addresses([address], type);
  }

  #at(name: string, type: number, networks: readonly NetworkNames[]): Reply | undefined {
    const found = find(name, networks);
    if (found !== undefined) {
      // A name that someone has is answered here whatever is asked: elsewhere it would not exist.
      const candidates = this.#inOrder(chosen(found.candidates), name, type);
      const [only] = candidates;
      const isOne = candidates.length === 1 && only !== undefined;
      return this.#addresses(isOne ? only.addresses : candidates.flatMap((c) => c.addresses), type);
    }
    return name.startsWith('_') ? this.#services(name, type, networks) : undefined;
  }

  #addresses(all: readonly Address[], type: number): Reply {
    const records: ResourceRecord[] = [];
    for (const address of all) if (isAsked(type, address)) records.push(this.#record(address));
    return records.length === 0 ? this.#negative(RCODE.NOERROR) : this.#positive(records);
  }

  /** `_80._tcp.api`: RFC 2782. */
  #services(name: string, type: number, networks: readonly NetworkNames[]): Reply | undefined {
    const [label = '', protocol = '', ...rest] = name.split('.');
    if (!protocol.startsWith('_')) return this.#aboveServices(name, networks);
    const found = find(rest.join('.'), networks);
    if (found === undefined) return undefined;
    const offers = this.#inOrder(chosen(found.candidates), name, type).flatMap((endpoint) =>
      (endpoint.services ?? [])
        .filter((s) => `_${s.label}`.toLowerCase() === label && `_${s.protocol}` === protocol)
        .map(({ port }) => ({ port, endpoint })),
    );
    if (offers.length === 0) return this.#negative(RCODE.NXDOMAIN);
    if (type !== TYPE.SRV && type !== TYPE.ANY) return this.#negative(RCODE.NOERROR);
    const { ttlSec: ttl } = this.options;
    const answers: ResourceRecord[] = [];
    const additional: ResourceRecord[] = [];
    for (const { port, endpoint } of offers) {
      const target = fullName(endpoint, found.network);
      if (target === undefined) continue;
      answers.push({ type: TYPE.SRV, ttl, priority: 0, weight: 1, port, target });
      for (const address of endpoint.addresses) {
        additional.push({ ...this.#record(address), owner: target });
      }
    }
    return { ...this.#positive(answers), additional };
  }

  /** `_tcp.api`: there are names below it, and nothing else. */
  #aboveServices(name: string, networks: readonly NetworkNames[]): Reply | undefined {
    const [protocol = '', ...rest] = name.split('.');
    const found = find(rest.join('.'), networks);
    const isAbove = found?.candidates.some(({ services = [] }) =>
      services.some((service) => `_${service.protocol}` === protocol),
    );
    return isAbove === true ? this.#negative(RCODE.NOERROR) : undefined;
  }

  #reverse(address: Address, type: number, networks: readonly NetworkNames[]): Reply | undefined {
    const network = networks.find((each) => each.at(address).length > 0);
    if (network === undefined) return undefined;
    if (type !== TYPE.PTR && type !== TYPE.ANY) return this.#negative(RCODE.NOERROR);
    const { ttlSec: ttl } = this.options;
    const answers = chosen(network.at(address)).flatMap((endpoint): ResourceRecord[] => {
      const target = fullName(endpoint, network);
      return target === undefined ? [] : [{ type: TYPE.PTR, ttl, target }];
    });
    return answers.length === 0 ? undefined : this.#positive(answers);
  }

  #apex(type: number): Reply {
    if (type === TYPE.SOA || type === TYPE.ANY) return this.#positive([this.#soa()]);
    return this.#negative(RCODE.NOERROR);
  }

  #record(address: Address): ResourceRecord {
    const type = familyOf(address) === 4 ? TYPE.A : TYPE.AAAA;
    return { type, ttl: this.options.ttlSec, address };
  }

  #soa(): ResourceRecord {
    const { ttlSec } = this.options;
    return {
      owner: DOMAIN,
      type: TYPE.SOA,
      ttl: ttlSec,
      primary: DOMAIN,
      mailbox: `nobody.${DOMAIN}`,
      serial: this.#serial >>> 0,
      minimum: ttlSec,
    };
  }

  #positive(answers: readonly ResourceRecord[]): Reply {
    const { NOERROR: rcode } = RCODE;
    return { rcode, isAuthoritative: true, answers, authority: [], additional: [] };
  }

  /** RFC 2308: the SOA says for how long nothing is there. */
  #negative(rcode: number): Reply {
    const authority = [this.#soa()];
    return { rcode, isAuthoritative: true, answers: [], authority, additional: [] };
  }

  #inOrder(candidates: readonly Candidate[], name: string, type: number): readonly Candidate[] {
    if (candidates.length < 2) return candidates;
    const first = this.#nextTurn(`${type} ${name}`) % candidates.length;
    const turned = [...candidates.slice(first), ...candidates.slice(0, first)];
    if (!this.options.localFirst) return turned;
    return [
      ...turned.filter(({ place }) => place.isLocal),
      ...turned.filter(({ place }) => !place.isLocal),
    ];
  }

  /** Starts anywhere, so that forgetting does no more than begin anew. */
  #nextTurn(question: string): number {
    const last = this.#turns.get(question) ?? Math.floor(Math.random() * 0x10000);
    if (this.#turns.size >= MAX_TURNS && !this.#turns.has(question)) this.#turns.clear();
    const next = (last + 1) >>> 0;
    this.#turns.set(question, next);
    return next;
  }
}

/** As Docker does it: the first of the asker's networks that knows the name, as NAME or as NAME.NETWORK. */
function find(name: string, networks: readonly NetworkNames[]): Found | undefined {
  for (const network of networks) {
    const candidates = network.named(name);
    if (candidates.length > 0) return { candidates, network };
  }
  for (const network of networks) {
    if (network.name === undefined || !name.endsWith(`.${network.name}`)) continue;
    const candidates = network.named(before(name, network.name));
    if (candidates.length > 0) return { candidates, network };
  }
  return undefined;
}

/** What stands before `.below`. */
const before = (name: string, below: string): string => name.slice(0, -below.length - 1);

function chosen(candidates: readonly Candidate[]): readonly Candidate[] {
  if (candidates.every(isWell)) return candidates;
  const alive = candidates.filter(({ place }) => place.isAlive);
  const well = candidates.filter(isWell);
  if (well.length > 0) return well;
  return alive.length > 0 ? alive : candidates;
}

const isWell = ({ place, isHealthy }: Candidate): boolean => place.isAlive && isHealthy;

function isAsked(type: number, address: Address): boolean {
  if (type === TYPE.ANY) return true;
  return type === (familyOf(address) === 4 ? TYPE.A : TYPE.AAAA);
}

/** The first of its names that DNS can carry. */
function fullName(endpoint: NamedEndpoint, network: NetworkNames): string | undefined {
  const below = network.name === undefined ? DOMAIN : `${network.name}.${DOMAIN}`;
  return namesOf(endpoint)
    .map((name) => `${name}.${below}`)
    .find(isName);
}
