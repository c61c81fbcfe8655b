import type { Standing } from '../cluster/index.js';
import type { DockerEngine } from '../docker/index.js';
import { type AskedPool, Ipam } from '../ipam/index.js';
import { parsePrefix } from '../net/index.js';
import type { Connection } from '../netlink/index.js';
import type { Store } from '../store/index.js';
import type { Config } from './config.js';
import { occupiedByDocker, occupiedByHost } from './host-facts.js';
import type { Log } from './log.js';

interface IpamNeeds {
  readonly config: Config;
  readonly hostId: string;
  readonly shared: Store;
  readonly standing: Standing;
  readonly local: Store;
  readonly kernel: Connection;
  readonly engine: DockerEngine;
  readonly nameOf: (id: string) => string;
  readonly containerOf: (endpointId: string) => string | undefined;
  readonly expected: (asked: AskedPool) => string | undefined;
  readonly log: Log;
}

/** Docker's IPAM driver, with what this host knows of prefixes that are taken. */
export async function openIpam(needs: IpamNeeds): Promise<Ipam> {
  const { config, hostId, shared, standing, local, kernel, engine, log } = needs;
  const { nameOf, containerOf, expected } = needs;
  return Ipam.open({
    host: hostId,
    store: shared,
    local,
    ranges: config.ipam.ranges.map(parsePrefix),
    restMs: config.ipam.restSec * 1000,
    occupied: async (signal) => {
      const docker = await engine.networks(signal).catch((err: unknown) => {
        log.warn({ err }, "docker's networks unknown; a pool is chosen without them");
        return [];
      });
      return [...(await occupiedByHost(kernel)), ...occupiedByDocker(docker)];
    },
    assertMayGive: async (signal) => standing.assertMayGive(signal),
    nameOf,
    containerOf,
    expected,
    report: (err) => log.warn({ err }, 'address work went wrong; will be repaired'),
  });
}
