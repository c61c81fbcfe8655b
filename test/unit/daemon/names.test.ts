import test from 'ava';
import type { EndpointNames, EndpointsDocument, HostDocument } from '../../../src/cluster/index.js';
import type { Placement } from '../../../src/daemon/containers.js';
import { Names } from '../../../src/daemon/names.js';
import type { Sandbox, Upstream } from '../../../src/dns/index.js';
import { TYPE } from '../../../src/dns/wire/index.js';
import { type Share, Zone } from '../../../src/dns/zone/index.js';
import { Bindings } from '../../../src/driver/index.js';
import { parseAddress, parseMac, parsePrefix, parseVni } from '../../../src/net/index.js';
import { EmbeddedStore } from '../../../src/store/index.js';

const WEB = '0123456789ab';
const MAC = parseMac('02:42:0a:01:00:05');

const dnsOf = (name: string): EndpointNames => ({ container: '1'.repeat(12), names: [name] });

const standard: Upstream = { address: parseAddress('10.0.0.53'), port: 53 };

/** A zone in place of the thread, with what shall be served. */
class FakeServer {
  readonly zone = new Zone({ ttlSec: 5, localFirst: false });
  readonly sandboxes = new Map<string, readonly string[]>();
  readonly upstreams = new Map<string, readonly Upstream[]>();
  told = 0;
  /** What came or changed, and what went. */
  readonly parts: (readonly [readonly string[], readonly string[]])[] = [];

  setShare(share: Share): void {
    this.told += 1;
    this.zone.setShare(share);
  }
  changeShare(share: Share, gone: readonly string[]): void {
    this.parts.push([share.endpoints.map(({ id }) => id), gone]);
    this.zone.changeShare(share, gone);
  }
  deleteShare(network: string, host: string): void {
    this.zone.deleteShare(network, host);
  }
  keepHosts(network: string, hosts: readonly string[]): void {
    this.zone.keepHosts(network, new Set(hosts));
  }
  keep(networks: readonly string[]): void {
    this.zone.keepNetworks(new Set(networks));
  }
  setHosts(hosts: Parameters<Zone['setHosts']>[0]): void {
    this.zone.setHosts(hosts);
  }
  async serve({ path, networks, upstreams = [] }: Sandbox): Promise<void> {
    this.sandboxes.set(path, networks);
    this.upstreams.set(path, upstreams);
  }
  served(): string[] {
    return [...this.sandboxes.keys()];
  }
  leave(path: string): void {
    this.sandboxes.delete(path);
  }
}

const hostOf = (id: string): HostDocument => {
  const vtep = parseAddress('192.168.0.1');
  return { id, name: id, vtep, mtu: 1500, version: '1', startedAt: 't' };
};

async function setUp() {
  const bindings = await Bindings.load(EmbeddedStore.memory(), () => undefined);
  const bind = async (dockerId: string, id: string, internal = false): Promise<void> => {
    const pools = [{ id: 'p', prefix: parsePrefix('10.1.0.0/24') }];
    const rest = { internal, pools, createdBy: 'h', createdAt: 't' };
    const network = { id, name: dockerId, vni: parseVni(5), ...rest };
    await bindings.addNetwork({ v: 1, dockerId, network });
  };
  const attach = async (id: string, last: number, dockerId = 'web', since = 0): Promise<void> => {
    const address = parseAddress(`10.1.0.${last}`);
    const addresses = [{ address, prefixLength: 24, poolId: 'p' }];
    await bindings.addEndpoint({ v: 1, id, dockerId, mac: MAC, addresses, since });
  };
  await bind('web', WEB);
  const server = new FakeServer();
  const world = {
    called: new Map<string, EndpointNames>(),
    placements: [] as Placement[],
    alive: ['h1', 'h2'],
    isCompared: true,
    documents: [] as EndpointsDocument[],
  };
  const standardUpstreams = [standard];
  const names = new Names({
    hostId: 'h1',
    server,
    bindings,
    view: { hosts: () => world.alive.map(hostOf), endpoints: () => world.documents },
    containers: {
      names: (id) => world.called.get(id),
      placements: () => world.placements,
      get isCompared() {
        return world.isCompared;
      },
    },
    upstreams: standardUpstreams,
  });
  const ask = (name: string): string => {
    const reply = server.zone.answer({ name, type: TYPE.A }, [WEB]);
    return (reply?.answers ?? []).map((r) => ('address' in r ? r.address : '')).join(' ');
  };
  return { bindings, bind, attach, server, world, names, ask, standardUpstreams };
}

function documentOf(host: string, name: string, last: number): EndpointsDocument {
  const addresses = [{ address: parseAddress(`10.1.0.${last}`), prefixLength: 24 }];
  return {
    network: WEB,
    host,
    endpoints: [{ id: `${last}`, mac: MAC, addresses, dns: dnsOf(name) }],
  };
}

