import type { DockerNetworkSettings } from '../../src/docker/index.js';

/** What Docker says of a network that was made with nothing but a name. */
export function settings(
  name: string,
  rest: Partial<DockerNetworkSettings> = {},
): DockerNetworkSettings {
  return {
    name,
    labels: {},
    options: {},
    ipamOptions: {},
    pools: [{ subnet: '10.1.0.0/24', gateway: '10.1.0.1' }],
    internal: false,
    attachable: false,
    ipv6: false,
    ipv4: true,
    ...rest,
  };
}
