import { existsSync } from 'node:fs';
import test from 'ava';
import { deleteNetns } from '../../src/netlink/index.js';
import {
  type LabHost,
  NETWORK,
  VxlanLab,
  endpoint,
  fdbOf,
  neighborsOf,
  peer,
  run,
  spec,
  until,
} from '../helpers/vxlan-lab.js';

/** All of a network that we make, as tools show it; ifindexes and counters left out. */
function stateOf(host: LabHost): string {
  const links = JSON.parse(run(host.network(), 'ip', '-j', '-d', 'link')) as Record<
    string,
    unknown
  >[];
  const shown = links.map((link) => ({
    name: link['ifname'],
    alias: link['ifalias'],
    mac: String(link['ifname']).startsWith('port') ? undefined : link['address'],
    mtu: link['mtu'],
    isUp: (link['flags'] as string[]).includes('UP'),
    master: link['master'],
    addrGenMode: link['inet6_addr_gen_mode'],
    kind: withoutTimers((link['linkinfo'] as Record<string, object>)?.['info_data']),
    port: withoutTimers((link['linkinfo'] as Record<string, object>)?.['info_slave_data']),
  }));
  shown.sort((x, y) => (String(x.name) < String(y.name) ? -1 : 1));
  return JSON.stringify([shown, fdbOf(host), neighborsOf(host)], undefined, 1);
}

/** Timers run, and ports are numbered as they come. */
function withoutTimers(data: object | undefined): object {
  const entries = Object.entries(data ?? {});
  return Object.fromEntries(entries.filter(([key]) => !/timer|port|_id|no$/.test(key)));
}

const damages = [
  { name: 'vxlan0 is deleted', by: ['ip link del vxlan0'] },
  { name: 'the bridge is deleted', by: ['ip link del br0'] },
  { name: 'both are deleted', by: ['ip link del br0', 'ip link del vxlan0'] },
  { name: 'vxlan0 is taken out of the bridge', by: ['ip link set vxlan0 nomaster'] },
  { name: 'a port is taken out of the bridge', by: ['ip link set port00000000001 nomaster'] },
  { name: 'links are set down', by: ['ip link set vxlan0 down', 'ip link set br0 down'] },
  { name: 'a port is set down', by: ['ip link set port00000000001 down'] },
  { name: "vxlan0's MAC changes (F1)", by: ['ip link set vxlan0 address 02:00:00:00:00:99'] },
  { name: "the bridge's MAC changes (F1)", by: ['ip link set br0 address 02:00:00:00:00:98'] },
  { name: 'an MTU changes', by: ['ip link set br0 mtu 1400', 'ip link set vxlan0 mtu 1300'] },
  { name: 'learning is turned on', by: ['bridge link set dev vxlan0 learning on'] },
  { name: 'a port is unlocked', by: ['bridge link set dev port00000000001 locked off'] },
  { name: 'vxlan0 learns', by: ['ip link set vxlan0 type vxlan learning'] },
  { name: 'snooping is turned on', by: ['ip link set br0 type bridge mcast_snooping 1'] },
  { name: 'a mark is taken away', by: ['ip link set vxlan0 alias none-of-yours'] },
  {
    name: 'FDB rows are deleted',
    by: [
      'bridge fdb del 02:42:0a:00:00:02 dev vxlan0 dst 192.168.0.2 self',
      'bridge fdb del 02:42:0a:00:00:02 dev vxlan0 master',
      'bridge fdb del 02:42:0a:00:00:01 dev port00000000001 master',
      'bridge fdb del 00:00:00:00:00:00 dev vxlan0 dst 192.168.0.2 self',
    ],
  },
  {
    name: 'FDB rows point elsewhere',
    by: [
      'bridge fdb replace 02:42:0a:00:00:02 dev vxlan0 dst 192.168.0.77 self permanent',
      'bridge fdb replace 02:42:0a:00:00:02 dev port00000000001 master static',
      'bridge fdb append 00:00:00:00:00:00 dev vxlan0 dst 192.168.0.78 self permanent',
      'bridge fdb append 02:42:0a:00:00:01 dev vxlan0 dst 192.168.0.79 self permanent',
    ],
  },
  {
    name: 'a row gets a second destination, or an odd one',
    by: [
      'bridge fdb append 02:42:0a:00:00:02 dev vxlan0 dst 192.168.0.80 self permanent',
      'bridge fdb append 00:00:00:00:00:00 dev vxlan0 dst 192.168.0.2 port 5555 self permanent',
    ],
  },
  {
    name: 'neighbors are deleted or changed',
    by: [
      'ip neigh del 10.0.0.2 dev br0',
      'ip neigh replace fd00::2 lladdr 02:00:00:00:00:97 dev br0 nud permanent',
      'ip neigh add 10.0.0.200 lladdr 02:00:00:00:00:96 dev br0 nud permanent',
    ],
  },
];

