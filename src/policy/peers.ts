/** Containers that are one and the same to every rule of a network, as one number: their identity. */
import type { Address } from '../net/index.js';
import { type Party, selects } from './match.js';
import type { Endpoint, NetworkPolicies, Policy, Rule, Selector } from './model.js';
import type { Numbers } from './numbers.js';
import { textOf } from './texts.js';

export interface Identity {
  /** From 1. */
  readonly number: number;
  /** One of those who have it, or had; they have it with an address, for blocks select by that. */
  readonly example: Party;
  /** What the names of ports stand for, as its label says: `8080/tcp`, or undefined. */
  readonly named: readonly (string | undefined)[];
}

/** A container that is known, with one of its addresses. */
export interface Known {
  readonly party: Party;
  readonly identity: Identity;
}

/** Whom a selector of rules' peers selects. */
interface Selected {
  readonly selector: Selector;
  readonly text: string;
  /** How many parties of each identity. */
  readonly identities: Map<Identity, number>;
  /** Another whenever the identities are others. */
  stamp: number;
}

interface Kept extends Known {
  readonly endpoint: Endpoint;
  readonly selected: ReadonlySet<Selected>;
}

/** What an update found to be another than before. */
export interface PeersChange {
  /** Containers came, went, or are told apart otherwise. */
  readonly parties: boolean;
  /** A container that was known is gone, or is another now. */
  readonly lost: boolean;
}

/** Who is known on a network, and which rules' selectors select whom; kept up by differences. */
export class Peers {
  readonly #numbers: Numbers;
  readonly #kept = new Map<Address, Kept>();
  readonly #identities = new Map<number, { readonly identity: Identity; count: number }>();
  #selectors = new Map<string, Selected>();
  #portNames: readonly string[] = [];
  #policies: readonly Policy[] | undefined;
  #stamps = 0;

  constructor(numbers: Numbers) {
    this.#numbers = numbers;
  }

  /** Takes in a network. What is the same object as last time is taken to be the same. */
  update({ policies, endpoints }: Pick<NetworkPolicies, 'policies' | 'endpoints'>): PeersChange {
    const isOther = policies !== this.#policies && !sameItems(policies, this.#policies ?? []);
    const fresh = isOther ? this.#takePolicies(policies) : [];
    this.#policies = policies;
    const change = { parties: false, lost: false };
    const there = new Set<Address>();
    for (const endpoint of endpoints) {
      if (!endpoint.facts) continue;
      for (const address of endpoint.addresses) {
        there.add(address);
        const before = this.#kept.get(address);
        if (before?.endpoint === endpoint && !isOther) continue;
        const after = this.#place({ address, endpoint }, before, isOther ? fresh : undefined);
        if (before && before.endpoint !== endpoint && isAnother(before.endpoint, endpoint))
          change.lost = true;
        if (after !== before) change.parties = true;
      }
    }
    for (const [address, kept] of this.#kept) {
      if (there.has(address)) continue;
      this.#forget(kept);
      this.#kept.delete(address);
      change.parties = true;
      change.lost = true;
    }
    return change;
  }

  /** Every container that is known, once for each of its addresses. */
  get known(): Iterable<Known> {
    return this.#kept.values();
  }

