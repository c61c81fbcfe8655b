/**
 * What contradicts what, once everything is mended. Pure: facts in, sentences out, none when all is well.
 */
import type { Facts, HostFacts, StoredEndpoints, StoredNetwork } from './facts.js';

/** The largest that weftd may be, and how many descriptors a network, a container (decisions/007) and all else may need. */
const MAX_RESIDENT_BYTES = 250e6;
const DESCRIPTORS = { base: 60, perNetwork: 12, perContainer: 6 };
const FLOOD = '00:00:00:00:00:00';

export function judge(facts: Facts): string[] {
  return [
    ...judgeStore(facts),
    ...facts.hosts.flatMap((host) => [
      ...judgeDocker(facts, host),
      ...judgeKernel(facts, host),
      ...judgeDaemon(host),
    ]),
    ...judgeReach(facts),
  ];
}

/** Nothing is given twice, and nothing belongs to nothing. */
function judgeStore({ store, hosts }: Facts): string[] {
  const { networks, endpoints, blocks, keys, setAside } = store;
  const found = [
    ...twice(
      'VNI',
      networks.map(({ vni }) => String(vni)),
    ),
    ...twice(
      'network name',
      networks.flatMap(({ name }) => name ?? []),
    ),
    ...twice('address', endpoints.flatMap(addressesOf)),
  ];
  for (const network of networks) {
    const all = endpoints.filter((document) => document.network === network.id);
    const macs = all.flatMap((document) => document.endpoints.map(({ mac }) => mac));
    found.push(...twice(`MAC on network ${network.id}`, macs));
    if (!keys.includes(`vnis/${network.vni}`)) found.push(`VNI ${network.vni} has no key`);
    if (all.length === 0) found.push(`network ${label(network)} is on no host`);
  }
  for (const host of hosts) {
    const count = store.hosts.filter(({ name }) => name === host.name).length;
    if (count !== 1) found.push(`${host.name} is announced ${count} times`);
  }
  const known = {
    vnis: networks.map(({ vni }) => String(vni)),
    names: networks.flatMap(({ name }) => name ?? []),
    endpoints: networks.map(({ id }) => id),
    pools: networks.flatMap(({ pools }) => pools.map(({ id }) => id)),
  };
  const owners = { ...known, 'pool-hosts': known.pools, blocks: known.pools };
  for (const key of keys) {
    const [kind = '', name = ''] = key.split('/');
    const owned = owners[kind as keyof typeof owners];
    if (owned && !owned.includes(name)) found.push(`key ${key} belongs to no network`);
  }
  const inUse = new Set(endpoints.flatMap(addressesOf));
  for (const { pool, taken } of blocks) {
    for (const address of taken) {
      if (inUse.has(address) || setAside[pool]?.includes(address)) continue;
      found.push(`address ${address} is taken and nobody's`);
    }
  }
  const given = new Set(blocks.flatMap(({ taken }) => taken));
  for (const address of inUse) {
    if (!given.has(address)) found.push(`address ${address} is in use and not taken`);
  }
  return found;
}

/** What Docker has on a host is what that host announces. */
function judgeDocker({ store }: Facts, host: HostFacts): string[] {
  const id = store.hosts.find(({ name }) => name === host.name)?.id;
  const found: string[] = [];
  const named = new Map(store.networks.map((network) => [network.name, network]));
  for (const name of host.docker.networks) {
    if (!named.has(name))
      found.push(`Docker on ${host.name} has network ${name}, the store has not`);
  }
  for (const network of store.networks) {
    const stored = store.endpoints.find((e) => e.network === network.id && e.host === id);
    const has = network.name !== undefined && host.docker.networks.includes(network.name);
    if (has !== (stored !== undefined)) {
      const [one, other] = has ? ['Docker', 'the store'] : ['the store', 'Docker'];
      found.push(`${label(network)} is on ${host.name} in ${one}, not in ${other}`);
    }
    const live = host.docker.containers.flatMap(({ name, networks }) =>
      networks.filter((n) => n.name === network.name).map((n) => ({ container: name, ...n })),
    );
    const announced = stored?.endpoints ?? [];
    for (const { container, endpointId, address, mac } of live) {
      const match = announced.find((endpoint) => endpoint.id === endpointId);
      const where = `${container} on ${host.name}, ${label(network)}`;
      if (!match) found.push(`${where}: not announced`);
      else if (match.mac !== mac || !match.addresses.some((a) => a.startsWith(`${address}/`))) {
        found.push(
          `${where}: announced as ${match.mac} ${match.addresses.join()}, is ${mac} ${address}`,
        );
      }
    }
    for (const { id: endpoint, addresses } of announced) {
      if (live.some(({ endpointId }) => endpointId === endpoint)) continue;
      found.push(
        `${host.name} announces ${addresses.join()} on ${label(network)}, which no container has`,
      );
    }
  }
  return found;
}

