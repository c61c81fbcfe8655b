import type { NetworkDocument } from '../cluster/index.js';
import {
  type Address,
  type AddressWithLength,
  macFromAddress,
  prefixContains,
} from '../net/index.js';
import type { CreateEndpointRequest } from '../plugin-api/index.js';
import type { LocalEndpoint } from '../vxlan/index.js';
import type { EndpointBinding } from './bindings.js';
import { DriverError } from './errors.js';

/** An endpoint as the data path needs it. */
export function localEndpoint({ id, mac, addresses }: EndpointBinding): LocalEndpoint {
  return { id, mac, addresses: addresses.map((a): Address => a.address) };
}

/** What Docker asks for, as this host keeps it; `since` in milliseconds of the epoch. Throws NO_ADDRESS. */
export function bindingOf(
  request: CreateEndpointRequest,
  network: NetworkDocument,
  since: number,
): EndpointBinding {
  const wanted = [request.address, request.addressV6].filter((a) => a !== undefined);
  const addresses = wanted.map((a) => ({ ...a, poolId: poolOf(network, a) }));
  const [first] = wanted;
  if (!first) {
    throw new DriverError(
      { code: 'NO_ADDRESS', endpoint: request.endpointId },
      'an endpoint of a weft network needs an address; Docker gave none',
    );
  }
  const mac = request.mac ?? macFromAddress(first.address);
  const { networkId: dockerId, endpointId: id } = request;
  return { v: 1, id, dockerId, mac, addresses, since };
}

/** Id of the network's pool that the address is in. Throws NO_ADDRESS. */
function poolOf({ pools, id }: NetworkDocument, { address }: AddressWithLength): string {
  const pool = pools.find(({ prefix }) => prefixContains(prefix, address));
  if (pool) return pool.id;
  throw new DriverError(
    { code: 'NO_ADDRESS', endpoint: id },
    `${address} is in no pool of this network`,
  );
}