for (const { name, by } of damages) {
  test(`datapath > puts all back when ${name}`, async (t) => {
    await using lab = await VxlanLab.create();
    const [host] = lab.hosts;
    await host!.datapath.ensureNetwork(spec());
    await host!.datapath.ensureEndpoint(NETWORK, endpoint(1));
    const vtep = '192.168.0.2' as never;
    await host!.datapath.setRemote(NETWORK, { vteps: [vtep], peers: [peer(endpoint(2), vtep)] });
    const right = stateOf(host!);
    for (const command of by) run(host!.network(), ...command.split(' '));
    t.not(stateOf(host!), right, 'the damage shows');
    const start = performance.now();
    await until('all is as before', () => stateOf(host!) === right).catch(() => undefined);
    t.is(stateOf(host!), right);
    t.log(`after ${Math.round(performance.now() - start)} ms`);
    await until('healthy', () => host!.datapath.inspect().networks[0]?.status.state === 'ok');
  });
}

test('datapath > gives a namespace its file again, so that it outlives the daemon', async (t) => {
  await using lab = await VxlanLab.create();
  const [host] = lab.hosts;
  await host!.datapath.ensureNetwork(spec());
  await host!.datapath.ensureEndpoint(NETWORK, endpoint(1));
  const right = stateOf(host!);
  await deleteNetns(host!.network());
  const isBack = () => existsSync(host!.network()) && stateOf(host!) === right;
  await until('the file is back', isBack);
  await host!.datapath.close();
  t.is(stateOf(host!), right);
});

test('datapath > says so when a container has lost its link, and repairs all else', async (t) => {
  await using lab = await VxlanLab.create();
  const [host] = lab.hosts;
  await host!.datapath.ensureNetwork(spec());
  await host!.datapath.ensureEndpoint(NETWORK, endpoint(1));
  run(host!.network(), 'ip', 'link', 'del', 'port00000000001');
  await until('degraded', () => host!.datapath.inspect().networks[0]?.status.state === 'degraded');
  t.regex(JSON.stringify(host!.datapath.inspect()), /lost its link; disconnect its container/);
  await host!.datapath.ensureEndpoint(NETWORK, endpoint(1));
  await until('healthy', () => host!.datapath.inspect().networks[0]?.status.state === 'ok');
});

test('datapath > leaves foreign links, namespaces and rows alone', async (t) => {
  await using lab = await VxlanLab.create();
  const [host] = lab.hosts;
  await host!.datapath.ensureNetwork(spec());
  await host!.datapath.setRemote(NETWORK, { peers: [], vteps: [] });
  run(host!.netns, ...'ip link add weft-mine type veth peer name weft0'.split(' '));
  run(host!.netns, ...'ip link set weft0 alias weft:not-quite-ours'.split(' '));
  run(host!.netns, ...'ip link add weft00000000abc type veth peer name other'.split(' '));
  run(host!.netns, ...'ip link set weft00000000abc alias somebody'.split(' '));
  run(host!.network(), ...'ip link add guest type veth peer name guest1'.split(' '));
  run(host!.network(), ...'ip link set guest master br0 up'.split(' '));
  const foreign = () => [
    run(host!.netns, 'ip', '-o', 'link'),
    run(host!.network(), 'ip', '-o', 'link'),
  ];
  const before = foreign();
  await host!.datapath.reconcile({ prune: true });
  t.deepEqual(foreign(), before);
});

test('datapath > prunes what nobody desires, only when told to, and only what is ours', async (t) => {
  await using lab = await VxlanLab.create();
  const [host] = lab.hosts;
  const other = '00000000bbbb';
  await host!.datapath.ensureNetwork(spec());
  await host!.datapath.ensureEndpoint(NETWORK, endpoint(1));
  await host!.datapath.ensureEndpoint(NETWORK, endpoint(2));
  await host!.datapath.ensureNetwork(spec({ id: other, vni: 78 as never }));
  await host!.datapath.close();

  await using after = await host!.open();
  await after.ensureNetwork(spec());
  await after.ensureEndpoint(NETWORK, endpoint(1));
  await after.setRemote(NETWORK, { peers: [], vteps: [] });
  const links = () => run(host!.netns, 'ip', '-o', 'link');
  await after.reconcile({ prune: false });
  t.regex(links(), /weft00000000002/);
  t.true(fdbOf(host!).includes('02:42:0a:00:00:02 dev port00000000002 master static'));
  t.notThrows(() => run(host!.network(other), 'true'));

  const reports = await after.reconcile({ prune: true });
  t.notRegex(links(), /weft00000000002/);
  t.regex(links(), /weft00000000001/);
  t.deepEqual(fdbOf(host!), ['02:42:0a:00:00:01 dev port00000000001 master static']);
  t.is(neighborsOf(host!).length, 2);
  t.throws(() => run(host!.network(other), 'true'));
  t.true(reports.some((r) => r.networkId === other && r.deleted === 1));
});