/** What the kernel has is what the store says that it should. */
function judgeKernel({ store }: Facts, host: HostFacts): string[] {
  const self = store.hosts.find(({ name }) => name === host.name);
  const found: string[] = [];
  const say = (what: string): void => void found.push(`kernel of ${host.name}: ${what}`);
  const vtepOf = new Map(store.hosts.map(({ id, vtep }) => [id, vtep]));
  const own = new Set(
    store.endpoints.filter((e) => e.host === self?.id).map(({ network }) => network),
  );
  for (const { id } of host.kernel.networks)
    if (!own.has(id)) say(`namespace of ${id} is left over`);
  for (const link of host.kernel.strayLinks) say(`link ${link} is in no container`);
  const others = store.hosts.filter(({ id }) => id !== self?.id).map(({ vtep }) => vtep);
  if (own.size > 0) say2(difference('known hosts', host.kernel.guardVteps, others));
  for (const networkId of own) {
    const spec = store.networks.find(({ id }) => id === networkId);
    const kernel = host.kernel.networks.find(({ id }) => id === networkId);
    if (!spec) continue;
    if (!kernel) {
      say(`${label(spec)} has no namespace`);
      continue;
    }
    const tunnel = kernel.links.find(({ name }) => name === 'vxlan0');
    const bridge = kernel.links.find(({ name }) => name === 'br0');
    if (!bridge?.isUp) say(`${label(spec)} has no bridge that is up`);
    if (!tunnel?.isUp || tunnel.master !== 'br0') say(`${label(spec)} has no tunnel that is up`);
    else if (tunnel.vni !== spec.vni) say(`${label(spec)} has VNI ${tunnel.vni}, not ${spec.vni}`);
    if (!kernel.hasSenderFilter) say(`${label(spec)} has no filter of senders`);
    const ports = kernel.links.filter(({ name }) => name.startsWith('port'));
    const mine = store.endpoints.filter((e) => e.network === networkId && e.host === self?.id);
    const wantedPorts = mine.flatMap((e) => e.endpoints.map(({ id }) => portOf(id)));
    say2(
      difference(
        `ports of ${label(spec)}`,
        ports.map(({ name }) => name),
        wantedPorts,
      ),
    );
    const elsewhere = store.endpoints.filter(
      (e) => e.network === networkId && e.host !== self?.id && vtepOf.has(e.host),
    );
    const rows = elsewhere.flatMap((e) => {
      const vtep = vtepOf.get(e.host)!;
      return [`${FLOOD} ${vtep}`, ...e.endpoints.map(({ mac }) => `${mac} ${vtep}`)];
    });
    say2(difference(`rows of ${label(spec)}`, kernel.rows, rows));
    const bridged = [
      ...elsewhere.flatMap((e) => e.endpoints.map(({ mac }) => `${mac} vxlan0`)),
      ...mine.flatMap((e) => e.endpoints.map(({ mac, id }) => `${mac} ${portOf(id)}`)),
    ];
    say2(difference(`forwarding of ${label(spec)}`, kernel.forwarding, bridged));
    const neighbors = [...mine, ...elsewhere].flatMap((e) =>
      e.endpoints.flatMap(({ mac, addresses }) =>
        addresses.map((address) => `${address.split('/')[0]} ${mac}`),
      ),
    );
    say2(difference(`neighbors of ${label(spec)}`, kernel.neighbors, neighbors));
  }
  return found;

  function say2(texts: readonly string[]): void {
    for (const text of texts) say(text);
  }
}

