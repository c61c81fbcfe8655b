import { setImmediate as turn } from 'node:timers/promises';
import type { ConnectionsChange, EndingConnections } from '../control-api/index.js';
import type { NetworkBinding } from '../driver/index.js';
import {
  type Endpoint,
  type Flow,
  type NetworkPolicies,
  decide,
  flowOf,
  flowText,
} from '../policy/index.js';
import type { KernelDatapath } from '../vxlan/index.js';
import { reasonText } from './explanation.js';

/** Of a network with more connections on this host none is looked at: reading them would take seconds. */
const MAX_CONNECTIONS = 16_384;
const MAX_TOLD = 100;
/** What others wait for at most while flows are decided about. */
const TURN_MS = 5;

export interface Change {
  readonly binding: NetworkBinding;
  readonly before: NetworkPolicies;
  readonly after: NetworkPolicies;
}

/** Which of the connections that this host's kernel knows now would end with these changes. Stops looking at `endsAt`, steady ms. */
export async function endingConnections(
  changes: readonly Change[],
  datapath: Pick<KernelDatapath, 'connections'>,
  endsAt: number,
): Promise<ConnectionsChange> {
  const ending: EndingConnections[] = [];
  let [goOn, notLookedAt] = [0, 0];
  for (const { binding, before, after } of changes) {
    const { id, name: network = id } = binding.network;
    const { count, connections } = await datapath.connections(id, MAX_CONNECTIONS);
    if (connections.length === 0) notLookedAt += count;
    let turnEndsAt = performance.now() + TURN_MS;
    for (const [flow, alike] of alikes(connections.map(flowOf))) {
      if (performance.now() > endsAt) {
        notLookedAt += alike;
        continue;
      }
      // What the policies of now deny has ended, though the kernel has not forgotten it.
      const isOpen = decide(before, flow).verdict === 'allow';
      const { verdict, egress, ingress } = decide(after, flow);
      if (isOpen && verdict === 'allow') goOn += alike;
      else if (isOpen) {
        const denied = egress.verdict === 'deny' ? egress : ingress;
        const [from, to] = [flow.source, flow.destination].map((end) => calledIn(after, end));
        const why = reasonText(denied.reason);
        ending.push({ network, from: from!, to: to!, port: flowText(flow), count: alike, why });
      }
      if (performance.now() < turnEndsAt) continue;
      await turn();
      turnEndsAt = performance.now() + TURN_MS;
    }
  }
  ending.sort((a, b) => b.count - a.count);
  const more = ending.slice(MAX_TOLD).reduce((sum, { count }) => sum + count, 0);
  return {
    ending: ending.slice(0, MAX_TOLD),
    goOn,
    ...(more > 0 && { more }),
    ...(notLookedAt > 0 && { notLookedAt }),
  };
}

/** Flows that nothing but who asks from which port tells apart, with how many there are of each. */
function alikes(flows: readonly Flow[]): Map<Flow, number> {
  const byText = new Map<string, [Flow, number]>();
  for (const flow of flows) {
    const text = `${flow.source} ${flow.destination} ${flowText(flow)}`;
    const [first, count] = byText.get(text) ?? [flow, 0];
    byText.set(text, [first, count + 1]);
  }
  return new Map(byText.values());
}

function calledIn({ endpoints }: NetworkPolicies, address: Endpoint['addresses'][number]): string {
  return endpoints.find((each) => each.addresses.includes(address))?.facts?.name ?? address;
}
