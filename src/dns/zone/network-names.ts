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
  readonly #byName = new Map<string, Candidate[]>();
  readonly #byAddress = new Map<Address, Candidate[]>();

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
    return this.#byName.get(name) ?? [];
  }

  at(address: Address): readonly Candidate[] {
    return this.#byAddress.get(address) ?? [];
  }

  #add(candidate: Candidate): void {
    for (const name of namesOf(candidate)) insert(this.#byName, name, candidate);
    for (const address of new Set(candidate.endpoint.addresses))
      insert(this.#byAddress, address, candidate);
  }

  #drop(candidate: Candidate): void {
    for (const name of namesOf(candidate)) remove(this.#byName, name, candidate);
    for (const address of candidate.endpoint.addresses) remove(this.#byAddress, address, candidate);
  }
}

/** Docker lets containers have names that DNS can't carry: those are left out. */
function namesOf({ endpoint }: Candidate): Set<string> {
  return new Set(endpoint.names.filter(isName).map((name) => name.toLowerCase()));
}

function insert<K>(index: Map<K, Candidate[]>, key: K, candidate: Candidate): void {
  const there = index.get(key);
  if (there === undefined) index.set(key, [candidate]);
  else there.push(candidate);
}

function remove<K>(index: Map<K, Candidate[]>, key: K, candidate: Candidate): void {
  const rest = (index.get(key) ?? []).filter((other) => other !== candidate);
  if (rest.length === 0) index.delete(key);
  else index.set(key, rest);
}
