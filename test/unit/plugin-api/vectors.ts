import type { Heard } from './fakes.js';

/** A request as an engine sends it, what the driver then hears, and the reply. */
export interface Vector {
  readonly name: string;
  readonly method: string;
  /** Text: exactly these octets; absent: no body. */
  readonly body?: object | string;
  readonly heard?: Heard;
  readonly reply: object;
}

const N = '5b0ae0d3c1f54f1f8d8f4a7e7d1d7a3a0c3a0d0f0e0b0a090807060504030201';
const E = 'a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8f90';
const ids = { NetworkID: N, EndpointID: E };

/** What an engine sends at CreateNetwork beside the user's options. */
const common = { networkId: N, options: {}, internal: false, ipv6: false, ipv4: true, pools: [] };

export const plugin: readonly Vector[] = [
  {
    name: 'activation names both drivers',
    method: 'Plugin.Activate',
    reply: { Implements: ['NetworkDriver', 'IpamDriver'] },
  },
  {
    name: 'a local driver that connects hosts, without GwAllocChecker (moby TestGetExtraCapabilities)',
    method: 'NetworkDriver.GetCapabilities',
    reply: { Scope: 'local', ConnectivityScope: 'global' },
  },
  {
    name: 'an argument-less call with a body all the same',
    method: 'NetworkDriver.GetCapabilities',
    body: 'null\n',
    reply: { Scope: 'local', ConnectivityScope: 'global' },
  },
];

export const networks: readonly Vector[] = [
  {
    name: 'no options and no pools at all (moby TestRemoteDriver)',
    method: 'NetworkDriver.CreateNetwork',
    body: { NetworkID: 'dummy-network', Options: {}, IPv4Data: null, IPv6Data: null },
    heard: ['createNetwork', { ...common, networkId: 'dummy-network' }],
    reply: {},
  },
  {
    name: 'as 20.10 sends `docker network create`',
    method: 'NetworkDriver.CreateNetwork',
    body: {
      NetworkID: N,
      Options: { 'com.docker.network.enable_ipv6': false, 'com.docker.network.generic': {} },
      IPv4Data: [{ AddressSpace: 'weft', Gateway: '10.10.0.1/24', Pool: '10.10.0.0/24' }],
      IPv6Data: [],
    },
    heard: [
      'createNetwork',
      {
        ...common,
        pools: [
          {
            addressSpace: 'weft',
            prefix: '10.10.0.0/24',
            gateway: { address: '10.10.0.1', prefixLength: 24 },
            auxAddresses: [],
          },
        ],
      },
    ],
    reply: {},
  },
  {
    name: 'as 28 sends it with -o, --internal, --ipv6 and auxiliary addresses',
    method: 'NetworkDriver.CreateNetwork',
    body: {
      NetworkID: N,
      Options: {
        'com.docker.network.enable_ipv4': true,
        'com.docker.network.enable_ipv6': true,
        'com.docker.network.internal': true,
        'com.docker.network.generic': { name: 'web', mtu: '1400' },
      },
      IPv4Data: [
        {
          AddressSpace: 'weft',
          AuxAddresses: { router: '10.10.0.5/24', dns: '10.10.0.6/24' },
          Pool: '10.10.0.0/24',
        },
      ],
      IPv6Data: [{ AddressSpace: 'weft', Gateway: 'FD00::1/64', Pool: 'fd00::/64' }],
    },
    heard: [
      'createNetwork',
      {
        ...common,
        options: { name: 'web', mtu: '1400' },
        internal: true,
        ipv6: true,
        pools: [
          {
            addressSpace: 'weft',
            prefix: '10.10.0.0/24',
            auxAddresses: [
              { address: '10.10.0.5', prefixLength: 24 },
              { address: '10.10.0.6', prefixLength: 24 },
            ],
          },
          {
            addressSpace: 'weft',
            prefix: 'fd00::/64',
            gateway: { address: 'fd00::1', prefixLength: 64 },
            auxAddresses: [],
          },
        ],
      },
    ],
    reply: {},
  },
  {
    name: 'the null IPAM driver (moby TestDockerNetworkNullIPAMDriver)',
    method: 'NetworkDriver.CreateNetwork',
    body: {
      NetworkID: N,
      Options: { 'com.docker.network.generic': null },
      IPv4Data: [{ AddressSpace: 'null', Gateway: '', Pool: '0.0.0.0/0', AuxAddresses: null }],
    },
    heard: [
      'createNetwork',
      { ...common, pools: [{ addressSpace: 'null', prefix: '0.0.0.0/0', auxAddresses: [] }] },
    ],
    reply: {},
  },
  {
    name: 'IPv4 switched off, from 28 on',
    method: 'NetworkDriver.CreateNetwork',
    body: { NetworkID: N, Options: { 'com.docker.network.enable_ipv4': false } },
    heard: ['createNetwork', { ...common, ipv4: false }],
    reply: {},
  },
  {
    name: 'fields of engines to come are ignored',
    method: 'NetworkDriver.CreateNetwork',
    body: { NetworkID: N, Surprise: [1], Options: { 'com.docker.network.new': { a: 1 } } },
    heard: ['createNetwork', common],
    reply: {},
  },
  {
    name: 'delete',
    method: 'NetworkDriver.DeleteNetwork',
    body: { NetworkID: 'dummy-network' },
    heard: ['deleteNetwork', 'dummy-network'],
    reply: {},
  },
];

