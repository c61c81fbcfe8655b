/** Containers that are one and the same to every rule of a network, as one number: their identity. */
import { type Party, selects } from './match.js';
import type { NetworkPolicies, Rule, Selector } from './model.js';
import type { Numbers } from './numbers.js';

export interface Identity {
  /** From 1. */
  readonly number: number;
  /** One of those who have it; they have it with an address, for blocks select by that. */
  readonly example: Party;
  /** What the names of ports stand for, as its label says: `8080/tcp`, or undefined. */
  readonly named: readonly (string | undefined)[];
}

/** Who is known on a network, and which rules' selectors select whom. */
export class Peers {
  readonly identities = new Map<number, Identity>();
  readonly #byParty = new Map<Party, Identity>();
  readonly #selected = new Map<string, Set<Identity>>();
  readonly #portNames: readonly string[];

  constructor({ policies, endpoints }: NetworkPolicies, numbers: Numbers) {
    const rules = policies.flatMap(({ ingress = [], egress = [] }) => [...ingress, ...egress]);
    this.#portNames = portNamesOf(rules);
    const selectors = new Map<string, Selector>(
      rules.flatMap(({ peers = [] }) => peers.map((peer) => [JSON.stringify(peer), peer] as const)),
    );
    for (const endpoint of endpoints) {
      if (!endpoint.facts) continue;
      for (const address of endpoint.addresses) {
        this.#add({ address, endpoint }, selectors, numbers);
      }
    }
  }

  /** Every container that is known, once for each of its addresses. */
  get parties(): Iterable<readonly [Party, Identity]> {
    return this.#byParty;
  }

  /** Everything that names of ports stand for anywhere. */
  get named(): ReadonlySet<string> {
    const all = [...this.identities.values()].flatMap(({ named }) => named);
    return new Set(all.filter((each) => each !== undefined));
  }

  /** Those that the rule is about. */
  of(rule: Rule): Iterable<Identity> {
    if (!rule.peers) return this.identities.values();
    return new Set(
      rule.peers.flatMap((peer) => [...(this.#selected.get(JSON.stringify(peer)) ?? [])]),
    );
  }

  #add(party: Party, selectors: ReadonlyMap<string, Selector>, numbers: Numbers): void {
    const own = [...selectors].flatMap(([text, each]) => (selects(each, party) ? [text] : []));
    const labels = party.endpoint?.facts?.labels;
    const named = this.#portNames.map((name) => labels?.get(`weft.port.${name}`));
    const ports = named.map((port, i) => [this.#portNames[i], port]);
    const number = numbers.of(`identity ${JSON.stringify([own.toSorted(), ports])}`);
    const identity = this.identities.get(number) ?? { number, example: party, named };
    this.identities.set(number, identity);
    this.#byParty.set(party, identity);
    for (const text of own) {
      const selected = this.#selected.get(text) ?? new Set();
      this.#selected.set(text, selected.add(identity));
    }
  }
}

function portNamesOf(rules: readonly Rule[]): string[] {
  const names = rules.flatMap(({ ports = [] }) =>
    ports.flatMap((port) =>
      'ports' in port && port.ports && 'name' in port.ports ? [port.ports.name] : [],
    ),
  );
  return [...new Set(names)].sort();
}
