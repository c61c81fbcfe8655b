/** Our values in the words of `ip -j -d` and `bridge -j -d`, to compare with what these say of the same kernel state. */
import {
  type BridgeOptions,
  type BridgePortOptions,
  type Link,
  type Neighbor,
  type ObservedFdbEntry,
  type ObservedLinkAddress,
  type ObservedRoute,
  type VxlanOptions,
} from '../../../src/netlink/index.js';

/** Name of a link by ifindex. */
export type Names = ReadonlyMap<number, string>;

export const namesOf = (links: readonly Link[]): Names =>
  new Map(links.map((l) => [l.ifindex, l.name]));

const nameOf = (names: Names, ifindex: number | undefined) =>
  ifindex === undefined ? undefined : names.get(ifindex);

/** iproute2 leaves out what is off or zero. */
const ifSet = <T>(value: T): T | undefined => (value ? value : undefined);

const dfs = ['unset', 'set', 'inherit'];

function isMulticast(address: string): boolean {
  return address.startsWith('ff') || /^2(2[4-9]|3\d)\./.test(address);
}

function vxlanAsIp(v: VxlanOptions, names: Names) {
  const remote = v.group && (isMulticast(v.group) ? 'group' : 'remote');
  const six = (address: string | undefined) => (address?.includes(':') ? '6' : '');
  const ports = v.sourcePorts;
  return {
    id: v.vni,
    ...(v.local && { [`local${six(v.local)}`]: v.local }),
    ...(remote && { [`${remote}${six(v.group)}`]: v.group }),
    link: ifSet(nameOf(names, v.underlay)),
    port: v.port,
    ...(ports?.low && { port_range: ports }),
    learning: v.learning,
    ttl: v.ttlInherit === true ? undefined : v.ttl,
    tos: v.tos ? `0x${v.tos.toString(16)}` : undefined,
    df: dfs[v.df ?? 0],
    label: v.flowLabel ? `0x${v.flowLabel.toString(16)}` : undefined,
    proxy: ifSet(v.proxy),
    rsc: ifSet(v.routeShortCircuit),
    l2miss: ifSet(v.l2Miss),
    l3miss: ifSet(v.l3Miss),
    ageing: ifSet(v.ageingSec),
    limit: ifSet(v.maxEntries),
    udp_csum: v.udpChecksum,
    udp_zero_csum6_tx: v.udpZeroChecksum6Tx,
    udp_zero_csum6_rx: v.udpZeroChecksum6Rx,
    remcsum_tx: ifSet(v.remoteChecksumTx),
    remcsum_rx: ifSet(v.remoteChecksumRx),
    gbp: v.groupPolicy,
    gpe: v.genericProtocol,
    external: ifSet(v.collectMetadata),
  };
}

function bridgeAsIp(b: BridgeOptions) {
  return {
    forward_delay: b.forwardDelayCs,
    hello_time: b.helloTimeCs,
    max_age: b.maxAgeCs,
    ageing_time: b.ageingTimeCs,
    stp_state: b.stpState,
    priority: b.priority,
    vlan_filtering: Number(b.vlanFiltering),
    mcast_snooping: Number(b.multicastSnooping),
    mcast_querier: Number(b.multicastQuerier),
    mcast_hash_max: b.multicastHashMax,
    mcast_query_intvl: Number(b.multicastQueryIntervalCs),
    group_addr: b.groupAddress,
    nf_call_iptables: Number(b.nfCallIptables),
  };
}

function infoAsIp({ kind }: Link, names: Names) {
  if (kind?.type === 'vxlan') return vxlanAsIp(kind, names);
  return kind?.type === 'bridge' ? bridgeAsIp(kind) : undefined;
}

export function portAsIp(port: BridgePortOptions) {
  return {
    priority: port.priority,
    cost: port.cost,
    hairpin: port.hairpin,
    guard: port.bpduGuard,
    root_block: port.rootBlock,
    fastleave: port.fastLeave,
    learning: port.learning,
    flood: port.unicastFlood,
    mcast_flood: port.multicastFlood,
    bcast_flood: port.broadcastFlood,
    mcast_to_unicast: port.multicastToUnicast,
    neigh_suppress: port.neighSuppress,
    vlan_tunnel: port.vlanTunnel,
    isolated: port.isolated,
    locked: port.locked,
  };
}

