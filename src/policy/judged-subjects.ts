import { type Judged, cellFinder, judgeSubject } from './judge-subject.js';
import type { Cell } from './cells.js';
import type { NetworkPolicies, Policy } from './model.js';
import { type Peers, sameItems } from './peers.js';
import type { CellsNow } from './kept-cells.js';
import type { Subject } from './subjects.js';

export { DENIED, LOGGED } from './judge-subject.js';

/** What was judged, and all that it rests on. */
interface Kept {
  readonly judged: Judged;
  readonly policies: readonly Policy[];
  readonly cells: readonly Cell[];
  readonly usual: NetworkPolicies['default'];
  readonly named: string;
  /** Of all peers, and, where that is another, of those that its rules are about. */
  readonly peers: number;
  readonly stamp: string;
}

export interface JudgedFrom {
  readonly network: NetworkPolicies;
  readonly peers: Peers;
  readonly cells: CellsNow;
}

/** Chains and maps of subjects, worked out again only for those for whom something is another. */
export class JudgedSubjects {
  #kept = new Map<string, Kept>();

  update(subjects: readonly Subject[], { network, peers, cells: { cells } }: JudgedFrom): Judged[] {
    const before = this.#kept;
    this.#kept = new Map();
    const cellsAbout = cellFinder(cells);
    // A rule that asks for a port's name, of everybody, is about each of them by itself.
    const named = peers.identities
      .filter((identity) => identity.named.some((each) => each !== undefined))
      .map(({ number }) => number)
      .join();
    return subjects.map((subject) => {
      const { name, policies, direction } = subject;
      const known = before.get(name);
      const usual = network.default;
      const isFit =
        known?.cells === cells &&
        known.named === named &&
        known.usual === usual &&
        sameItems(known.policies, policies);
      if (isFit && known.peers === peers.stamp) {
        this.#kept.set(name, known);
        return known.judged;
      }
      const stamp = peers.stampOf(policies.flatMap((policy) => policy[direction] ?? []));
      const judged =
        isFit && known.stamp === stamp
          ? known.judged
          : judgeSubject(subject, { network, peers, cells, cellsAbout });
      this.#kept.set(name, { judged, policies, cells, usual, named, stamp, peers: peers.stamp });
      return judged;
    });
  }
}
