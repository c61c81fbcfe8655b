import { type DockerSettings, type NetworkDocument, isNetworkName } from '../cluster/index.js';
import { isUnicastMac, type Mac } from '../net/index.js';
import type {
  CallContext,
  CreateEndpointRequest,
  CreateNetworkRequest,
  JoinRequest,
  JoinResult,
  NetworkDriver,
} from '../plugin-api/index.js';
import { KeyedMutex, untilAborted } from '../util/index.js';
import type { Datapath, NetworkSpec } from '../vxlan/index.js';
import type { Bindings, EndpointBinding, Leaving, NetworkBinding } from './bindings.js';
import { bindingOf, localEndpoint } from './endpoints.js';
import { DriverError, unconfirmed, unknownNetwork } from './errors.js';
import type { Membership } from './membership.js';
import { assertMeant, describePools } from './network-request.js';
import {
  assertAuxDiffer,
  assertMtuFits,
  assertNoEndpointOptions,
  assertOurPools,
  parseNetworkOptions,
} from './options.js';
import type { Addresses, AskDocker, Policing } from './ports.js';

/** How Docker names the link in the container: eth0, eth1, … */
const LINK_PREFIX = 'eth';

export interface DriverDeps {
  readonly bindings: Bindings;
  readonly membership: Membership;
  readonly datapath: Datapath;
  readonly addresses: Addresses;
  readonly policing: Policing;
  /** MTU inside a network that asks for none: what the underlay leaves, octets. */
  readonly overlayMtu: () => number;
  /** The other host that has this MAC on this network, if any. */
  readonly ownerOfMac: (networkId: string, mac: Mac) => string | undefined;
  /** Whether Docker answers weft, and so will tell what was guessed; on some hosts it never does. */
  readonly isDockerThere?: () => boolean;
  readonly askDocker?: AskDocker;
  readonly clock?: () => number;
}

/**
 * What became of a network that Docker made here: every host has it; the cluster has another one of its name; or it can't
 * have a name in the cluster and stays with the hosts that joined it.
 */
export type Announced = 'announced' | 'name-taken' | 'local';

/**
 * What Docker's network calls do on this host.
 *
 * Order within a call: the kernel first, then this host's disk, then the shared store, so that a crash in between leaves only
 * what the next start removes. An endpoint that comes is the exception: the store hears of it while the kernel makes it, for
 * its container waits for both and sends nothing before. Calls about one network run one after another.
 */
export class Driver implements NetworkDriver {
  readonly #deps: DriverDeps;
  readonly #bindings: Bindings;
  readonly #membership: Membership;
  readonly #datapath: Datapath;
  readonly #mutex = new KeyedMutex();
  /** Of Docker's networks that joined one of the cluster: those whose own name is not known yet. */
  readonly #unconfirmed = new Set<string>();

  constructor(deps: DriverDeps) {
    this.#deps = deps;
    this.#bindings = deps.bindings;
    this.#membership = deps.membership;
    this.#datapath = deps.datapath;
  }

