import {
  ClusterError,
  type ClusterView,
  type HostAnnouncer,
  KeyGuard,
  type Mend,
  type Networks,
  type Standing,
  clusterKeys as keys,
} from '../cluster/index.js';
import type { Bindings, Membership } from '../driver/index.js';
import type { Ipam } from '../ipam/index.js';
import type { Store } from '../store/index.js';
import type { Enforcement } from './enforcement.js';
import type { EventLog } from './event-log.js';
import type { Health } from './health.js';
import type { Log } from './log.js';
import type { UnderlayWatch } from './underlay-watch.js';

export interface OwnKeysNeeds {
  readonly store: Store;
  readonly hostId: string;
  readonly standing: Standing;
  readonly announcer: HostAnnouncer;
  readonly underlay: UnderlayWatch;
  readonly view: ClusterView;
  readonly bindings: Bindings;
  readonly membership: Membership;
  readonly networks: Networks;
  readonly ipam: Ipam;
  readonly enforcement: Enforcement;
  readonly health: Health;
  readonly events: EventLog;
  readonly log: Log;
}

/**
 * Keys in the shared store that somebody deletes come back: those of which this host knows what they have to say, but for
 * the documents that it watches anyway, its own among `hosts/` and `endpoints/`, and `networks/`.
 */
export function openKeyGuard(needs: OwnKeysNeeds): KeyGuard {
  const { store, view, events, log } = needs;
  let said = new Set<string>();
  return new KeyGuard({
    store,
    keys: () => ownKeys(needs),
    hosts: () => view.hosts().length,
    onLooked: (gone) => {
      const news = gone.filter((key) => !said.has(key));
      said = new Set(gone);
      if (news.length === 0) return;
      const more = news.length > 3 ? ` and ${news.length - 3} more` : '';
      const text = `the store has lost what this host answers for: ${news.slice(0, 3).join(', ')}${more}; it is written again`;
      events.add({ code: 'KEYS_LOST_IN_STORE', level: 'warn', text });
    },
    onError: (err) => log.debug({ err }, 'own keys not looked after; will be retried'),
  });
}

function ownKeys(needs: OwnKeysNeeds): Map<string, Mend> {
  const { store, standing, announcer, health } = needs;
  // What is under way says nothing, and of the embedded store nobody else has the file.
  const isSettled = health.store.reachable && standing.isMember && announcer.isAnnounced;
  if (!isSettled || store.kind === 'embedded') return new Map();
  return new Map([...ofHost(needs), ...ofNetworks(needs), ...needs.ipam.ownKeys()]);
}

function ofHost({ hostId, standing, underlay, enforcement }: OwnKeysNeeds): [string, Mend][] {
  const announce = (): void => standing.onDoubt();
  return [
    [keys.vtep(underlay.vtep), announce],
    [keys.member(hostId), announce],
    [keys.layout, announce],
    ...(enforcement.hasReported
      ? [[keys.enforced(hostId), () => enforcement.reportAgain()] satisfies [string, Mend]]
      : []),
  ];
}

function ofNetworks(needs: OwnKeysNeeds): [string, Mend][] {
  const { hostId, view, bindings, membership, networks, events } = needs;
  const pending = new Set(membership.pending());
  return view.networks().flatMap(({ id, vni, name, closing }): [string, Mend][] => {
    if (closing || pending.has(id) || !bindings.byNetworkId(id)) return [];
    const claim = async (): Promise<void> => {
      try {
        await networks.claim(id);
      } catch (error) {
        if (!(error instanceof ClusterError)) throw error;
        const text = `network "${name ?? id}" has lost its claim in the store: ${error.message}`;
        events.add({ code: 'CLAIM_LOST', level: 'warn', text, ...(name && { network: name }) });
      }
    };
    const claims: [string, Mend][] = [[keys.vni(vni), claim]];
    if (name !== undefined) claims.push([keys.name(name), claim]);
    return [...claims, [keys.head(id, hostId), () => membership.publishLater(id)]];
  });
}
