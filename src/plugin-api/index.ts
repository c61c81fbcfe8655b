/**
 * Docker's plugin protocol: wire shapes, routes, error mapping. It turns JSON into domain values and back.
 *
 * Promises: every call is answered, with what Docker understands, within the call's bound, whatever the drivers do; the wire is
 * as 20.10 to 29 speak it. Does not: hold state, decide anything, or serialise calls; the drivers see what Docker sends, which
 * may come twice, late, out of order or not at all.
 */
export type { CallReport, PluginApiOptions } from './app.js';
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
export { PluginApiError, type PluginApiDetail } from './errors.js';
export { type PluginServerOptions, openPluginServer } from './server.js';
