import {
  type DockerSettings,
  type EndpointNames,
  type NetworkUser,
  type RemoteState,
  ClusterView,
  HostAnnouncer,
  Networks,
} from '../../src/cluster/index.js';
import { type Addresses, Bindings, Driver, Membership } from '../../src/driver/index.js';
import { type Mac, parseAddress } from '../../src/net/index.js';
import { EmbeddedStore, type Store } from '../../src/store/index.js';
import { Closer } from '../../src/util/index.js';
import type { Datapath } from '../../src/vxlan/index.js';

/** Keeps what it was told, in place of a kernel. */
export class RecordingDatapath implements Datapath {
  readonly networks = new Map<string, { readonly vni: number; readonly mtu: number }>();
  readonly endpoints = new Map<string, readonly string[]>();
  readonly log: string[] = [];
  fail: string | undefined;
  /** An endpoint is made once this resolves. */
  endpointsWait: Promise<void> | undefined;

  async ensureNetwork({ id, vni, mtu }: Parameters<Datapath['ensureNetwork']>[0]): Promise<void> {
    this.#step('ensureNetwork');
    this.networks.set(id, { vni, mtu });
  }

  async deleteNetwork(id: string): Promise<void> {
    this.#step('deleteNetwork');
    this.networks.delete(id);
    for (const key of this.endpoints.keys()) if (key.startsWith(id)) this.endpoints.delete(key);
  }

  async ensureEndpoint(networkId: string, endpoint: { id: string; addresses: readonly string[] }) {
    await this.endpointsWait;
    this.#step('ensureEndpoint');
    this.endpoints.set(`${networkId}/${endpoint.id}`, endpoint.addresses);
    return { linkName: `weft${endpoint.id.slice(0, 11)}` };
  }

  async deleteEndpoint(networkId: string, endpointId: string): Promise<void> {
    this.#step('deleteEndpoint');
    this.endpoints.delete(`${networkId}/${endpointId}`);
  }

  async setRemote(): Promise<void> {}
  async setRules(): Promise<void> {}
  async keepRules(): Promise<boolean> {
    return false;
  }
  async setKnownVteps(): Promise<void> {}
  async setUnderlay(): Promise<void> {}
  async reconcile() {
    return [];
  }
  async [Symbol.asyncDispose](): Promise<void> {}

  #step(name: string): void {
    this.log.push(name);
    if (this.fail === name) throw new Error(`${name} failed`);
  }
}

/** Pools by name, as ipam would tell; keeps what was detached. */
const addressesOf = (detached: string[]): Addresses => ({
  describe: async (prefixes) =>
    prefixes.map((prefix) => ({
      id: prefix.replace('/', '-'),
      ...(prefix.startsWith('10.1.') ? { network: 'web' } : {}),
    })),
  networkCreated: async () => undefined,
  networkNamed: async () => undefined,
  attach: async () => undefined,
  detach: async (_, address) => void detached.push(address),
});

export interface DriverHost extends AsyncDisposable {
  readonly driver: Driver;
  readonly datapath: RecordingDatapath;
  readonly bindings: Bindings;
  readonly networks: Networks;
  readonly view: ClusterView;
  readonly remotes: Map<string, RemoteState>;
  /** Addresses that ipam was told to be without an endpoint. */
  readonly detached: readonly string[];
  /** Networks whose last change has not reached the store. */
  pending(): string[];
  /** What Docker says of networks, by its id. */
  readonly docker: Map<string, DockerSettings>;
  /** Networks that somebody removed here. */
  readonly removed: { readonly id: string; readonly usedBy: readonly NetworkUser[] }[];
  /** Networks of which the store lost what this host wrote. */
  readonly lost: readonly string[];
}

export interface DriverHostOptions {
  readonly isDockerThere?: boolean;
  /** What Docker has said of endpoints, and whether it has of all. */
  readonly names?: ReadonlyMap<string, EndpointNames>;
  readonly areNamesKnown?: boolean;
}

/** One host's driver on the given shared store. `local` survives a restart of the host. */
export async function driverHost(
  shared: Store,
  id: string,
  local: Store = EmbeddedStore.memory(),
  { isDockerThere = true, names = new Map(), areNamesKnown = true }: DriverHostOptions = {},
): Promise<DriverHost> {
  const closer = new Closer();
  const remotes = new Map<string, RemoteState>();
  const datapath = new RecordingDatapath();
  const networks = new Networks(shared, id);
  const view = new ClusterView(shared, id, {
    onHosts: () => undefined,
    onRemote: (networkId, state) => void remotes.set(networkId, state),
    onReachable: () => undefined,
    onDamage: () => undefined,
  });
  closer.use(view);
  await view.start();
  const bindings = await Bindings.load(local, () => undefined);
  const docker = new Map<string, DockerSettings>();
  const removed: DriverHost['removed'] = [];
  const lost: string[] = [];
  const membership = new Membership({
    networks,
    view,
    bindings,
    namesOf: (endpointId) => names.get(endpointId),
    areNamesKnown: () => areNamesKnown,
    onError: () => undefined,
    onLost: (network) => void lost.push(network),
    onRemoved: (network, usedBy) => void removed.push({ id: network.id, usedBy }),
  });
  closer.use(membership);
  const number = Number.parseInt(id.replaceAll(/\D/g, ''), 10);
  const document = {
    id,
    name: id,
    vtep: parseAddress(`192.0.2.${number}`),
    mtu: 1500,
    version: '0',
    startedAt: 'now',
  };
  const announcer = new HostAnnouncer(shared, document, { onState: () => undefined });
  closer.use(announcer);
  announcer.start();
  const ownerOfMac = (networkId: string, mac: Mac): string | undefined =>
    remotes.get(networkId)?.endpoints.find((e) => e.mac === mac)?.hostName;
  const overlayMtu = (): number => 1450;
  const detached: string[] = [];
  const addresses = addressesOf(detached);
  const askDocker = async (dockerId: string) => docker.get(dockerId);
  const driver = new Driver({
    bindings,
    membership,
    datapath,
    addresses,
    policing: {
      settle: async () => undefined,
      touch: () => undefined,
      forget: () => undefined,
    },
    overlayMtu,
    ownerOfMac,
    isDockerThere: () => isDockerThere,
    askDocker,
  });
  return {
    driver,
    datapath,
    bindings,
    networks,
    view,
    remotes,
    docker,
    removed,
    lost,
    detached,
    pending: () => membership.pending(),
    [Symbol.asyncDispose]: async () => closer.close(),
  };
}
