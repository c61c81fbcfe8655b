/** What a change of policies or containers costs, from what is known to the kernel's answer. */
import { Connection, NETLINK, createNetns, deleteNetns, nft } from '../../src/netlink/index.js';
import { type Endpoint, type NetworkPolicies, PolicyTable } from '../../src/policy/index.js';
import { percentile, type Samples } from '../samples.js';
import { HERE, endpointOf, endpointsOf, policiesOf, policyOf } from './world.js';

export interface ChangesSize {
  readonly rules: number;
  readonly endpoints: number;
  readonly changes: number;
}

/** Adds p50 and p99 of each kind of change, in a table of this size in a namespace of its own. */
export async function measureChanges(samples: Samples, size: ChangesSize): Promise<void> {
  const path = `/run/netns/weft-bench-policy-${process.pid}`;
  await createNetns(path);
  try {
    const conn = await Connection.open({ netns: path, protocol: NETLINK.NETFILTER });
    try {
      await measure(conn, samples, size);
    } finally {
      await conn.close();
    }
  } finally {
    await deleteNetns(path);
  }
}

/** The first number from this one on whose container is elsewhere, and the one before is here. */
const elsewhere = (from: number): number => Math.ceil(from / 101) * 101 + 1;

async function measure(
  conn: Connection,
  samples: Samples,
  { rules, endpoints: count, changes }: ChangesSize,
): Promise<void> {
  const table = new PolicyTable(HERE);
  let there: nft.TableSpec | undefined;
  let now: NetworkPolicies = {
    default: 'isolated',
    policies: policiesOf(rules),
    endpoints: endpointsOf(count),
  };
  const timed = async (): Promise<number> => {
    const start = performance.now();
    const next = table.update(now)!;
    if (there) await nft.changeTable(conn, there, next);
    else await nft.ensureTable(conn, next);
    there = next;
    return performance.now() - start;
  };
  const at = `${rules} rules, ${count} endpoints`;
  samples.add('weft', `from nothing, ${at}`, 'ms', await timed());
  const kinds: Record<string, (turn: number) => void> = {
    'a container elsewhere comes': (i) => {
      now = { ...now, endpoints: [...now.endpoints, endpointOf(elsewhere(count + i * 101))] };
    },
    'a container elsewhere goes': () => {
      now = { ...now, endpoints: now.endpoints.slice(0, -1) };
    },
    'a container here comes': (i) => {
      now = { ...now, endpoints: [...now.endpoints, endpointOf(elsewhere(count + i * 101) - 1)] };
    },
    'a container here goes': () => {
      now = { ...now, endpoints: now.endpoints.slice(0, -1) };
    },
    "a container's labels change": (i) => {
      const place = (i * 7) % count;
      const endpoints: Endpoint[] = [...now.endpoints];
      endpoints[place] = endpointOf(place, `g${(i * 13) % 500}`);
      now = { ...now, endpoints };
    },
    'a policy changes': (i) => {
      const place = i % now.policies.length;
      const policies = [...now.policies];
      policies[place] = policyOf(place, policies[place]!.ingress!.length, i + 1);
      now = { ...now, policies };
    },
  };
  for (const [name, change] of Object.entries(kinds)) {
    const tookMs: number[] = [];
    for (let i = 0; i < changes; i += 1) {
      change(i);
      tookMs.push(await timed());
    }
    samples.add('weft', `${name}, p50, ${at}`, 'ms', percentile(tookMs, 50));
    samples.add('weft', `${name}, p99, ${at}`, 'ms', percentile(tookMs, 99));
  }
}
