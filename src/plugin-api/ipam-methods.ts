import { formatAddressWithLength } from '../net/index.js';
import { ADDRESS_SPACE, type IpamDriver } from './drivers.js';
import { addressField, optional, prefixField, textMapField } from './fields.js';
import { type Method, plain, withArguments } from './methods.js';
import * as wire from './wire.js';

/** moby daemon/libnetwork/ipamapi/labels.go and netlabel */
const REQUEST_ADDRESS_TYPE = 'RequestAddressType';
const GATEWAY = 'com.docker.network.gateway';

/** No MAC: Docker would invent one before it asks. No replay: the store remembers, and others would see the doubles. */
const capabilities = { RequiresMACAddress: false, RequiresRequestReplay: false } as const;

const addressSpaces = {
  LocalDefaultAddressSpace: ADDRESS_SPACE,
  GlobalDefaultAddressSpace: ADDRESS_SPACE,
} as const;

/** The methods of Docker's IPAM driver, by their name on the wire. */
export function ipamMethods(driver: IpamDriver): Readonly<Record<string, Method>> {
  return {
    'IpamDriver.GetCapabilities': plain(capabilities),
    'IpamDriver.GetDefaultAddressSpaces': plain(addressSpaces),
    'IpamDriver.RequestPool': withArguments(wire.requestPool, async (request, context) => {
      const { AddressSpace = '', Pool, SubPool, Options, V6 } = request;
      const prefix = optional(Pool, (text) => prefixField('Pool', text));
      const subPrefix = optional(SubPool, (text) => prefixField('SubPool', text));
      const grant = await driver.requestPool(
        {
          addressSpace: AddressSpace,
          ...(prefix && { prefix }),
          ...(subPrefix && { subPrefix }),
          ipv6: V6 ?? false,
          options: textMapField('Options', Options),
        },
        context,
      );
      return { PoolID: grant.poolId, Pool: grant.prefix, Data: {} };
    }),
    'IpamDriver.ReleasePool': withArguments(wire.poolOnly, async (request, context) => {
      await driver.releasePool(request.PoolID, context);
      return {};
    }),
    'IpamDriver.RequestAddress': withArguments(wire.requestAddress, async (request, context) => {
      const { PoolID: poolId, Address, Options = {} } = request;
      const address = optional(Address, (text) => addressField('Address', text));
      const granted = await driver.requestAddress(
        {
          poolId,
          ...(address && { address }),
          gateway: Options[REQUEST_ADDRESS_TYPE] === GATEWAY,
        },
        context,
      );
      return { Address: formatAddressWithLength(granted), Data: {} };
    }),
    'IpamDriver.ReleaseAddress': withArguments(wire.releaseAddress, async (request, context) => {
      const address = addressField('Address', request.Address);
      await driver.releaseAddress(request.PoolID, address, context);
      return {};
    }),
  };
}
