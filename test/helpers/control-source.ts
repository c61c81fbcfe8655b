import type { Endpoint, Host, Network, Source, Status } from '../../src/control-api/index.js';

/** A cluster of three hosts as one of them would tell it. */
export const status: Status = {
  host: {
    id: 'h-7f3a',
    name: 'alpha',
    vtep: '192.0.2.11',
    underlayLink: 'eth0',
    mtu: 1500,
    reason: 'eth0 carries the default route; MTU 1500 of the link',
  },
  version: '0.1.0',
  startedAt: '2026-05-04T08:00:00.000Z',
  uptimeSec: 93_784.2,
  store: {
    kind: 'consul',
    address: 'http://127.0.0.1:8500',
    reachable: true,
    since: '2026-05-04T08:00:01.000Z',
  },
  docker: { reachable: true, version: '28.5.2' },
  degraded: [],
  networks: 2,
  endpoints: 3,
};

export const networks: readonly Network[] = [
  {
    id: 'c3d4e5f60718',
    name: 'web',
    vni: 4242,
    pools: ['10.192.0.0/24', 'fd77:6566:7400:1::/64'],
    mtu: 1450,
    internal: false,
    hosts: 3,
    endpoints: { local: 2, total: 5 },
    dockerNetworkId: '5b0ae0d3c1f5',
  },
  {
    id: 'a1b2c3d4e5f6',
    vni: 70_001,
    pools: ['10.192.1.0/24'],
    mtu: 1450,
    internal: true,
    hosts: 1,
    endpoints: { local: 0, total: 1 },
  },
];

export const endpoints: readonly Endpoint[] = [
  {
    id: 'e1'.padEnd(64, '0'),
    network: 'c3d4e5f60718',
    host: 'h-7f3a',
    name: 'web-1',
    mac: '02:42:0a:c0:00:02',
    addresses: ['10.192.0.2', 'fd77:6566:7400:1::2'],
    local: true,
  },
  {
    id: 'e2'.padEnd(64, '0'),
    network: 'gone',
    host: 'h-gone',
    mac: '02:42:0a:c0:01:02',
    addresses: ['10.192.1.2'],
    local: false,
  },
];

export const hosts: readonly Host[] = [
  {
    id: 'h-7f3a',
    name: 'alpha',
    vtep: '192.0.2.11',
    mtu: 1500,
    version: '0.1.0',
    live: true,
    self: true,
  },
  {
    id: 'h-91c0',
    name: 'beta.example.org',
    vtep: '192.0.2.12',
    mtu: 9000,
    version: '0.1.0',
    live: false,
    self: false,
  },
];

export function sourceOf(over: Partial<Source> = {}): Source {
  return {
    status: () => status,
    networks: () => networks,
    endpoints: () => endpoints,
    hosts: () => hosts,
    events: () => [],
    createNetwork: async ({ name }) => ({ ...networks[0]!, name }),
    removeNetwork: async () => undefined,
    removeHost: async () => undefined,
    policies: {
      list: () => [],
      apply: async () => ({
        version: 1,
        added: [],
        changed: [],
        unchanged: [],
        unknownNetworks: [],
      }),
      remove: async () => 1,
      enforced: async () => ({ version: 1, isEnforced: true, hosts: [] }),
      explain: () => {
        throw new Error('no network');
      },
      test: () => ({ items: [] }),
      log: () => [],
    },
    eventLoop: () => ({ forMs: 0, delayMs: { p50: 0, p99: 0, max: 0 } }),
    ...over,
  };
}
