import type { NetworkDocument } from '../cluster/index.js';
import { type Address, type AddressWithLength, prefixContains } from '../net/index.js';
import type { LocalEndpoint } from '../vxlan/index.js';
import type { EndpointBinding } from './bindings.js';
import { DriverError } from './errors.js';

/** An endpoint as the data path needs it. */
export function localEndpoint({ id, mac, addresses }: EndpointBinding): LocalEndpoint {
  return { id, mac, addresses: addresses.map((a): Address => a.address) };
}

/** Id of the network's pool that the address is in. Throws NO_ADDRESS. */
export function poolOf({ pools, id }: NetworkDocument, { address }: AddressWithLength): string {
  const pool = pools.find(({ prefix }) => prefixContains(prefix, address));
  if (pool) return pool.id;
  throw new DriverError(
    { code: 'NO_ADDRESS', endpoint: id },
    `${address} is in no pool of this network`,
  );
}
