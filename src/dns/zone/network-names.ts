import type { Address } from '../../net/index.js';
import { isName } from '../wire/index.js';
import type { NamedEndpoint, Share } from './types.js';

/** An endpoint with what matters to whoever chooses among several. */
export interface Candidate {
  readonly endpoint: NamedEndpoint;
  readonly isLocal: boolean;
  readonly isAlive: boolean;
}

/** The names of one network, by text in lower case. A share that is set again costs what changed in it. */
export class NetworkNames {
  /** In lower case; undefined for a network without a name. */
  name: string | undefined;
  readonly #shares = new Map<string, Map<string, Candidate>>();
  readonly #byName = new Index<string>();
  readonly #byAddress = new Index<Address>();

  get isEmpty(): boolean {
    return this.#shares.size === 0;
  }

  set({ host, isLocal, isAlive, endpoints }: Share): void {
    const before = this.#shares.get(host) ?? new Map<string, Candidate>();
    const after = new Map<string, Candidate>();
    const fresh: Candidate[] = [];
    for (const endpoint of endpoints) {
      if (after.has(endpoint.id)) continue;
      const candidate = { endpoint, isLocal, isAlive };
      const old = before.get(endpoint.id);
      if (old !== undefined && JSON.stringify(old) === JSON.stringify(candidate)) {
        after.set(endpoint.id, old);
        before.delete(endpoint.id);
      } else {
        after.set(endpoint.id, candidate);
        fresh.push(candidate);
      }
    }
    for (const gone of before.values()) this.#drop(gone);
    this.#shares.set(host, after);
    for (const candidate of fresh) this.#add(candidate);
  }

  delete(host: string): void {
    for (const gone of this.#shares.get(host)?.values() ?? []) this.#drop(gone);
    this.#shares.delete(host);
  }

  named(name: string): readonly Candidate[] {
    return this.#byName.get(name);
  }

  at(address: Address): readonly Candidate[] {
    return this.#byAddress.get(address);
  }

  #add(candidate: Candidate): void {
    for (const name of namesOf(candidate)) this.#byName.add(name, candidate);
    for (const address of addressesOf(candidate)) this.#byAddress.add(address, candidate);
  }

  #drop(candidate: Candidate): void {
    for (const name of namesOf(candidate)) this.#byName.delete(name, candidate);
    for (const address of addressesOf(candidate)) this.#byAddress.delete(address, candidate);
  }
}

/** Docker lets containers have names that DNS can't carry: those are left out. */
function namesOf({ endpoint }: Candidate): Set<string> {
  return new Set(endpoint.names.filter(isName).map((name) => name.toLowerCase()));
}

function addressesOf({ endpoint }: Candidate): Set<Address> {
  return new Set(endpoint.addresses);
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
