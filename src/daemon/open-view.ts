import { ClusterView, type Standing } from '../cluster/index.js';
import type { Store } from '../store/index.js';
import type { Enforcement } from './enforcement.js';
import type { EventLog } from './event-log.js';
import type { Health } from './health.js';
import type { Log } from './log.js';
import type { Naming } from './naming.js';
import type { Remotes } from './remotes.js';

export interface ViewNeeds {
  readonly remotes: Remotes;
  readonly standing: Standing;
  readonly naming: () => Naming;
  readonly enforcement: () => Enforcement;
  readonly log: Log;
  readonly health: Health;
  readonly events: EventLog;
  readonly onStoreBack: () => void;
}

/** What other hosts announce, told to who needs it; turns of the store are said and noted. */
export function openView(
  shared: Store,
  hostId: string,
  { remotes, naming, enforcement, standing, log, health, events, onStoreBack }: ViewNeeds,
): ClusterView {
  return new ClusterView(shared, hostId, {
    onHosts: (hosts) => {
      remotes.onHosts(hosts);
      naming().onHosts(hosts);
      enforcement().onHosts(hosts);
    },
    onRemote: (networkId, state) => {
      remotes.onRemote(networkId, state);
      naming().onRemote(networkId);
      enforcement().onRemote(networkId);
    },
    onReachable: (reachable) => {
      if (!health.setStore(reachable)) return;
      if (reachable) {
        standing.onReachable();
        onStoreBack();
      }
      events.add(
        reachable
          ? { code: 'STORE_REACHABLE', text: 'shared store answers' }
          : {
              code: 'STORE_UNREACHABLE',
              level: 'warn',
              text: 'shared store does not answer; going on with what is known',
            },
      );
    },
    onDamage: (key, isNewer) => {
      if (isNewer) {
        const text = `${key} in the shared store was written by a newer weft; what this host knew of it before holds; upgrade weft on this host`;
        health.set('LAYOUT_NEWER', new Error(text));
        log.error(
          { key },
          'document in the shared store is of a newer layout; what was known before holds',
        );
        return;
      }
      log.error({ key }, 'document in the shared store is unreadable; taken as absent');
    },
  });
}