const addrGenModes = {
  eui64: 'eui64',
  none: 'none',
  stablePrivacy: 'stable_secret',
  random: 'random',
} as const;

export function linkAsIp(link: Link, names: Names) {
  const { kind, port } = link;
  const data = infoAsIp(link, names);
  return {
    ifindex: link.ifindex,
    ifname: link.name,
    ...(link.altNames.length > 0 && { altnames: link.altNames }),
    ifalias: link.alias,
    mtu: link.mtu,
    address: link.mac,
    operstate: link.operState.toUpperCase(),
    group: link.group === 0 ? 'default' : String(link.group),
    txqlen: link.txQueueLength,
    master: nameOf(names, link.master),
    inet6_addr_gen_mode: link.addrGenMode && addrGenModes[link.addrGenMode],
    linkinfo:
      kind || port
        ? {
            info_kind: kind?.type === 'other' ? kind.name : kind?.type,
            ...(data && { info_data: data }),
            ...(port && { info_slave_kind: 'bridge', info_slave_data: portAsIp(port) }),
          }
        : undefined,
  };
}

export function fdbAsBridge(entry: ObservedFdbEntry, names: Names) {
  return {
    mac: entry.mac,
    ifname: nameOf(names, entry.ifindex),
    dst: entry.dst,
    port: entry.port,
    vni: entry.vni,
    viaIf: nameOf(names, entry.via),
    vlan: entry.vlan,
    master: nameOf(names, entry.master),
    flags: [
      ...(entry.owner === 'self' ? ['self'] : []),
      ...(entry.isExternal === true ? ['extern_learn'] : []),
      ...(entry.isSticky === true ? ['sticky'] : []),
    ],
    state: entry.state === 'dynamic' ? '' : entry.state,
  };
}

export function neighborAsIp(neighbor: Neighbor, names: Names) {
  return {
    dst: neighbor.address,
    dev: nameOf(names, neighbor.ifindex),
    lladdr: neighbor.mac,
    state: [neighbor.state.toUpperCase()],
    router: neighbor.isRouter === true ? null : undefined,
  };
}

export function routeAsIp(route: ObservedRoute, names: Names) {
  const tables = new Map([
    [254, 'main'],
    [255, 'local'],
  ]);
  const protocols = new Map([
    [2, 'kernel'],
    [3, 'boot'],
    [4, 'static'],
    [99, 'openr'],
  ]);
  const prefix = route.prefix.replace(/\/(32|128)$/, '').replace(/^(0\.0\.0\.0|::)\/0$/, 'default');
  const gateway = route.gateway;
  const isSame = gateway?.includes(':') === route.prefix.includes(':');
  return {
    type: route.type,
    dst: prefix,
    ...(gateway && (isSame ? { gateway } : { via: { family: 'inet6', host: gateway } })),
    dev: nameOf(names, route.ifindex),
    table: tables.get(route.table) ?? String(route.table),
    protocol: protocols.get(route.protocol) ?? String(route.protocol),
    prefsrc: route.source,
    metric: route.metric,
    ...(route.mtu !== undefined && { metrics: [{ mtu: route.mtu }] }),
    ...(route.nexthops && {
      nexthops: route.nexthops.map((hop) => ({
        dev: nameOf(names, hop.ifindex),
        weight: hop.weight,
        flags: [],
        ...(hop.gateway && { gateway: hop.gateway }),
      })),
    }),
  };
}

export function addressAsIp(address: ObservedLinkAddress) {
  const { peer } = address;
  return {
    family: address.address.includes(':') ? 'inet6' : 'inet',
    local: address.address,
    prefixlen: address.prefixLength,
    broadcast: address.broadcast,
    scope: address.scope,
    label: address.label,
    address: peer,
    metric: address.metric,
    nodad: address.noDad === true ? true : undefined,
    noprefixroute: address.noPrefixRoute === true ? true : undefined,
    tentative: address.isTentative ? true : undefined,
  };
}