const endpoint = { networkId: N, endpointId: E, options: {} };
const v4 = { address: '192.168.4.5', prefixLength: 16 };

export const endpoints: readonly Vector[] = [
  {
    name: 'the reply has the MAC when the request had none (moby TestRollback fails otherwise)',
    method: 'NetworkDriver.CreateEndpoint',
    body: { ...ids, Interface: { Address: '192.168.4.5/16', AddressIPv6: '', MacAddress: '' } },
    heard: ['createEndpoint', { ...endpoint, address: v4 }],
    reply: { Interface: { MacAddress: '7a:12:34:56:78:90' } },
  },
  {
    name: 'the reply sets nothing that the request had (moby TestRemoteDriver, TestMissingValues)',
    method: 'NetworkDriver.CreateEndpoint',
    body: {
      ...ids,
      Interface: {
        Address: '192.168.5.7/16',
        AddressIPv6: '2001:DB8::5:7/48',
        MacAddress: 'AB:CD:EF:EE:EE:EE',
      },
      Options: {},
    },
    heard: [
      'createEndpoint',
      {
        ...endpoint,
        address: { address: '192.168.5.7', prefixLength: 16 },
        addressV6: { address: '2001:db8::5:7', prefixLength: 48 },
        mac: 'ab:cd:ef:ee:ee:ee',
      },
    ],
    reply: { Interface: {} },
  },
  {
    name: '--mac-address arrives in base64 beside its readable form',
    method: 'NetworkDriver.CreateEndpoint',
    body: {
      ...ids,
      Interface: { Address: '192.168.4.5/16', AddressIPv6: '', MacAddress: '02:42:ac:00:00:99' },
      Options: { 'com.docker.network.endpoint.macaddress': 'AkKsAACZ' },
    },
    heard: ['createEndpoint', { ...endpoint, address: v4, mac: '02:42:ac:00:00:99' }],
    reply: { Interface: {} },
  },
  {
    name: 'a MAC in base64 alone is taken, and answered because the interface had none',
    method: 'NetworkDriver.CreateEndpoint',
    body: {
      ...ids,
      Interface: { Address: '192.168.4.5/16' },
      Options: { 'com.docker.network.endpoint.macaddress': 'AkKsAACZ' },
    },
    heard: ['createEndpoint', { ...endpoint, address: v4, mac: '02:42:ac:00:00:99' }],
    reply: { Interface: { MacAddress: '02:42:ac:00:00:99' } },
  },
  {
    name: "driver-opts are told from Docker's own keys",
    method: 'NetworkDriver.CreateEndpoint',
    body: {
      ...ids,
      Interface: { Address: '192.168.4.5/16' },
      Options: {
        'com.docker.network.endpoint.exposedports': [{ Proto: 6, Port: 80 }],
        'com.docker.network.portmap': [{ Proto: 6, IP: '', Port: 80, HostPort: 8080 }],
        'com.docker.network.endpoint.dnsservers': ['9.9.9.9'],
        'com.docker.network.endpoint.ifname': 'eth7',
        colour: 'blue',
      },
    },
    heard: ['createEndpoint', { ...endpoint, address: v4, options: { colour: 'blue' } }],
    reply: { Interface: { MacAddress: '7a:12:34:56:78:90' } },
  },
  {
    name: 'no interface at all',
    method: 'NetworkDriver.CreateEndpoint',
    body: { ...ids, Interface: null, Options: null },
    heard: ['createEndpoint', endpoint],
    reply: { Interface: { MacAddress: '7a:12:34:56:78:90' } },
  },
  {
    name: 'join names the link and no gateway',
    method: 'NetworkDriver.Join',
    body: {
      NetworkID: 'dummy-network',
      EndpointID: 'dummy-endpoint',
      SandboxKey: 'sandbox-key',
      Options: { foo: 'fooValue' },
    },
    heard: [
      'join',
      { networkId: 'dummy-network', endpointId: 'dummy-endpoint', sandboxKey: 'sandbox-key' },
    ],
    reply: { InterfaceName: { SrcName: 'vethsrc', DstPrefix: 'vethdst' } },
  },
  {
    name: 'operational info is empty',
    method: 'NetworkDriver.EndpointOperInfo',
    body: ids,
    reply: { Value: {} },
  },
  { name: 'leave', method: 'NetworkDriver.Leave', body: ids, heard: ['leave', N, E], reply: {} },
  {
    name: 'delete',
    method: 'NetworkDriver.DeleteEndpoint',
    body: ids,
    heard: ['deleteEndpoint', N, E],
    reply: {},
  },
  {
    name: 'external connectivity is nothing to do',
    method: 'NetworkDriver.ProgramExternalConnectivity',
    body: { ...ids, Options: { 'com.docker.network.portmap': [] } },
    reply: {},
  },
  {
    name: 'external connectivity is nothing to undo',
    method: 'NetworkDriver.RevokeExternalConnectivity',
    body: ids,
    reply: {},
  },
  ...['DiscoverNew', 'DiscoverDelete'].map((method) => ({
    name: "a swarm node's discovery is heard and ignored",
    method: `NetworkDriver.${method}`,
    body: {
      DiscoveryType: 1,
      DiscoveryData: { Address: '192.168.1.1', BindAddress: '', Self: true },
    },
    reply: {},
  })),
];

