import type { Address, AddressWithLength, Mac, Prefix } from '../net/index.js';

/** What every call carries. */
export interface CallContext {
  /** What this call's log lines share; Docker has no such id. */
  readonly requestId: string;
  /**
   * Aborts when the call's time is up. A driver that throws soon after it decides what Docker is told it was waiting for;
   * what a driver still does after it is told to nobody.
   */
  readonly signal: AbortSignal;
}

/** One pool of a network as CreateNetwork names it. */
export interface NetworkPool {
  /** Which IPAM driver it came from: {@link ADDRESS_SPACE} for ours, "" when Docker names none. */
  readonly addressSpace: string;
  readonly prefix: Prefix;
  /** What Docker took for its gateway; not checked against the prefix. */
  readonly gateway?: AddressWithLength;
  /** The user's `--aux-address`, without their names. */
  readonly auxAddresses: readonly AddressWithLength[];
}

export interface CreateNetworkRequest {
  readonly networkId: string;
  /** The user's `-o key=value`. */
  readonly options: Readonly<Record<string, string>>;
  readonly internal: boolean;
  /** `--ipv6`; there are IPv6 pools then. */
  readonly ipv6: boolean;
  /** False only from engine 28 with `--ipv4=false`. */
  readonly ipv4: boolean;
  /** IPv4 first. */
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
  /** Path of the container's network namespace; up to engine 27 nothing is there yet. */
  readonly sandboxKey: string;
}

export interface JoinResult {
  /** The link in the host's namespace that Docker moves into the container. */
  readonly linkName: string;
  /** Docker names it this and the lowest free number. */
  readonly linkPrefix: string;
}

/**
 * The network driver as Docker's calls need it; src/driver implements it.
 *
 * Calls may come twice, out of order, side by side, or never: a delete for an endpoint that was not created, a leave without a
 * join, a network that is created again after Docker lost its state. So every call is idempotent, and deletes of the unknown
 * succeed. Docker logs an error of deleteNetwork, deleteEndpoint or leave, and forgets the object all the same.
 */
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

/**
 * The address space that Docker hears from us, for local and global alike. Equal ones switch off its own overlap check from 27 on,
 * which asks again for ever while the answer overlaps a route of the host; up to 26 it is asked again all the same.
 */
export const ADDRESS_SPACE = 'weft';

export interface RequestPoolRequest {
  readonly addressSpace: string;
  /** Absent: the driver chooses. */
  readonly prefix?: Prefix;
  /** `--ip-range`: addresses are chosen from here. */
  readonly subPrefix?: Prefix;
  /** Of which family to choose when there is no prefix. */
  readonly ipv6: boolean;
  /** The user's `--ipam-opt key=value`. */
  readonly options: Readonly<Record<string, string>>;
}

export interface PoolGrant {
  /** Opaque to Docker, which brings it back in the other calls; at most 1024 characters. */
  readonly poolId: string;
  readonly prefix: Prefix;
}

export interface RequestAddressRequest {
  readonly poolId: string;
  /** Absent: the driver chooses. */
  readonly address?: Address;
  /** For the network's gateway, not for an endpoint. */
  readonly gateway: boolean;
}

/**
 * The IPAM driver as Docker's calls need it; src/ipam implements it.
 *
 * A request may come twice, and again for an address that is held; a release twice, late, or never; the pool is released
 * before its network is deleted. Releases of the unknown succeed; Docker logs their errors and goes on.
 */
export interface IpamDriver {
  requestPool(request: RequestPoolRequest, context: CallContext): Promise<PoolGrant>;
  releasePool(poolId: string, context: CallContext): Promise<void>;
  /** Answers with the pool's prefix length: the container gets it as its own. */
  requestAddress(request: RequestAddressRequest, context: CallContext): Promise<AddressWithLength>;
  releaseAddress(poolId: string, address: Address, context: CallContext): Promise<void>;
}
