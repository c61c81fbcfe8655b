/**
 * What iproute2 says, and what we say for the same.
 *
 * The octets on iproute2's side are in test/fixtures/netlink/NAME.hex, captured by
 * test/kernel/netlink/capture-golden.ts in a namespace of its own, after the setup commands: so ifindexes are known.
 */
import { type Address, type Mac, type Prefix, type Vni } from '../../../src/net/index.js';
import {
  FLOOD_MAC,
  type Message,
  addAddress,
  addAltName,
  addFdb,
  addRoute,
  appendFdb,
  deleteAddress,
  deleteAltName,
  deleteFdb,
  deleteLink,
  deleteNeighbor,
  deleteRoute,
  newLink,
  renameLink,
  replaceAddress,
  replaceFdb,
  replaceNeighbor,
  replaceRoute,
  setLink,
} from '../../../src/netlink/index.js';

export interface GoldenCase {
  readonly name: string;
  /** NETNS stands for the namespace it runs in. */
  readonly command: string;
  readonly message: Message;
}

/** Makes br0 with ifindex 2, vxlan0 with 3, v1 with 4, v0 with 5. */
export const setup = [
  'ip link add br0 type bridge',
  'ip link add vxlan0 type vxlan id 42 local 10.1.1.1 dstport 4789 nolearning',
  'ip link add v0 type veth peer name v1',
  'ip link set vxlan0 master br0',
  'ip link set v0 master br0',
  'ip link set br0 up',
  'ip link set vxlan0 up',
  'ip link set v0 up',
  'ip link set v1 up',
  'ip addr add 10.9.0.1/24 dev v1',
  'ip addr add fd09::1/64 dev v1 nodad',
];
const BR0 = 2;
const VXLAN0 = 3;
const V1 = 4;
const V0 = 5;

const address = (text: string) => text as Address;
const prefix = (text: string) => text as Prefix;
const mac = (text: string) => text as Mac;

const row = {
  ifindex: VXLAN0,
  mac: mac('02:42:0a:00:00:02'),
  owner: 'self',
  state: 'permanent',
  dst: address('10.1.1.2'),
} as const;
const neighbor = {
  ifindex: BR0,
  address: address('10.0.0.2'),
  mac: mac('02:42:0a:00:00:02'),
  state: 'permanent',
} as const;

