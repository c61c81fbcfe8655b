import test from 'ava';
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
} from '../helpers/vxlan-lab.js';

interface Streamed {
  readonly sent: number;
  readonly answered: number;
}

/** Rows for endpoint 2 being at a VTEP, as the first host should have them. */
const rowsAt = (vtep: string): string[] => [
  '02:42:0a:00:00:01 dev port00000000001 master static',
  `02:42:0a:00:00:02 dev vxlan0 dst ${vtep} self permanent`,
  '02:42:0a:00:00:02 dev vxlan0 master static',
];
const unicast = (host: LabHost) => fdbOf(host).filter((row) => !row.startsWith('00:00'));

test('datapath > rows follow a peer that goes, comes and moves while frames flow (D1)', async (t) => {
  await using lab = await VxlanLab.create({ hosts: 3 });
  const [a, b, c] = lab.hosts;
  for (const host of lab.hosts) await host.datapath.ensureNetwork(spec());
  const one = await lab.attach(a!, endpoint(1));
  await lab.attach(b!, endpoint(2));
  const vteps = [b!.vtep, c!.vtep];
  await b!.datapath.setRemote(NETWORK, {
    vteps: [a!.vtep, c!.vtep],
    peers: [peer(endpoint(1), a!.vtep)],
  });
  const stream = one.ask('stream', { address: '10.0.0.2', port: 7, seconds: 3, every: 0.001 });
  const at = (...where: LabHost[]) => where.map((h) => peer(endpoint(2), h.vtep));
  for (let i = 0; i < 20; i += 1) {
    await a!.datapath.setRemote(NETWORK, { vteps, peers: at(b!) });
    t.deepEqual(unicast(a!), rowsAt(b!.vtep), `${i}: there`);
    t.is(neighborsOf(a!).length, 4);
    await a!.datapath.setRemote(NETWORK, { vteps, peers: [] });
    t.deepEqual(unicast(a!), rowsAt(b!.vtep).slice(0, 1), `${i}: gone`);
    t.is(neighborsOf(a!).length, 2);
  }
  const { sent, answered } = (await stream) as Streamed;
  t.true(sent > 10 && answered === sent, `${answered} of ${sent} were answered`);

  // One update that says: it is elsewhere now. Then both say so, in either order, and the last wins.
  await a!.datapath.setRemote(NETWORK, { vteps, peers: at(c!) });
  t.deepEqual(unicast(a!), rowsAt(c!.vtep));
  await a!.datapath.setRemote(NETWORK, { vteps, peers: at(c!, b!) });
  t.deepEqual(unicast(a!), rowsAt(b!.vtep));
  await a!.datapath.setRemote(NETWORK, { vteps, peers: at(b!, c!) });
  t.deepEqual(unicast(a!), rowsAt(c!.vtep));
  await a!.datapath.setRemote(NETWORK, { vteps, peers: at(b!) });
  t.deepEqual(unicast(a!), rowsAt(b!.vtep), 'the one that stays is there again');
  t.is(await one.udp('10.0.0.2'), 100);
});

test('datapath > an endpoint that moves here beats what others say, and leaves to them when it goes', async (t) => {
  await using lab = await VxlanLab.create({ hosts: 2 });
  const [a, b] = lab.hosts;
  await a!.datapath.ensureNetwork(spec());
  const remote = { vteps: [b!.vtep], peers: [peer(endpoint(2), b!.vtep)] };
  await a!.datapath.setRemote(NETWORK, remote);
  const before = [unicast(a!), neighborsOf(a!)];
  await a!.datapath.ensureEndpoint(NETWORK, endpoint(2));
  const here = ['02:42:0a:00:00:02 dev port00000000002 master static'];
  t.deepEqual(unicast(a!), here);
  await a!.datapath.setRemote(NETWORK, { ...remote });
  t.deepEqual(unicast(a!), here);
  await a!.datapath.deleteEndpoint(NETWORK, endpoint(2).id);
  t.deepEqual([unicast(a!), neighborsOf(a!)], before);
});

test('datapath > an endpoint whose addresses or MAC change keeps nothing of the old', async (t) => {
  await using lab = await VxlanLab.create();
  const [a] = lab.hosts;
  await a!.datapath.ensureNetwork(spec());
  await a!.datapath.setRemote(NETWORK, { vteps: [], peers: [] });
  await a!.datapath.ensureEndpoint(NETWORK, endpoint(1));
  const { mac, addresses } = endpoint(9);
  await a!.datapath.ensureEndpoint(NETWORK, { ...endpoint(1), mac, addresses });
  t.deepEqual(fdbOf(a!), ['02:42:0a:00:00:09 dev port00000000001 master static']);
  t.deepEqual(
    neighborsOf(a!).map((row) => row.split(' ')[0]),
    ['10.0.0.9', 'fd00::9'],
  );
  const rules = run(a!.network(), 'nft', 'list', 'ruleset');
  t.regex(rules, /10\.0\.0\.9/);
  t.notRegex(rules, /10\.0\.0\.1\b|02:42:0a:00:00:01/);
  t.regex(run(a!.netns, 'ip', 'link', 'show', 'weft00000000001'), /02:42:0a:00:00:09/);
});

test('datapath > a host firewall that drops all it forwards does not matter (F4)', async (t) => {
  await using lab = await VxlanLab.create({ hosts: 2 });
  const [a, b] = lab.hosts;
  const block = `add table ip filter; add chain ip filter FORWARD { type filter hook forward priority 0; policy drop; }`;
  run(a!.netns, 'nft', block);
  for (const host of lab.hosts) await host.datapath.ensureNetwork(spec());
  const one = await lab.attach(a!, endpoint(1));
  await lab.attach(b!, endpoint(2));
  await lab.attach(a!, endpoint(3));
  await lab.tellAll([[endpoint(1), endpoint(3)], [endpoint(2)]]);
  t.is(await one.udp('10.0.0.2'), 100);
  t.is(await one.udp('10.0.0.3'), 100, 'on the same host');
  run(b!.netns, 'nft', block);
  t.is(await one.tcp('10.0.0.2'), 1_000_000);
});

test('datapath > many calls about one network at once end as if made one after another', async (t) => {
  await using lab = await VxlanLab.create();
  const [a] = lab.hosts;
  const { datapath } = a!;
  const calls = [datapath.ensureNetwork(spec()), datapath.ensureNetwork(spec())];
  for (let n = 1; n <= 20; n += 1) {
    const ensure = datapath.ensureEndpoint(NETWORK, endpoint(n)).then(() => undefined);
    calls.push(ensure);
    if (n % 2 === 0) calls.push(datapath.deleteEndpoint(NETWORK, endpoint(n).id));
    calls.push(datapath.setRemote(NETWORK, { vteps: [], peers: [] }));
    calls.push(datapath.reconcile({ prune: true }).then(() => undefined));
  }
  await Promise.all(calls);
  t.is(fdbOf(a!).length, 10);
  t.is(neighborsOf(a!).length, 20);
  t.is(run(a!.netns, 'ip', '-br', 'link').match(/weft/g)?.length, 10);
  t.is(datapath.inspect().networks[0]?.status.state, 'ok');
});