test('names > a container here is found by its name and id from when Docker told it until it is detached', async (t) => {
  const { bindings, attach, world, names, ask } = await setUp();
  await attach('ep1', 5);
  names.tellLocal('web');
  t.is(ask('api'), '');
  world.called.set('ep1', dnsOf('api'));
  names.tellLocal('web');
  t.is(ask('api'), '10.1.0.5');
  t.is(ask('111111111111'), '10.1.0.5');
  await bindings.removeEndpoint('web', 'ep1');
  names.tellLocal('web');
  t.is(ask('api'), '');
});

test('names > with each change the server is told what changed, and all of it after it forgot', async (t) => {
  const { bindings, attach, server, world, names, ask } = await setUp();
  for (const last of [5, 6, 7]) {
    await attach(`ep${last}`, last);
    world.called.set(`ep${last}`, { ...dnsOf(`c${last}`), container: `${last}`.repeat(12) });
  }
  names.tellLocal('web');
  names.tellLocal('web');
  t.deepEqual([server.told, server.parts], [1, []]);
  world.called.set('ep6', { container: '6'.repeat(12), names: ['other'] });
  await bindings.removeEndpoint('web', 'ep7');
  names.tellLocal('web');
  t.deepEqual(server.parts, [[['666666666666'], ['777777777777']]]);
  t.deepEqual(['c5', 'c6', 'other', 'c7'].map(ask), ['10.1.0.5', '', '10.1.0.6', '']);
  server.zone.deleteShare(WEB, 'h1');
  names.retell();
  t.is(server.told, 2);
  t.deepEqual(['c5', 'other', 'c7'].map(ask), ['10.1.0.5', '10.1.0.6', '']);
});

test('names > what other hosts announce is found, without a second word for what is the same', async (t) => {
  const { server, world, names, ask } = await setUp();
  world.documents = [documentOf('h2', 'db', 6), documentOf('h1', 'stale', 7)];
  names.onRemote(WEB);
  names.onRemote(WEB);
  t.is(ask('db'), '10.1.0.6');
  t.is(ask('stale'), '', 'this host knows itself better');
  t.is(server.told, 1);
  world.documents = [];
  names.onRemote(WEB);
  t.is(ask('db'), '');
});

test('names > a server that knows nothing any more is told all of it again', async (t) => {
  const { attach, server, world, names, ask } = await setUp();
  await attach('ep1', 5);
  world.called.set('ep1', dnsOf('api'));
  world.documents = [documentOf('h2', 'db', 6)];
  names.compare();
  for (const host of ['h1', 'h2']) server.zone.deleteShare(WEB, host);
  t.is(ask('api') + ask('db'), '');
  names.retell();
  t.is(ask('api'), '10.1.0.5');
  t.is(ask('db'), '10.1.0.6');
});

test('names > a host that is gone is asked for only when no other is left', async (t) => {
  const { world, names, ask } = await setUp();
  world.documents = [documentOf('h2', 'db', 6), documentOf('h3', 'db', 7)];
  names.onRemote(WEB);
  t.is(ask('db'), '10.1.0.6');
  world.alive = ['h1'];
  names.onHosts([hostOf('h1')]);
  t.is(ask('db').split(' ').length, 2);
});

test('names > a namespace is served for all its networks, and left with the last', async (t) => {
  const { bind, attach, server, names } = await setUp();
  await bind('back', 'ba9876543210');
  await attach('ep1', 5);
  await attach('ep2', 6, 'back');
  await names.join('web', 'ep1', '/netns/1');
  await names.join('back', 'ep2', '/netns/1');
  t.deepEqual(server.sandboxes.get('/netns/1'), [WEB, 'ba9876543210']);
  names.leave('ep1');
  t.deepEqual(server.sandboxes.get('/netns/1'), ['ba9876543210']);
  names.leave('ep2');
  t.is(server.sandboxes.size, 0);
});

test('names > after a restart containers that run are served again, and what no call ended is left', async (t) => {
  const { bindings, attach, server, world, names } = await setUp();
  await attach('ep1', 5);
  world.placements = [
    {
      sandboxKey: '/netns/1',
      endpoints: [{ id: 'ep1', networkId: 'web', names: dnsOf('api') }],
    },
    {
      sandboxKey: '/netns/2',
      endpoints: [{ id: 'unbound', networkId: 'web', names: dnsOf('x') }],
    },
  ];
  names.compare();
  t.deepEqual([...server.sandboxes.keys()], ['/netns/1']);
  await bindings.removeEndpoint('web', 'ep1');
  world.placements = [];
  names.compare();
  t.is(server.sandboxes.size, 0);
});

test('names > a container asks whom the settings say, or whom it says itself, from when Docker told it', async (t) => {
  const { attach, server, world, names } = await setUp();
  await attach('ep1', 5);
  await names.join('web', 'ep1', '/netns/1');
  t.deepEqual(server.upstreams.get('/netns/1'), [standard]);
  const endpoints = [{ id: 'ep1', networkId: 'web', names: dnsOf('api') }];
  const own: Upstream = { address: parseAddress('10.1.0.9'), port: 5353 };
  for (const upstreams of [[own], []]) {
    world.placements = [{ sandboxKey: '/netns/1', endpoints, upstreams }];
    names.followUpstreams();
    t.deepEqual(server.upstreams.get('/netns/1'), upstreams);
  }
  world.placements = [{ sandboxKey: '/netns/1', endpoints }];
  names.compare();
  t.deepEqual(server.upstreams.get('/netns/1'), [standard]);
});