export const cases: readonly GoldenCase[] = [
  {
    name: 'link-add-bridge',
    command:
      'ip link add b9 up mtu 1450 type bridge mcast_snooping 0 ageing_time 0 vlan_filtering 1',
    message: newLink({
      name: 'b9',
      isUp: true,
      mtu: 1450,
      kind: { type: 'bridge', multicastSnooping: false, ageingTimeCs: 0, vlanFiltering: true },
    }),
  },
  {
    name: 'link-add-veth',
    command:
      'ip link add w0 mtu 1450 group 7 txqueuelen 500 type veth peer name w1 mtu 1400 address 02:42:0a:00:00:09',
    message: newLink({
      name: 'w0',
      mtu: 1450,
      group: 7,
      txQueueLength: 500,
      kind: { type: 'veth', peer: { name: 'w1', mtu: 1400, mac: mac('02:42:0a:00:00:09') } },
    }),
  },
  {
    name: 'link-add-vxlan',
    command:
      'ip link add x9 mtu 1450 type vxlan id 4242 local 10.1.1.1 dev v1 dstport 4789 srcport 1000 2000 nolearning udpcsum ttl 64 tos 4 df set l2miss l3miss proxy rsc ageing 100 maxaddress 10',
    message: newLink({
      name: 'x9',
      mtu: 1450,
      kind: {
        type: 'vxlan',
        vni: 4242 as Vni,
        local: address('10.1.1.1'),
        underlay: V1,
        port: 4789,
        sourcePorts: { low: 1000, high: 2000 },
        learning: false,
        udpChecksum: true,
        ttl: 64,
        tos: 4,
        df: 1,
        l2Miss: true,
        l3Miss: true,
        proxy: true,
        routeShortCircuit: true,
        ageingSec: 100,
        maxEntries: 10,
      },
    }),
  },
  {
    name: 'link-add-vxlan6',
    command:
      'ip link add x9 type vxlan id 1 local fd00::1 remote fd00::2 dstport 4789 noudp6zerocsumtx udp6zerocsumrx ttl inherit flowlabel 0x12345 gbp',
    message: newLink({
      name: 'x9',
      kind: {
        type: 'vxlan',
        vni: 1 as Vni,
        local: address('fd00::1'),
        group: address('fd00::2'),
        port: 4789,
        learning: true,
        udpZeroChecksum6Tx: false,
        udpZeroChecksum6Rx: true,
        ttlInherit: true,
        flowLabel: 0x12345,
        groupPolicy: true,
      },
    }),
  },
  { name: 'link-up', command: 'ip link set v0 up', message: setLink(V0, { isUp: true }) },
  { name: 'link-down', command: 'ip link set v0 down', message: setLink(V0, { isUp: false }) },
  {
    name: 'link-promisc',
    command: 'ip link set v0 promisc on',
    message: setLink(V0, { isPromiscuous: true }),
  },
  {
    name: 'link-master',
    command: 'ip link set v1 master br0',
    message: setLink(V1, { master: BR0 }),
  },
  {
    name: 'link-nomaster',
    command: 'ip link set v0 nomaster',
    message: setLink(V0, { master: 0 }),
  },
  {
    name: 'link-set',
    command: 'ip link set v1 alias weft:1 mtu 1400 address 02:42:0a:00:00:08 txqueuelen 9 group 5',
    message: setLink(V1, {
      alias: 'weft:1',
      mtu: 1400,
      mac: mac('02:42:0a:00:00:08'),
      txQueueLength: 9,
      group: 5,
    }),
  },
  {
    name: 'link-addrgenmode',
    command: 'ip link set v0 addrgenmode none',
    message: setLink(V0, { addrGenMode: 'none' }),
  },
  {
    name: 'link-netns',
    command: 'ip link set v1 netns NETNS',
    message: setLink(V1, { netnsFd: 4 }),
  },
  { name: 'link-rename', command: 'ip link set v1 name eth9', message: renameLink(V1, 'eth9') },
  {
    name: 'link-altname-add',
    command: 'ip link property add dev v0 altname a-longer-name-than-most',
    message: addAltName(V0, 'a-longer-name-than-most'),
  },
  {
    name: 'link-altname-del',
    command: 'ip link property del dev v0 altname a-longer-name-than-most',
    message: deleteAltName(V0, 'a-longer-name-than-most'),
  },
  { name: 'link-delete', command: 'ip link del v0', message: deleteLink(V0) },
  {
    name: 'address-add',
    command: 'ip addr add 10.0.0.1/24 broadcast 10.0.0.255 dev br0',
    message: addAddress({
      ifindex: BR0,
      address: address('10.0.0.1'),
      prefixLength: 24,
      broadcast: address('10.0.0.255'),
    }),
  },
  {
    name: 'address-peer',
    command: 'ip addr add 10.0.0.1 peer 10.0.0.9/32 scope link metric 7 dev br0',
    message: addAddress({
      ifindex: BR0,
      address: address('10.0.0.1'),
      prefixLength: 32,
      peer: address('10.0.0.9'),
      scope: 'link',
      metric: 7,
    }),
  },
  {
    name: 'address6-replace',
    command: 'ip addr replace fd00::1/64 dev br0 nodad noprefixroute',
    message: replaceAddress({
      ifindex: BR0,
      address: address('fd00::1'),
      prefixLength: 64,
      noDad: true,
      noPrefixRoute: true,
    }),
  },
  {
    name: 'address-delete',
    command: 'ip addr del 10.9.0.1/24 dev v1',
    message: deleteAddress({ ifindex: V1, address: address('10.9.0.1'), prefixLength: 24 }),
  },
  {
    name: 'route-add',
    command: 'ip route add 10.7.0.0/16 via 10.9.0.9 dev v1 src 10.9.0.1 metric 5 mtu 1300',
    message: addRoute({
      prefix: prefix('10.7.0.0/16'),
      gateway: address('10.9.0.9'),
      ifindex: V1,
      source: address('10.9.0.1'),
      metric: 5,
      mtu: 1300,
    }),
  },
  {
    name: 'route-default',
    command: 'ip route replace default via 10.9.0.9',
    message: replaceRoute({ prefix: prefix('0.0.0.0/0'), gateway: address('10.9.0.9') }),
  },
  {
    name: 'route-direct',
    command: 'ip route add 10.7.0.0/16 dev v1 table 1000 proto 99',
    message: addRoute({ prefix: prefix('10.7.0.0/16'), ifindex: V1, table: 1000, protocol: 99 }),
  },
  {
    name: 'route-multipath',
    command: 'ip route add 10.7.0.0/16 nexthop via 10.9.0.9 dev v1 weight 3 nexthop dev br0',
    message: addRoute({
      prefix: prefix('10.7.0.0/16'),
      nexthops: [
        { ifindex: V1, gateway: address('10.9.0.9'), weight: 3 },
        { ifindex: BR0, weight: 1 },
      ],
    }),
  },
  {
    name: 'route-via6',
    command: 'ip route add 10.7.0.0/16 via inet6 fd09::9 dev v1',
    message: addRoute({ prefix: prefix('10.7.0.0/16'), gateway: address('fd09::9'), ifindex: V1 }),
  },
  {
    name: 'route-blackhole',
    command: 'ip route add blackhole 10.7.0.0/16',
    message: addRoute({ prefix: prefix('10.7.0.0/16'), type: 'blackhole' }),
  },
  {
    name: 'route6-add',
    command: 'ip route add fd07::/64 via fd09::9 dev v1',
    message: addRoute({ prefix: prefix('fd07::/64'), gateway: address('fd09::9'), ifindex: V1 }),
  },
  {
    name: 'route-delete',
    command: 'ip route del 10.9.0.0/24 dev v1',
    message: deleteRoute({ prefix: prefix('10.9.0.0/24'), ifindex: V1 }),
  },
  {
    name: 'neighbor-replace',
    command: 'ip neigh replace 10.0.0.2 lladdr 02:42:0a:00:00:02 dev br0 nud permanent protocol 99',
    message: replaceNeighbor({ ...neighbor, protocol: 99 }),
  },
  {
    name: 'neighbor6-replace',
    command: 'ip neigh replace fd00::2 lladdr 02:42:0a:00:00:02 dev br0 nud permanent router',
    message: replaceNeighbor({ ...neighbor, address: address('fd00::2'), isRouter: true }),
  },
  {
    name: 'fdb-add',
    command:
      'bridge fdb add 02:42:0a:00:00:02 dev vxlan0 dst 10.1.1.2 vni 7 port 4790 via v1 self permanent',
    message: addFdb({ ...row, vni: 7, port: 4790, via: V1 }),
  },
  {
    name: 'fdb-replace',
    command: 'bridge fdb replace 02:42:0a:00:00:02 dev vxlan0 dst 10.1.1.2 self permanent',
    message: replaceFdb(row),
  },
  {
    name: 'fdb-replace-master',
    command: 'bridge fdb replace 02:42:0a:00:00:02 dev v0 master static sticky',
    message: replaceFdb({
      ifindex: V0,
      mac: row.mac,
      owner: 'master',
      state: 'static',
      isSticky: true,
    }),
  },
  {
    name: 'fdb-append-flood',
    command: 'bridge fdb append 00:00:00:00:00:00 dev vxlan0 dst fd01::2 self permanent',
    message: appendFdb({ ...row, mac: FLOOD_MAC, dst: address('fd01::2') }),
  },
  {
    name: 'fdb-delete',
    command: 'bridge fdb del 02:42:0a:00:00:02 dev v0 master dynamic extern_learn vlan 5',
    message: deleteFdb({
      ifindex: V0,
      mac: row.mac,
      owner: 'master',
      state: 'dynamic',
      isExternal: true,
      vlan: 5,
    }),
  },
  {
    name: 'neighbor-delete',
    command: 'ip neigh del 10.0.0.2 dev br0',
    message: deleteNeighbor({ ifindex: BR0, address: neighbor.address }),
  },
];