const pool = { addressSpace: 'white', ipv6: false, options: {} };

export const ipam: readonly Vector[] = [
  {
    name: 'no MAC and no replay are asked for (moby TestGetCapabilities)',
    method: 'IpamDriver.GetCapabilities',
    reply: { RequiresMACAddress: false, RequiresRequestReplay: false },
  },
  {
    name: 'both default address spaces are ours (moby TestGetDefaultAddressSpaces)',
    method: 'IpamDriver.GetDefaultAddressSpaces',
    reply: { LocalDefaultAddressSpace: 'weft', GlobalDefaultAddressSpace: 'weft' },
  },
  {
    name: 'any pool (moby TestRemoteDriver)',
    method: 'IpamDriver.RequestPool',
    body: { AddressSpace: 'white', Pool: '', SubPool: '', Options: null, V6: false },
    heard: ['requestPool', pool],
    reply: { PoolID: 'white/172.18.0.0/16', Pool: '172.18.0.0/16', Data: {} },
  },
  {
    name: 'a specific pool (moby TestRemoteDriver)',
    method: 'IpamDriver.RequestPool',
    body: { AddressSpace: 'white', Pool: '172.20.0.0/16', SubPool: '', Options: {}, V6: false },
    heard: ['requestPool', { ...pool, prefix: '172.20.0.0/16' }],
    reply: { PoolID: 'white/172.20.0.0/16', Pool: '172.20.0.0/16', Data: {} },
  },
  {
    name: 'a specific pool and a part of it, with options (moby TestRemoteDriver)',
    method: 'IpamDriver.RequestPool',
    body: {
      AddressSpace: 'white',
      Pool: '172.20.0.0/16',
      SubPool: '172.20.3.0/24',
      Options: { culo: 'yes' },
      V6: false,
    },
    heard: [
      'requestPool',
      { ...pool, prefix: '172.20.0.0/16', subPrefix: '172.20.3.0/24', options: { culo: 'yes' } },
    ],
    reply: { PoolID: 'white/172.20.0.0/16/172.20.3.0/24', Pool: '172.20.0.0/16', Data: {} },
  },
  {
    name: 'an IPv6 pool, spelled long',
    method: 'IpamDriver.RequestPool',
    body: { AddressSpace: 'white', Pool: 'FD00:0:0::/64', SubPool: '', Options: null, V6: true },
    heard: ['requestPool', { ...pool, prefix: 'fd00::/64', ipv6: true }],
    reply: { PoolID: 'white/fd00::/64', Pool: 'fd00::/64', Data: {} },
  },
  {
    name: 'any address (moby TestRemoteDriver)',
    method: 'IpamDriver.RequestAddress',
    body: { PoolID: 'white/172.20.0.0/16', Address: '', Options: null },
    heard: ['requestAddress', { poolId: 'white/172.20.0.0/16', gateway: false }],
    reply: { Address: '172.20.0.34/16', Data: {} },
  },
  {
    name: 'a specific address (moby TestRemoteDriver)',
    method: 'IpamDriver.RequestAddress',
    body: {
      PoolID: 'p',
      Address: '172.20.1.45',
      Options: { 'com.docker.network.ipam.serial': 'true' },
    },
    heard: ['requestAddress', { poolId: 'p', address: '172.20.1.45', gateway: false }],
    reply: { Address: '172.20.1.45/16', Data: {} },
  },
  {
    name: 'the gateway',
    method: 'IpamDriver.RequestAddress',
    body: {
      PoolID: 'p',
      Address: '',
      Options: { RequestAddressType: 'com.docker.network.gateway' },
    },
    heard: ['requestAddress', { poolId: 'p', gateway: true }],
    reply: { Address: '172.20.0.34/16', Data: {} },
  },
  {
    name: 'an address for a named container, as 29 asks',
    method: 'IpamDriver.RequestAddress',
    body: { PoolID: 'p', Address: '', Options: { 'com.docker.network.endpoint.name': 'web' } },
    heard: ['requestAddress', { poolId: 'p', gateway: false }],
    reply: { Address: '172.20.0.34/16', Data: {} },
  },
  {
    name: 'release of an address (moby TestRemoteDriver)',
    method: 'IpamDriver.ReleaseAddress',
    body: { PoolID: 'white/172.18.0.0/16', Address: '172.18.1.45' },
    heard: ['releaseAddress', 'white/172.18.0.0/16', '172.18.1.45'],
    reply: {},
  },
  {
    name: 'release of a pool (moby TestRemoteDriver)',
    method: 'IpamDriver.ReleasePool',
    body: { PoolID: 'white/172.18.0.0/16' },
    heard: ['releasePool', 'white/172.18.0.0/16'],
    reply: {},
  },
];

export const vectors: readonly Vector[] = [...plugin, ...networks, ...endpoints, ...ipam];
