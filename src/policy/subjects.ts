/** Containers of this host that are judged alike in a direction, as one chain: their subject. */
import { createHash } from 'node:crypto';
import { byName } from './decide.js';
import { type Party, selects } from './match.js';
import type { Direction, NetworkPolicies, Policy } from './model.js';
import type { Identity, Peers } from './peers.js';

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

/** The subjects of a host in a direction. Containers that no policy is about on an open network are in none. */
export function subjectsOf(
  network: NetworkPolicies,
  peers: Peers,
  direction: Direction,
  host: string,
): Subject[] {
  const subjects = new Map<string, Subject>();
  for (const [party, identity] of peers.parties) {
    if (party.endpoint?.host !== host) continue;
    const policies = network.policies
      .filter((policy) => policy[direction] && selects(policy.endpoints, party))
      .sort(byName);
    if (policies.length === 0 && network.default === 'open') continue;
    const name = nameOf(direction, policies, identity);
    const subject = subjects.get(name) ?? {
      direction,
      name,
      policies,
      example: party,
      parties: [],
    };
    subject.parties.push(party);
    subjects.set(name, subject);
  }
  return [...subjects.values()];
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