  /** Brings the kernel and the store up to what was true when the daemon stopped. Waits for the kernel only. */
  async restore(): Promise<void> {
    for (const binding of this.#bindings.networks()) {
      await this.#datapath.ensureNetwork(this.#specOf(binding.network));
      for (const endpoint of this.#bindings.endpoints(binding.dockerId)) {
        await this.#datapath.ensureEndpoint(binding.network.id, localEndpoint(endpoint));
        for (const { poolId, address } of endpoint.addresses) {
          await this.#deps.addresses.attach(poolId, address, endpoint.id);
        }
      }
      void this.#membership.follow(binding.network.id);
      this.#membership.publishLater(binding.network.id);
    }
    for (const networkId of this.#bindings.left()) this.#membership.publishLater(networkId);
    this.#membership.leaveForgotten();
  }

  /** The underlay's address or MTU changed: makes every network's links fit. Containers that run keep their MTU. */
  async followUnderlay(): Promise<void> {
    for (const { dockerId } of this.#bindings.networks()) {
      await this.#mutex.run(dockerId, async () => {
        const binding = this.#bindings.network(dockerId);
        if (binding) await this.#datapath.ensureNetwork(this.#specOf(binding.network));
      });
    }
  }

  async createNetwork(request: CreateNetworkRequest, { signal }: CallContext): Promise<void> {
    assertOurPools(request);
    assertAuxDiffer(request);
    const options = parseNetworkOptions(request);
    assertMtuFits(options.mtu, this.#deps.overlayMtu());
    const pools = await describePools(this.#deps.addresses, request);
    await this.#mutex.run(request.networkId, async () => {
      if (this.#bindings.network(request.networkId)) return;
      const { name, references } = pools;
      const network = await this.#membership.findOrCreate({
        ...options,
        ...(name === undefined ? {} : { name }),
        internal: request.internal,
        pools: references,
      });
      this.#assertNotHereYet(network);
      try {
        await this.#datapath.ensureNetwork(this.#specOf(network));
        signal.throwIfAborted();
        const isGuess = this.#isGuess(network);
        const binding = { v: 1 as const, dockerId: request.networkId, network };
        await this.#bindings.addNetwork(isGuess ? { ...binding, isGuess } : binding);
        if (network.docker) this.#unconfirmed.add(request.networkId);
        await this.#deps.policing.settle(network.id);
        await this.#bindings.welcome(network.id);
        await this.#deps.addresses.networkCreated(references.map((pool) => pool.id));
        await untilAborted(this.#membership.follow(network.id), signal);
        await this.#membership.publish(network.id);
      } catch (error) {
        await this.#remove(request.networkId, network.id, 'leave');
        throw error;
      }
    });
  }

  /** Somebody removed the network: it goes from the cluster, or, where other hosts use it, from this host. */
  async deleteNetwork(dockerId: string, _context: CallContext): Promise<void> {
    await this.#dropNetwork(dockerId, 'remove');
  }

  /** Docker has lost the network, or is to have another one in its place. */
  async forgetNetwork(dockerId: string): Promise<void> {
    await this.#dropNetwork(dockerId, 'leave');
  }

  /** What Docker says of a network after it was made, which is when it tells its name: it becomes the cluster's. */
  async announceNetwork(dockerId: string, docker: DockerSettings): Promise<Announced> {
    return this.#mutex.run(dockerId, async () => {
      const binding = this.#bindings.network(dockerId);
      if (!binding) return 'local';
      const { id, name, docker: known, pools } = binding.network;
      if (known) return 'announced';
      // Docker takes more: spaces, other letters.
      if (name === undefined && !isNetworkName(docker.name)) return 'local';
      if (name === undefined) {
        if (!(await this.#membership.name(id, docker.name))) return 'name-taken';
        await this.#deps.addresses.networkNamed(
          pools.map((pool) => pool.id),
          docker.name,
        );
      }
      // Last: other hosts join the pools by the network's name.
      const network = await this.#membership.announce(id, docker);
      await this.#bindings.addNetwork({ ...binding, network });
      this.#deps.policing.touch(id);
      return 'announced';
    });
  }

  /** The cluster knows more of a network than when this host joined it. */
  async adoptNetwork(dockerId: string, network: NetworkDocument): Promise<void> {
    await this.#mutex.run(dockerId, async () => {
      const binding = this.#bindings.network(dockerId);
      if (binding?.network.id !== network.id) return;
      await this.#bindings.addNetwork({ ...binding, network });
    });
  }

  /** Docker's name of the container behind an endpoint. */
  async nameEndpoint({ dockerId, id }: EndpointBinding, name: string): Promise<void> {
    await this.#mutex.run(dockerId, async () => {
      const endpoint = this.#bindings.endpoint(dockerId, id);
      const network = this.#bindings.network(dockerId)?.network;
      if (!endpoint || !network || endpoint.name === name) return;
      await this.#bindings.addEndpoint({ ...endpoint, name });
      this.#membership.publishLater(network.id);
    });
  }

  /** Makes the link of an endpoint that lost it. Its container's end waits in the host's namespace then. */
  async relink(dockerId: string, endpointId: string): Promise<void> {
    await this.#mutex.run(dockerId, async () => {
      const endpoint = this.#bindings.endpoint(dockerId, endpointId);
      const network = this.#bindings.network(dockerId)?.network;
      if (endpoint && network)
        await this.#datapath.ensureEndpoint(network.id, localEndpoint(endpoint));
    });
  }

  async createEndpoint(
    request: CreateEndpointRequest,
    { signal }: CallContext,
  ): Promise<{ readonly mac?: Mac }> {
    assertNoEndpointOptions(request.options);
    await this.#assertNameSettled(request.networkId, signal);
    return this.#mutex.run(request.networkId, async () => {
      const binding = this.#bindingOf(request.networkId);
      const now = (this.#deps.clock ?? Date.now)();
      const endpoint = bindingOf(request, binding.network, now);
      const before = this.#bindings.endpoint(request.networkId, request.endpointId);
      if (!before) await this.#attach(endpoint, binding, signal);
      return request.mac === undefined ? { mac: before?.mac ?? endpoint.mac } : {};
    });
  }

  async deleteEndpoint(
    networkId: string,
    endpointId: string,
    _context: CallContext,
  ): Promise<void> {
    await this.#mutex.run(networkId, async () => {
      const binding = this.#bindings.network(networkId);
      if (binding) await this.#detach(binding, endpointId);
    });
  }

  async join(request: JoinRequest, _context: CallContext): Promise<JoinResult> {
    const { networkId, result } = await this.#joined(request);
    // Begun by CreateEndpoint: a container starts when other hosts can know of it.
    await this.#membership.settled(networkId);
    return result;
  }

  async #joined(
    request: JoinRequest,
  ): Promise<{ readonly networkId: string; readonly result: JoinResult }> {
    return this.#mutex.run(request.networkId, async () => {
      const binding = this.#bindingOf(request.networkId);
      const endpoint = this.#bindings.endpoint(request.networkId, request.endpointId);
      if (!endpoint) {
        throw new DriverError(
          { code: 'UNKNOWN_ENDPOINT', endpoint: request.endpointId },
          `endpoint ${request.endpointId.slice(0, 12)} was not created on this host; start the container again`,
        );
      }
      const { linkName } = await this.#datapath.ensureEndpoint(
        binding.network.id,
        localEndpoint(endpoint),
      );
      const result = { linkName, linkPrefix: LINK_PREFIX };
      return { networkId: binding.network.id, result };
    });
  }

  /** Docker takes the link out of the container itself; DeleteEndpoint follows and removes it. */
  async leave(_networkId: string, _endpointId: string, _context: CallContext): Promise<void> {}

  async #attach(
    endpoint: EndpointBinding,
    { network }: NetworkBinding,
    signal: AbortSignal,
  ): Promise<void> {
    try {
      this.#assertMacFree(endpoint, network.id);
      await this.#membership.arrive(network.id, endpoint, async () => {
        await this.#datapath.ensureEndpoint(network.id, localEndpoint(endpoint));
        await this.#record(endpoint, network, signal);
      });
    } catch (error) {
      await this.#detachAddresses(endpoint);
      throw error;
    }
  }

  async #record(
    endpoint: EndpointBinding,
    network: NetworkDocument,
    signal: AbortSignal,
  ): Promise<void> {
    try {
      // The caller has gone: Docker will not send DeleteEndpoint for what it never heard of.
      signal.throwIfAborted();
      await this.#bindings.addEndpoint(endpoint);
      for (const { poolId, address } of endpoint.addresses) {
        await this.#deps.addresses.attach(poolId, address, endpoint.id);
      }
      // Whoever had its address before is forgotten before it sends.
      await this.#deps.policing.settle(network.id);
    } catch (error) {
      await this.#bindings.removeEndpoint(endpoint.dockerId, endpoint.id);
      await this.#datapath.deleteEndpoint(network.id, endpoint.id);
      throw error;
    }
  }

  async #detach({ dockerId, network }: NetworkBinding, endpointId: string): Promise<void> {
    const endpoint = this.#bindings.endpoint(dockerId, endpointId);
    await this.#datapath.deleteEndpoint(network.id, endpointId);
    if (!endpoint) return;
    await this.#bindings.removeEndpoint(dockerId, endpointId);
    this.#deps.policing.touch(network.id);
    await this.#detachAddresses(endpoint);
    // Nobody waits for it: the address rests before another container gets it.
    this.#membership.publishLater(network.id);
  }

  async #detachAddresses({ addresses, id }: EndpointBinding): Promise<void> {
    for (const { poolId, address } of addresses) {
      await this.#deps.addresses.detach(poolId, address, id);
    }
  }

  async #dropNetwork(dockerId: string, how: Leaving): Promise<void> {
    await this.#mutex.run(dockerId, async () => {
      const binding = this.#bindings.network(dockerId);
      if (binding) await this.#remove(dockerId, binding.network.id, how);
    });
  }

  async #remove(dockerId: string, networkId: string, how: Leaving): Promise<void> {
    this.#unconfirmed.delete(dockerId);
    await this.#membership.unfollow(networkId);
    this.#deps.policing.forget(networkId);
    await this.#datapath.deleteNetwork(networkId);
    await this.#bindings.removeNetwork(dockerId, how);
    await this.#membership.publish(networkId);
  }

  /**
   * A network has its first container only after it has its name: so that, of two that were made under one name at the same moment,
   * the one that goes is empty. Throws NETWORK_REPLACED.
   */
  async #assertNameSettled(dockerId: string, signal: AbortSignal): Promise<void> {
    const { network, isGuess = false } = this.#bindings.network(dockerId) ?? {};
    const isOpen = isGuess || this.#unconfirmed.has(dockerId);
    if (!network || (network.name !== undefined && !isOpen)) return;
    const docker = await this.#deps.askDocker?.(dockerId, signal);
    if (!docker && isGuess) throw unconfirmed(network);
    if (!docker) return;
    if (isOpen) {
      assertMeant(network, docker);
      await this.#confirm(dockerId);
      return;
    }
    if ((await this.announceNetwork(dockerId, docker)) !== 'name-taken') return;
    throw new DriverError(
      { code: 'NETWORK_REPLACED', network: docker.name },
      `the cluster has another network "${docker.name}", which takes the place of this one in a moment; try again`,
    );
  }

  /** Whoever makes one again that was removed here may mean another: Docker's request has no name. */
  #isGuess({ id, docker }: NetworkDocument): boolean {
    if (this.#deps.isDockerThere?.() !== true) return false;
    return docker !== undefined && this.#bindings.shunned().has(id);
  }

  async #confirm(dockerId: string): Promise<void> {
    this.#unconfirmed.delete(dockerId);
    const { isGuess, ...certain } = this.#bindings.network(dockerId) ?? {};
    if (isGuess && 'network' in certain) await this.#bindings.addNetwork(certain as NetworkBinding);
  }

  #specOf(network: NetworkDocument): NetworkSpec {
    return { id: network.id, vni: network.vni, mtu: network.mtu ?? this.#deps.overlayMtu() };
  }

  #assertNotHereYet({ id, name }: NetworkDocument): void {
    const other = this.#bindings.byNetworkId(id);
    if (!other) return;
    throw new DriverError(
      { code: 'NETWORK_MISMATCH', network: name ?? id },
      `network "${name ?? id}" is on this host already, as ${other.dockerId.slice(0, 12)}`,
    );
  }

  #bindingOf(dockerId: string): NetworkBinding {
    const binding = this.#bindings.network(dockerId);
    if (binding) return binding;
    throw unknownNetwork(dockerId);
  }

  #assertMacFree({ mac, dockerId, id }: EndpointBinding, networkId: string): void {
    if (!isUnicastMac(mac)) {
      throw new DriverError(
        { code: 'INVALID_MAC', mac },
        `${mac} can't be a container's: it is a group address`,
      );
    }
    const here = this.#bindings.endpoints(dockerId).some((e) => e.mac === mac && e.id !== id);
    const host = here ? 'this host' : this.#deps.ownerOfMac(networkId, mac);
    if (host === undefined) return;
    throw new DriverError(
      { code: 'MAC_TAKEN', mac, host },
      `MAC address ${mac} is in use on this network by a container on ${host}; choose another --mac-address`,
    );
  }
}