test('names > a network that this host left is forgotten', async (t) => {
  const { bindings, attach, world, names, ask } = await setUp();
  await attach('ep1', 5);
  world.called.set('ep1', dnsOf('api'));
  world.documents = [documentOf('h2', 'db', 6)];
  names.compare();
  t.is(ask('api'), '10.1.0.5');
  t.is(ask('db'), '10.1.0.6');
  await bindings.removeNetwork('web', 'leave');
  names.compare();
  t.is(ask('api'), '');
  t.is(ask('db'), '');
});

test('names > a server that outlived the daemon keeps what is not known again yet, and loses what is no more', async (t) => {
  const { attach, server, world, names, ask } = await setUp();
  const share = (host: string, name: string, last: number): void => {
    const addresses = [parseAddress(`10.1.0.${last}`)];
    const endpoints = [{ id: name, names: [name], addresses, isHealthy: true }];
    const network = { id: WEB, name: 'web' };
    server.setShare({ network, host, isLocal: host === 'h1', isAlive: true, endpoints });
  };
  share('h1', 'api', 5);
  share('h2', 'db', 6);
  share('h3', 'old', 7);
  world.isCompared = false;
  world.alive = [];
  await attach('ep1', 5);
  names.compare();
  t.is([ask('api'), ask('db'), ask('old')].join(' '), '10.1.0.5 10.1.0.6 10.1.0.7');
  // The store is there.
  world.alive = ['h1', 'h2'];
  world.documents = [documentOf('h2', 'db', 8)];
  names.onRemote(WEB);
  t.is([ask('api'), ask('db'), ask('old')].join(' '), '10.1.0.5 10.1.0.8 ');
  // Docker has answered, and the container is called otherwise by now.
  world.isCompared = true;
  world.called.set('ep1', dnsOf('renamed'));
  names.compare();
  t.is([ask('api'), ask('renamed')].join(' '), ' 10.1.0.5');
});

test('names > a container on two networks is never served with one of them only', async (t) => {
  const { bind, attach, server, world, names } = await setUp();
  await bind('back', 'ba9876543210');
  await attach('ep1', 5);
  await attach('ep2', 6, 'back');
  const endpoints = [
    { id: 'ep1', networkId: 'web', names: dnsOf('api') },
    { id: 'ep2', networkId: 'back', names: dnsOf('api') },
  ];
  world.placements = [{ sandboxKey: '/run/docker/netns/1', endpoints }];
  const served: string[] = [];
  server.serve = async ({ networks }) => void served.push(networks.join(' '));
  names.compare();
  t.deepEqual(served, [`${WEB} ba9876543210`]);
});

test('names > after a restart a container’s networks come in the order in which it joined them', async (t) => {
  const { bind, attach, server, world, names } = await setUp();
  await bind('back', 'ba9876543210');
  await attach('ep1', 5, 'web', 2000);
  await attach('ep2', 6, 'back', 1000);
  const endpoints = [
    { id: 'ep1', networkId: 'web', names: dnsOf('api') },
    { id: 'ep2', networkId: 'back', names: dnsOf('api') },
  ];
  world.placements = [{ sandboxKey: '/netns/1', endpoints }];
  names.compare();
  t.deepEqual(server.sandboxes.get('/netns/1'), ['ba9876543210', WEB]);
});

test('names > a container that the server gave up on is tried again at each comparison while it runs', async (t) => {
  const { attach, server, world, names } = await setUp();
  await attach('ep1', 5);
  await names.join('web', 'ep1', '/netns/1');
  const endpoints = [{ id: 'ep1', networkId: 'web', names: dnsOf('api') }];
  world.placements = [{ sandboxKey: '/netns/1', endpoints }];
  for (let i = 0; i < 2; i += 1) {
    server.sandboxes.clear();
    names.compare();
    t.deepEqual(server.sandboxes.get('/netns/1'), [WEB]);
  }
  world.placements = [];
  server.sandboxes.clear();
  names.compare();
  t.is(server.sandboxes.size, 0);
});

test('names > servers on the host are no way out for a container on internal networks only', async (t) => {
  const { bind, attach, server, names, standardUpstreams } = await setUp();
  const onHost: Upstream = { address: parseAddress('127.0.0.1'), port: 8600 };
  standardUpstreams.unshift(onHost);
  await bind('inside', 'ba9876543210', true);
  await attach('ep1', 5, 'inside');
  await attach('ep2', 6);
  await names.join('inside', 'ep1', '/netns/1');
  t.deepEqual(server.upstreams.get('/netns/1'), [standard]);
  await names.join('web', 'ep2', '/netns/1');
  t.deepEqual(server.upstreams.get('/netns/1'), [onHost, standard]);
});
