import type { nft } from '../netlink/index.js';
import { type Cell, type Cells, cellsOf } from './cells.js';
import type { Policy, PortMatch } from './model.js';
import type { Numbers } from './numbers.js';
import { sameItems } from './peers.js';
import { textOf } from './texts.js';

export interface CellsNow {
  /** The same object for as long as they are the same. */
  readonly cells: readonly Cell[];
  /** The maps by which packets find theirs. */
  readonly sets: readonly nft.SetSpec[];
}

/** The cells of a network, worked out again only when its rules have other ports. */
export class KeptCells {
  readonly #numbers: Numbers;
  #policies: readonly Policy[] = [];
  #matches: readonly PortMatch[] = [];
  #key: string | undefined;
  #now: CellsNow = { cells: [], sets: [] };

  constructor(numbers: Numbers) {
    this.#numbers = numbers;
  }

  /** `named`: all that names of ports stand for. */
  update(policies: readonly Policy[], named: ReadonlySet<string>): CellsNow {
    if (!sameItems(policies, this.#policies)) this.#matches = matchesOf(policies);
    this.#policies = policies;
    const key = JSON.stringify([this.#matches.map(textOf), [...named].toSorted()]);
    if (key === this.#key) return this.#now;
    const { cells, maps } = cellsOf(this.#matches, named, this.#numbers);
    this.#key = key;
    this.#now = { cells, sets: cellMaps(maps) };
    return this.#now;
  }
}

/** In an order of their own. */
function matchesOf(policies: readonly Policy[]): PortMatch[] {
  const matches = new Map<string, PortMatch>();
  for (const { ingress = [], egress = [] } of policies) {
    for (const rules of [ingress, egress]) {
      for (const { ports = [] } of rules) {
        for (const port of ports) matches.set(textOf(port), port);
      }
    }
  }
  return [...matches]
    .toSorted(([a], [b]) => Number(a > b) - Number(a < b))
    .map(([, match]) => match);
}

function cellMaps(maps: Cells['maps']): nft.SetSpec[] {
  const map = (name: keyof Cells['maps'], ...type: nft.SetSpec['type']): nft.SetSpec => ({
    name,
    type,
    holds: 'marks',
    elements: maps[name],
  });
  return [
    map('protocols', 'inet_proto'),
    map('ports', 'inet_proto', 'inet_service'),
    map('types4', 'icmp_type'),
    map('types6', 'icmpv6_type'),
    map('answers4', 'icmp_type'),
    map('answers6', 'icmpv6_type'),
  ];
}
