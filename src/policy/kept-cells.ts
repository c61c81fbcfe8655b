import type { nft } from '../netlink/index.js';
import { type Cell, type Cells, cellsOf } from './cells.js';
import type { PortMatch, Rule } from './model.js';
import type { Numbers } from './numbers.js';
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
  #key: string | undefined;
  #now: CellsNow = { cells: [], sets: [] };

  constructor(numbers: Numbers) {
    this.#numbers = numbers;
  }

  /** `named`: all that names of ports stand for. */
  update(rules: readonly Rule[], named: ReadonlySet<string>): CellsNow {
    const matches = new Map<string, PortMatch>();
    for (const { ports = [] } of rules) {
      for (const port of ports) matches.set(textOf(port), port);
    }
    const key = JSON.stringify([[...matches.keys()].toSorted(), [...named].toSorted()]);
    if (key === this.#key) return this.#now;
    const { cells, maps } = cellsOf([...matches.values()], named, this.#numbers);
    this.#key = key;
    this.#now = { cells, sets: cellMaps(maps) };
    return this.#now;
  }
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
