import type { DockerSettings, NetworkDocument } from '../cluster/index.js';
import { NETWORK_OPTION } from '../ipam/index.js';
import type { CreateNetworkRequest } from '../plugin-api/index.js';
import { DriverError } from './errors.js';
import type { Addresses } from './ports.js';

/** The pools that Docker got from us for this network, and the network's name if they say one. Throws UNKNOWN_NETWORK. */
export async function describePools(
  addresses: Addresses,
  { pools }: CreateNetworkRequest,
): Promise<{
  readonly name?: string;
  readonly references: NetworkDocument['pools'];
}> {
  const described = await addresses.describe(pools.map((pool) => pool.prefix));
  const names = new Set<string>();
  const references = described.map((pool, i) => {
    const { prefix } = pools[i]!;
    if (!pool) {
      throw new DriverError(
        { code: 'UNKNOWN_NETWORK', network: prefix },
        `weft gave no pool ${prefix} to this host; remove the network and create it again`,
      );
    }
    if (pool.network !== undefined) names.add(pool.network);
    return { id: pool.id, prefix };
  });
  const [name] = names;
  return name === undefined ? { references } : { name, references };
}

/** Who made a network may have meant another one than the one of the cluster that it was taken for. Throws NETWORK_REPLACED. */
export function assertMeant(network: NetworkDocument, docker: DockerSettings): void {
  const isNamed = NETWORK_OPTION in docker.ipamOptions;
  if (isNamed || !network.docker || network.docker.name === docker.name) return;
  throw new DriverError(
    { code: 'NETWORK_REPLACED', network: docker.name },
    `network "${docker.name}" is made anew with a subnet of its own in a moment; try again`,
  );
}
