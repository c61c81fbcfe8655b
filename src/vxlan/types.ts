import type { Address, Mac, Vni } from '../net/index.js';
import type { Status } from '../reconcile/index.js';

/** What a network is on this host, before anyone is attached. */
export interface NetworkSpec {
  /** weft's network id, 12 hex digits; names the namespace `weft-<id>`. */
  readonly id: string;
  readonly vni: Vni;
  /** MTU inside the network, octets. */
  readonly mtu: number;
}

/** A container attached on this host. */
export interface LocalEndpoint {
  /** Docker's endpoint id, 64 hex digits. */
  readonly id: string;
  readonly mac: Mac;
  /** The addresses it may send from: one IPv4, one IPv6, or both. */
  readonly addresses: readonly Address[];
}

/** A container attached elsewhere. */
export interface Peer {
  readonly id: string;
  readonly mac: Mac;
  readonly addresses: readonly Address[];
  /** Underlay address of its host. */
  readonly vtep: Address;
}

/** Everything other hosts tell about one network. */
export interface Remote {
  readonly peers: readonly Peer[];
  /** Hosts that have the network, with or without endpoints: where broadcast, multicast and unknown unicast go. */
  readonly vteps: readonly Address[];
}

/** The underlay as this host sees it. */
export interface Underlay {
  readonly vtep: Address;
  /** UDP port of VXLAN, 4789 unless configured. */
  readonly port: number;
}

/** What a reconcile round found and did, per kind ("link", "fdb", "neighbor", "rule"). */
export interface RoundReport {
  readonly networkId: string;
  readonly created: number;
  readonly changed: number;
  readonly deleted: number;
  readonly durationMs: number;
}

/** What there is of a network here, and how it is doing. */
export interface NetworkStatus {
  readonly spec: NetworkSpec;
  /** Attached on this host. */
  readonly endpoints: number;
  /** Attached elsewhere; undefined until somebody said. */
  readonly peers: number | undefined;
  readonly status: Status;
}

export interface DatapathStatus {
  /** Of the table that keeps strangers from our VXLAN port. */
  readonly guard: Status;
  readonly networks: readonly NetworkStatus[];
}

/**
 * The kernel's share of this host: one namespace a network with bridge, VXLAN link and veths.
 *
 * Desired state lives here and nowhere else; callers set it and the datapath keeps the kernel equal to it: at once when it is
 * set, and again when somebody else changes the kernel. All calls are idempotent and safe to repeat after a failure.
 */
export interface Datapath extends AsyncDisposable {
  ensureNetwork(spec: NetworkSpec): Promise<void>;
  /** Removes the namespace and all in it, and veth ends elsewhere that carry its mark. Unknown ids succeed. */
  deleteNetwork(networkId: string): Promise<void>;
  /** After it, the endpoint can receive and send; answers the link in the host's namespace for Docker to move. */
  ensureEndpoint(
    networkId: string,
    endpoint: LocalEndpoint,
  ): Promise<{ readonly linkName: string }>;
  deleteEndpoint(networkId: string, endpointId: string): Promise<void>;
  /** Replaces all that is known of other hosts on this network; only differences reach the kernel. */
  setRemote(networkId: string, remote: Remote): Promise<void>;
  /** The only senders that may reach our VXLAN port: VTEPs of live hosts. */
  setKnownVteps(vteps: readonly Address[]): Promise<void>;
  /** Compares with the kernel's own dump and repairs. `prune`: also delete our networks and links that nothing desires; only once all desired state is loaded. */
  reconcile(options: { readonly prune: boolean }): Promise<RoundReport[]>;
}