function judgeDaemon({ name, daemon, docker, kernel }: HostFacts): string[] {
  const found = daemon.degraded.map((text) => `weftd on ${name} is degraded: ${text}`);
  const { base, perNetwork, perContainer } = DESCRIPTORS;
  const most = base + perNetwork * kernel.networks.length + perContainer * docker.containers.length;
  if (daemon.descriptors > most) {
    found.push(`weftd on ${name} has ${daemon.descriptors} descriptors, more than ${most}`);
  }
  if (daemon.residentBytes > MAX_RESIDENT_BYTES) {
    found.push(`weftd on ${name} uses ${Math.round(daemon.residentBytes / 1e6)} MB`);
  }
  return found;
}

/** Every live container reaches every other on its networks, and none elsewhere. */
function judgeReach({ hosts, probes, round }: Facts): string[] {
  const found: string[] = [];
  const containers = hosts.flatMap(({ docker }) => docker.containers);
  for (const from of containers) {
    const probe = probes.find(({ name }) => name === from.name);
    if (!probe || probe.round !== round) {
      found.push(`the prober in ${from.name} does not report`);
      continue;
    }
    const own = new Set(from.networks.map(({ name }) => name));
    const reachable = new Set<string>();
    for (const to of containers) {
      for (const { name: network, address } of to.networks) {
        if (to.name === from.name || !own.has(network)) continue;
        reachable.add(address);
        const answered = probe.reach[address];
        if (answered === to.name) continue;
        const instead = answered === undefined ? '' : `; ${answered} answers instead`;
        found.push(`${from.name} does not reach ${to.name} at ${address} on ${network}${instead}`);
      }
    }
    const self = new Set(from.networks.map(({ address }) => address));
    for (const [address, who] of Object.entries(probe.reach)) {
      if (self.has(address) || reachable.has(address)) continue;
      found.push(`${from.name} reaches ${who} at ${address}, with which it shares no network`);
    }
  }
  return found;
}

/** What docker told a user of a failure must be a sentence: ours, or Docker's own about a plugin or an engine that is away. */
export function judgeWords(said: string): string | undefined {
  if (said === '') return 'nothing was said';
  if (/undefined|\[object |TypeError|RangeError|ReferenceError|\bat .*\.js:\d+/.test(said)) {
    return 'it shows our insides';
  }
  const ours = /(?:NetworkDriver|IpamDriver)\.\w+: (.*)/.exec(said)?.[1];
  if (ours === undefined) return undefined;
  return /^[A-Z_]+: \S+ \S+ \S+/.test(ours) ? undefined : 'it is no code with a sentence';
}

const addressesOf = ({ endpoints }: StoredEndpoints): string[] =>
  endpoints.flatMap(({ addresses }) => addresses.map((address) => address.split('/')[0]!));

const portOf = (endpointId: string): string => `port${endpointId.slice(0, 11)}`;

const label = ({ name, id }: StoredNetwork): string => `network ${name ?? id}`;

function twice(what: string, values: readonly string[]): string[] {
  const repeated = values.filter((value, i) => values.indexOf(value) !== i);
  return [...new Set(repeated)].map((value) => `${what} ${value} is there twice`);
}

function difference(what: string, is: readonly string[], wanted: readonly string[]): string[] {
  const missing = wanted.filter((each) => !is.includes(each));
  const extra = is.filter((each) => !wanted.includes(each));
  return [
    ...(missing.length > 0 ? [`${what} lack ${[...new Set(missing)].join(', ')}`] : []),
    ...(extra.length > 0 ? [`${what} have ${[...new Set(extra)].join(', ')} too many`] : []),
  ];
}
