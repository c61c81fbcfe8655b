/** Containers of this host that are judged alike in a direction, as one chain: their subject. */
import { createHash } from 'node:crypto';
import { byName } from './decide.js';
import { type Party, selects } from './match.js';
import type { Direction, NetworkPolicies, Policy } from './model.js';
import { type Identity, type Peers, sameItems } from './peers.js';

export interface Subject {
  readonly direction: Direction;
  /** Of its chain. */
  readonly name: string;
  /** Those that select it, by name; none on a network that is closed by default. */
  readonly policies: readonly Policy[];
  /** One of the containers. */
  readonly example: Party;
  readonly parties: Party[];
}

/** What is said of one container of this host in one direction; worked out again only when it or the policies are others. */
interface Placed {
  readonly party: Party;
  readonly policies: readonly Policy[];
  readonly name: string;
}

/** The subjects of a host in a direction. Containers that no policy is about on an open network are in none. */
export class Subjects {
  readonly #direction: Direction;
  readonly #host: string;
  #network: Pick<NetworkPolicies, 'default' | 'policies'> | undefined;
  #placed = new Map<Identity, Map<Party, Placed | undefined>>();

  constructor(direction: Direction, host: string) {
    this.#direction = direction;
    this.#host = host;
  }

  update(network: NetworkPolicies, peers: Peers): Subject[] {
    const before = this.#isSame(network) ? this.#placed : new Map<never, never>();
    this.#network = network;
    this.#placed = new Map();
    const subjects = new Map<string, Subject>();
    for (const { party, identity } of peers.known) {
      if (party.endpoint?.host !== this.#host) continue;
      const known = before.get(identity);
      const placed = known?.has(party) ? known.get(party) : this.#place(network, party, identity);
      const own = this.#placed.get(identity) ?? new Map<Party, Placed | undefined>();
      this.#placed.set(identity, own.set(party, placed));
      if (!placed) continue;
      const { name, policies } = placed;
      const subject = subjects.get(name);
      if (subject) subject.parties.push(party);
      else {
        const direction = this.#direction;
        subjects.set(name, { direction, name, policies, example: party, parties: [party] });
      }
    }
    return [...subjects.values()];
  }

  #isSame({ default: usual, policies }: NetworkPolicies): boolean {
    const before = this.#network;
    return before?.default === usual && sameItems(before.policies, policies);
  }

  #place(
    { policies: all, default: usual }: NetworkPolicies,
    party: Party,
    identity: Identity,
  ): Placed | undefined {
    const direction = this.#direction;
    const policies = all
      .filter((policy) => policy[direction] && selects(policy.endpoints, party))
      .sort(byName);
    if (policies.length === 0 && usual === 'open') return undefined;
    return { party, policies, name: nameOf(direction, policies, identity) };
  }
}

/** Longer names are cut; nftables has room for 255, and people have less. */
const MAX_NAME = 80;

/** `from-web`, `to-db/backup`: no policy has a slash in its name. What receivers call their ports makes them differ. */
function nameOf(direction: Direction, policies: readonly Policy[], { named }: Identity): string {
  const names = policies.map(({ name }) => name).join('/');
  const ports = direction === 'ingress' && named.some((each) => each !== undefined) ? named : [];
  const prefix = direction === 'ingress' ? 'to' : 'from';
  if (names === '') return `isolated-${prefix}`;
  if (names.length <= MAX_NAME && ports.length === 0) return `${prefix}-${names}`;
  const hash = createHash('sha256')
    .update(JSON.stringify([names, ports]))
    .digest('hex');
  return `${prefix}-${names.slice(0, MAX_NAME)}/${hash.slice(0, 16)}`;
}
