import {
  type ClusterView,
  type HostDocument,
  Members,
  Networks,
  Policies,
  type Standing,
} from '../cluster/index.js';
import type { Bindings } from '../driver/index.js';
import type { Ipam } from '../ipam/index.js';
import type { Store } from '../store/index.js';
import type { Config } from './config.js';
import type { DockerSync } from './docker-sync.js';
import type { EventLog } from './event-log.js';
import type { Log } from './log.js';

export interface MembersNeeds {
  readonly config: Config;
  readonly document: HostDocument;
  readonly shared: Store;
  readonly standing: Standing;
  readonly view: ClusterView;
  readonly ipam: Ipam;
  readonly log: Log;
  readonly events: EventLog;
}

export function openMembers(needs: MembersNeeds): Members {
  const { config, document, shared, standing, view, ipam, log, events } = needs;
  const isKnown = (): boolean => view.hosts().some(({ id }) => id === document.id);
  return new Members({
    store: shared,
    self: document,
    live: () => view.hosts(),
    mayJudge: () => standing.isMember && isKnown(),
    graceMs: config.hosts.graceSec * 1000,
    free: async (host, store, signal) => {
      await new Networks(store, document.id).expel(host, { signal });
      await ipam.expel(host, store, signal);
      await Policies.expel(store, host, { signal });
    },
    onRemoved: ({ id, name }, why) => {
      const by = why === 'grace' ? `it was away for ${config.hosts.graceSec} s` : 'by command';
      const text = `host ${name} (${id}) removed from the cluster, ${by}; what it had is given back`;
      events.add({ code: 'HOST_REMOVED', level: 'warn', host: name, text });
    },
    onError: (err) => log.warn({ err }, 'hosts that are away not looked after; will be retried'),
    onDamage: (key) => log.error({ key }, 'membership is unreadable; taken as absent'),
  });
}

/** Containers here that have addresses of the cluster, by name where it is known. */
export function attached(bindings: Bindings, sync: DockerSync): string[] {
  const endpoints = bindings.networks().flatMap(({ dockerId }) => bindings.endpoints(dockerId));
  return [...new Set(endpoints.map(({ id }) => sync.containerName(id) ?? id.slice(0, 12)))];
}
