/** A lab whose network is also in many hosts of the store's only. */
import { type Host, type Lab, hasNetwork, waitFor } from '../../lab/index.js';
import { keys, parseNetwork } from '../../src/cluster/documents.js';
import type { NetworkDocument } from '../../src/cluster/index.js';
import { ControlClient, type Network } from '../../src/control-api/index.js';
import { ConsulStore, type Store } from '../../src/store/index.js';
import { Crowd } from './crowd.js';

export const networkName = 'bench';
const prefix = '10.60.0.0/16';
/** The network's pool, towards Docker. */
export const poolId = prefix.replace('/', '-');

/** Makes the network on these hosts, with room for a crowd. */
export async function makeNetwork(hosts: readonly Host[]): Promise<void> {
  const drivers = ['--driver', 'weft', '--ipam-driver', 'weft'];
  const pool = ['--subnet', prefix, '--ip-range', '10.60.0.0/17'];
  await hosts[0]!.docker('network', 'create', ...drivers, ...pool, networkName);
  for (const host of hosts) await hasNetwork(host, networkName);
}

/** The store that the lab's hosts share; the caller closes it. */
export function storeOf(lab: Lab): Store {
  return new ConsulStore({ address: lab.consul[0]!.url });
}

export async function crowdOf(store: Store): Promise<Crowd> {
  return new Crowd(store, await documentOf(store));
}

async function documentOf(store: Store): Promise<NetworkDocument> {
  for (const { value } of await store.list(keys.networks)) {
    const document = parseNetwork(value);
    if (document?.name === networkName) return document;
  }
  throw new Error(`the store has no network "${networkName}"`);
}

/** Asks a host's daemon. */
export function control(host: Host, timeoutMs = 60_000): ControlClient {
  return new ControlClient({ socketPath: host.path('/run/weft/control.sock'), timeoutMs });
}

/** The network as this host knows it. */
export async function networkOn(host: Host): Promise<Network> {
  const found = (await control(host).networks()).find(({ name }) => name === networkName);
  if (found === undefined) throw new Error(`${host.name} has no network "${networkName}"`);
  return found;
}

/** Waits until this host knows so many endpoints, its own included. */
export async function knows(host: Host, total: number): Promise<void> {
  await waitFor(
    `${total} endpoints known to ${host.name}`,
    async () => ((await networkOn(host)).endpoints.total ?? 0) >= total,
    { timeoutMs: 120_000, intervalMs: 100 },
  );
}

/** Waits until the kernel of this host has so many rows of the tunnel. */
export async function forwards(host: Host, rows: number): Promise<void> {
  const { id } = await networkOn(host);
  const script = `nsenter --net=/run/netns/weft-${id} bridge fdb show dev vxlan0 | grep -c 'dst .* self'`;
  await waitFor(
    `${rows} rows in the kernel of ${host.name}`,
    async () => Number((await host.exec(['sh', '-c', script])).stdout) >= rows,
    { timeoutMs: 120_000, intervalMs: 500 },
  );
}
