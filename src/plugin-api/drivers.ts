import type { Address, AddressWithLength, Mac, Prefix } from '../net/index.js';

/** Every call carries the id that its log lines share and a signal that aborts when the call's time is up. */
export interface CallContext {
  readonly requestId: string;
  readonly signal: AbortSignal;
}

/** One pool of a network as CreateNetwork names it. */
export interface NetworkPool {
  /** Which IPAM driver it came from: {@link ADDRESS_SPACE} for ours. */
  readonly addressSpace: string;
  readonly prefix: Prefix;
  readonly gateway?: AddressWithLength;
  readonly auxAddresses: readonly AddressWithLength[];
}

export interface CreateNetworkRequest {
  readonly networkId: string;
  /** The user's `-o key=value`. */
  readonly options: Readonly<Record<string, string>>;
  readonly internal: boolean;
  readonly ipv6: boolean;
  /** False only from engine 28 with `--ipv4=false`. */
  readonly ipv4: boolean;
  readonly pools: readonly NetworkPool[];
}

export interface CreateEndpointRequest {
  readonly networkId: string;
  readonly endpointId: string;
  readonly address?: AddressWithLength;
  readonly addressV6?: AddressWithLength;
  /** Present when the user or Docker chose one. */
  readonly mac?: Mac;
  /** The user's `driver-opt`s of this endpoint, without Docker's own keys. */
  readonly options: Readonly<Record<string, string>>;
}

export interface JoinRequest {
  readonly networkId: string;
  readonly endpointId: string;
  readonly sandboxKey: string;
}

export interface JoinResult {
  /** The link in the host's namespace that Docker moves into the container. */
  readonly linkName: string;
  /** Docker names it this and the lowest free number. */
  readonly linkPrefix: string;
}

/** The network driver as Docker's calls need it; src/driver implements it. Every call is idempotent; deletes of the unknown succeed. */
export interface NetworkDriver {
  createNetwork(request: CreateNetworkRequest, context: CallContext): Promise<void>;
  deleteNetwork(networkId: string, context: CallContext): Promise<void>;
  /** Answers the MAC exactly when the request had none. */
  createEndpoint(
    request: CreateEndpointRequest,
    context: CallContext,
  ): Promise<{ readonly mac?: Mac }>;
  deleteEndpoint(networkId: string, endpointId: string, context: CallContext): Promise<void>;
  join(request: JoinRequest, context: CallContext): Promise<JoinResult>;
  leave(networkId: string, endpointId: string, context: CallContext): Promise<void>;
}

/** The address space that Docker hears from us, for local and global alike: equal ones switch off its own overlap check from 27 on. */
export const ADDRESS_SPACE = 'weft';

export interface RequestPoolRequest {
  readonly addressSpace: string;
  /** Absent: the driver chooses. */
  readonly prefix?: Prefix;
  /** `--ip-range`: addresses are chosen from here. */
  readonly subPrefix?: Prefix;
  readonly ipv6: boolean;
  /** The user's `--ipam-opt key=value`. */
  readonly options: Readonly<Record<string, string>>;
}

export interface PoolGrant {
  readonly poolId: string;
  readonly prefix: Prefix;
}

export interface RequestAddressRequest {
  readonly poolId: string;
  /** Absent: the driver chooses. */
  readonly address?: Address;
  readonly gateway: boolean;
}

/** The IPAM driver as Docker's calls need it; src/ipam implements it. Releases of the unknown succeed. */
export interface IpamDriver {
  requestPool(request: RequestPoolRequest, context: CallContext): Promise<PoolGrant>;
  releasePool(poolId: string, context: CallContext): Promise<void>;
  requestAddress(request: RequestAddressRequest, context: CallContext): Promise<AddressWithLength>;
  releaseAddress(poolId: string, address: Address, context: CallContext): Promise<void>;
}
