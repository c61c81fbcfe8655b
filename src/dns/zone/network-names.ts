import type { Address } from '../../net/index.js';
import { isName } from '../wire/index.js';
import type { NamedEndpoint, Share } from './types.js';

/** Where an endpoint is; one object for all of one host's. */
interface Place {
  isLocal: boolean;
  isAlive: boolean;
}

/** An endpoint with what matters to whoever chooses among several. There may be 50,000, so it is one object and no more. */
export interface Candidate extends NamedEndpoint {
  readonly place: Readonly<Place>;
}

interface Held {
  readonly place: Place;
  /** By id. */
  readonly candidates: Map<string, Candidate>;
}

/** The names of one network, by text in lower case. A share that is set again costs what changed in it. */
export class NetworkNames {
  /** In lower case; undefined for a network without a name. */
  name: string | undefined;
  readonly #shares = new Map<string, Held>();
  readonly #byName = new Index<string>();
  readonly #byAddress = new Index<Address>();
  /** Names with others below them, and how many; few names have a dot. */
  readonly #above = new Map<string, number>();

  get isEmpty(): boolean {
    return this.#shares.size === 0;
  }

  /** Whose shares there are. */
  hosts(): string[] {
    return [...this.#shares.keys()];
  }

  set(share: Share): void {
    const left = new Set(this.#shares.get(share.host)?.candidates.keys());
    for (const { id } of share.endpoints) left.delete(id);
    this.change(share, left);
  }

  /** As {@link set}, but for endpoints that stay as they are. Of several with one id the first counts. */
  change({ host, isLocal, isAlive, endpoints }: Share, gone: Iterable<string>): void {
    const held = this.#shares.get(host) ?? {
      place: { isLocal, isAlive },
      candidates: new Map<string, Candidate>(),
    };
    this.#shares.set(host, held);
    const { place, candidates } = held;
    Object.assign(place, { isLocal, isAlive } satisfies Place);
    for (const id of gone) this.#drop(candidates, id);
    const seen = new Set<string>();
    for (const endpoint of endpoints) {
      if (seen.has(endpoint.id)) continue;
      seen.add(endpoint.id);
      const candidate = candidateOf(endpoint, place);
      if (JSON.stringify(candidates.get(endpoint.id)) === JSON.stringify(candidate)) continue;
      this.#drop(candidates, endpoint.id);
      candidates.set(endpoint.id, candidate);
      this.#add(candidate);
    }
  }

  delete(host: string): void {
    const { candidates = new Map<string, Candidate>() } = this.#shares.get(host) ?? {};
    for (const id of candidates.keys()) this.#drop(candidates, id);
    this.#shares.delete(host);
  }

  named(name: string): readonly Candidate[] {
    return this.#byName.get(name);
  }

  /** Whether names end in a dot and this one. */
  isAbove(name: string): boolean {
    return this.#above.has(name);
  }

  at(address: Address): readonly Candidate[] {
    return this.#byAddress.get(address);
  }

  #add(candidate: Candidate): void {
    for (const name of keysOf(candidate)) {
      this.#byName.add(name, candidate);
      for (const above of namesAbove(name)) this.#countAbove(above, 1);
    }
    for (const address of new Set(candidate.addresses)) this.#byAddress.add(address, candidate);
  }

  #drop(candidates: Map<string, Candidate>, id: string): void {
    const candidate = candidates.get(id);
    if (!candidate) return;
    candidates.delete(id);
    for (const name of keysOf(candidate)) {
      this.#byName.delete(name, candidate);
      for (const above of namesAbove(name)) this.#countAbove(above, -1);
    }
    for (const address of new Set(candidate.addresses)) this.#byAddress.delete(address, candidate);
  }

  #countAbove(name: string, by: number): void {
    const count = (this.#above.get(name) ?? 0) + by;
    if (count === 0) this.#above.delete(name);
    else this.#above.set(name, count);
  }
}

/** Spelled out: an object made by spreading another takes three times the memory. */
function candidateOf(endpoint: NamedEndpoint, place: Place): Candidate {
  const { id, names, addresses, services, isHealthy } = endpoint;
  return services === undefined
    ? { id, names, addresses, isHealthy, place }
    : { id, names, addresses, services, isHealthy, place };
}

/** All that it is called. Docker lets containers have names that DNS can't carry: those are left out. */
export function namesOf({ names, id }: NamedEndpoint): string[] {
  return [...names, id].filter(isName);
}

/** `b.c` and `c` of `a.b.c`. */
export function namesAbove(name: string): string[] {
  const above: string[] = [];
  for (let dot = name.indexOf('.'); dot >= 0; dot = name.indexOf('.', dot + 1)) {
    above.push(name.slice(dot + 1));
  }
  return above;
}

function keysOf(candidate: Candidate): Set<string> {
  return new Set(namesOf(candidate).map((name) => name.toLowerCase()));
}

/** Candidates by key. Nearly every key has one: it is kept as itself, for a list around it takes more memory than it does. */
class Index<K> {
  readonly #found = new Map<K, Candidate | Candidate[]>();

  get(key: K): readonly Candidate[] {
    const found = this.#found.get(key);
    if (found === undefined) return [];
    return isOne(found) ? [found] : found;
  }

  add(key: K, candidate: Candidate): void {
    const there = this.#found.get(key);
    if (there === undefined) this.#found.set(key, candidate);
    else if (isOne(there)) this.#found.set(key, [there, candidate]);
    else there.push(candidate);
  }

  delete(key: K, candidate: Candidate): void {
    const rest = this.get(key).filter((other) => other !== candidate);
    const [first, second] = rest;
    if (first === undefined) this.#found.delete(key);
    else this.#found.set(key, second === undefined ? first : rest);
  }
}

function isOne(found: Candidate | Candidate[]): found is Candidate {
  return !Array.isArray(found);
}