  get identities(): Identity[] {
    return Array.from(this.#identities.values(), ({ identity }) => identity);
  }

  /** Everything that names of ports stand for anywhere. */
  get named(): ReadonlySet<string> {
    const all = this.identities.flatMap(({ named }) => named);
    return new Set(all.filter((each) => each !== undefined));
  }

  /** Those that the rule is about. */
  of(rule: Rule): Iterable<Identity> {
    if (!rule.peers) return this.identities;
    return new Set(
      rule.peers.flatMap((peer) => [
        ...(this.#selectors.get(textOf(peer))?.identities.keys() ?? []),
      ]),
    );
  }

  /** Another whenever `of` any rule may answer otherwise. */
  get stamp(): number {
    return this.#stamps;
  }

  /** Another text whenever `of` any of these rules may answer otherwise. */
  stampOf(rules: readonly Rule[]): string {
    const stamps = new Set<number>();
    for (const { peers = [] } of rules) {
      for (const peer of peers) stamps.add(this.#selectors.get(textOf(peer))?.stamp ?? 0);
    }
    return [...stamps].join();
  }

  /** Answers the selectors that are new. */
  #takePolicies(policies: readonly Policy[]): Selected[] {
    const rules = policies.flatMap(({ ingress = [], egress = [] }) => [...ingress, ...egress]);
    const before = this.#selectors;
    const fresh: Selected[] = [];
    this.#selectors = new Map();
    for (const { peers = [] } of rules) {
      for (const selector of peers) {
        const text = textOf(selector);
        if (this.#selectors.has(text)) continue;
        const known = before.get(text);
        const selected = known ?? {
          selector,
          text,
          identities: new Map(),
          stamp: this.#nextStamp(),
        };
        if (!known) fresh.push(selected);
        this.#selectors.set(text, selected);
      }
    }
    const names = portNamesOf(rules);
    if (names.join() !== this.#portNames.join()) {
      this.#portNames = names;
      // Who was told apart by other names of ports is to be looked at as if new.
      for (const kept of this.#kept.values()) this.#forget(kept);
      this.#kept.clear();
      return [...this.#selectors.values()];
    }
    return fresh;
  }

  /** `fresh`: the only selectors that may select it otherwise than before, or all that are gone. */
  #place(party: Party, before: Kept | undefined, fresh: readonly Selected[] | undefined): Kept {
    const { endpoint } = party;
    const isSame = before !== undefined && before.endpoint === endpoint;
    const selected =
      isSame && fresh ? this.#selectedAfter(before, party, fresh) : this.#selectedBy(party);
    if (isSame && selected === before.selected) return before;
    const identity = this.#identityOf(party, selected);
    const isKept = before?.identity === identity && before.party.endpoint === endpoint;
    const kept: Kept = {
      party: isKept ? before.party : party,
      identity,
      endpoint: endpoint!,
      selected,
    };
    if (before) this.#forget(before);
    this.#remember(kept);
    this.#kept.set(party.address, kept);
    return kept;
  }

  #selectedBy(party: Party): Set<Selected> {
    return new Set(
      [...this.#selectors.values()].filter(({ selector }) => selects(selector, party)),
    );
  }

  /** The same set when nothing is another. */
  #selectedAfter(
    { selected }: Kept,
    party: Party,
    fresh: readonly Selected[],
  ): ReadonlySet<Selected> {
    const gone = [...selected].filter((each) => this.#selectors.get(each.text) !== each);
    const more = fresh.filter(({ selector }) => selects(selector, party));
    if (gone.length === 0 && more.length === 0) return selected;
    const lost = new Set(gone);
    return new Set([...[...selected].filter((each) => !lost.has(each)), ...more]);
  }

  #identityOf({ address, endpoint }: Party, selected: ReadonlySet<Selected>): Identity {
    const labels = endpoint?.facts?.labels;
    const named = this.#portNames.map((name) => labels?.get(`weft.port.${name}`));
    const ports = named.map((port, i) => [this.#portNames[i], port]);
    const own = Array.from(selected, ({ text }) => this.#numbers.of(`selector ${text}`));
    const key = JSON.stringify([own.toSorted((a, b) => a - b), ports]);
    const number = this.#numbers.of(`identity ${key}`);
    const known = this.#identities.get(number)?.identity;
    return known ?? { number, example: { address, endpoint }, named };
  }

  #remember({ identity, selected }: Kept): void {
    const there = this.#identities.get(identity.number);
    if (there) there.count += 1;
    else this.#identities.set(identity.number, { identity, count: 1 });
    for (const each of selected) {
      const count = each.identities.get(identity) ?? 0;
      each.identities.set(identity, count + 1);
      if (count === 0) each.stamp = this.#nextStamp();
    }
  }

  #forget({ identity, selected }: Kept): void {
    const there = this.#identities.get(identity.number)!;
    there.count -= 1;
    if (there.count === 0) this.#identities.delete(identity.number);
    for (const each of selected) {
      const count = each.identities.get(identity)! - 1;
      if (count > 0) each.identities.set(identity, count);
      else {
        each.identities.delete(identity);
        each.stamp = this.#nextStamp();
      }
    }
  }

  #nextStamp(): number {
    this.#stamps += 1;
    return this.#stamps;
  }
}

export function sameItems<T>(a: readonly T[], b: readonly T[]): boolean {
  return a.length === b.length && a.every((each, i) => each === b[i]);
}

/** Whether what was decided about one may not hold for the other. */
function isAnother(a: Endpoint, b: Endpoint): boolean {
  if (a.id !== b.id || a.host !== b.host || a.facts?.name !== b.facts?.name) return true;
  const [labels, others] = [a.facts?.labels, b.facts?.labels];
  if (labels === others) return false;
  return textOfLabels(labels) !== textOfLabels(others);
}

const textOfLabels = (labels: ReadonlyMap<string, string> | undefined): string =>
  JSON.stringify([...(labels ?? [])].toSorted(([a], [b]) => Number(a > b) - Number(a < b)));

function portNamesOf(rules: readonly Rule[]): string[] {
  const names = rules.flatMap(({ ports = [] }) =>
    ports.flatMap((port) =>
      'ports' in port && port.ports && 'name' in port.ports ? [port.ports.name] : [],
    ),
  );
  return [...new Set(names)].sort();
}
