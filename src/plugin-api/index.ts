/**
 * Docker's plugin protocol: wire shapes, routes, error mapping. It turns JSON into domain values and back.
 *
 * Promises: every reply is one that Docker understands, within the call's bound. Does not: hold state, or decide anything.
 */
export {
  ADDRESS_SPACE,
  type CallContext,
  type CreateEndpointRequest,
  type CreateNetworkRequest,
  type IpamDriver,
  type JoinRequest,
  type JoinResult,
  type NetworkDriver,
  type NetworkPool,
  type PoolGrant,
  type RequestAddressRequest,
  type RequestPoolRequest,
} from './drivers.js';
