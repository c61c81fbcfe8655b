import { parseAddressWithLength, parsePrefix } from '../../src/net/index.js';
import {
  type CallContext,
  type CreateNetworkRequest,
  ADDRESS_SPACE,
} from '../../src/plugin-api/index.js';

/** What Docker asks of the driver, in tests of it. */
export const context: CallContext = { requestId: '1', signal: new AbortController().signal };
export const DOCKER_A = 'a'.repeat(64);
export const DOCKER_B = 'b'.repeat(64);

export function network(
  networkId: string,
  prefix = '10.1.0.0/24',
  rest: Partial<CreateNetworkRequest> = {},
): CreateNetworkRequest {
  return {
    networkId,
    options: {},
    internal: false,
    ipv4: true,
    ipv6: false,
    pools: [{ addressSpace: ADDRESS_SPACE, prefix: parsePrefix(prefix), auxAddresses: [] }],
    ...rest,
  };
}

export function endpoint(networkId: string, n: number) {
  return {
    networkId,
    endpointId: n.toString(16).padStart(64, '0'),
    address: parseAddressWithLength(`10.1.0.${n}/24`),
    options: {},
  };
}
