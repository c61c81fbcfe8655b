import test from 'ava';
import { parseAddress } from '../../src/net/index.js';
import {
  NETWORK,
  VxlanLab,
  endpoint,
  endpointId,
  fdbOf,
  neighborsOf,
  run,
  spec,
} from '../helpers/vxlan-lab.js';

for (const underlay of [4, 6] as const) {
  test(`datapath > carries UDP, TCP, IPv4 and IPv6 between hosts over an IPv${underlay} underlay`, async (t) => {
    await using lab = await VxlanLab.create({ hosts: 2, underlay });
    const [a, b] = lab.hosts;
    for (const host of lab.hosts) await host.datapath.ensureNetwork(spec({ mtu: 1430 }));
    const one = await lab.attach(a!, endpoint(1));
    const two = await lab.attach(b!, endpoint(2));
    await lab.tellAll([[endpoint(1)], [endpoint(2)]]);
    t.is(await one.udp('10.0.0.2'), 100);
    t.is(await one.tcp('10.0.0.2'), 1_000_000);
    t.is(await two.udp('fd00::1'), 100);
    t.is(await two.tcp('fd00::1'), 1_000_000);
    for (const host of lab.hosts) {
      t.like(host.datapath.inspect().networks, [
        { endpoints: 1, peers: 1, status: { state: 'ok' } },
      ]);
    }
  });
}

test('datapath > programs static rows for what is here and what is elsewhere, and learns nothing', async (t) => {
  await using lab = await VxlanLab.create({ hosts: 2 });
  const [a, b] = lab.hosts;
  for (const host of lab.hosts) await host.datapath.ensureNetwork(spec());
  const one = await lab.attach(a!, endpoint(1));
  await lab.attach(b!, endpoint(2));
  await lab.tellAll([[endpoint(1)], [endpoint(2)]]);
  await one.udp('10.0.0.2');
  t.deepEqual(fdbOf(a!), [
    '00:00:00:00:00:00 dev vxlan0 dst 192.168.0.2 self permanent',
    '02:42:0a:00:00:01 dev port00000000001 master static',
    '02:42:0a:00:00:02 dev vxlan0 dst 192.168.0.2 self permanent',
    '02:42:0a:00:00:02 dev vxlan0 master static',
  ]);
  t.deepEqual(neighborsOf(a!), [
    '10.0.0.1 02:42:0a:00:00:01 PERMANENT',
    '10.0.0.2 02:42:0a:00:00:02 PERMANENT',
    'fd00::1 02:42:0a:00:00:01 PERMANENT',
    'fd00::2 02:42:0a:00:00:02 PERMANENT',
  ]);
});

test('datapath > a container is reached before other hosts hear of it', async (t) => {
  await using lab = await VxlanLab.create({ hosts: 3 });
  for (const host of lab.hosts) await host.datapath.ensureNetwork(spec());
  await lab.tellAll([[], [], []]);
  const one = await lab.attach(lab.hosts[0]!, endpoint(1));
  const two = await lab.attach(lab.hosts[1]!, endpoint(2));
  t.is(await one.udp('10.0.0.2'), 100);
  t.is(await two.tcp('fd00::1'), 1_000_000);
});

test('datapath > refuses an endpoint whose link would have the name of another, and leaves that one be', async (t) => {
  await using lab = await VxlanLab.create();
  const [host] = lab.hosts;
  await host!.datapath.ensureNetwork(spec());
  const one = await lab.attach(host!, endpoint(1));
  const two = await lab.attach(host!, endpoint(2));
  const namesake = endpoint(3, { id: endpointId(1).replace(/f$/, 'e') });
  await t.throwsAsync(host!.datapath.ensureEndpoint(NETWORK, namesake), {
    code: 'LINK_TAKEN',
    message: /"port00000000001".*start the container again/,
  });
  await host!.datapath.deleteEndpoint(NETWORK, namesake.id);
  t.is(await two.udp('10.0.0.1'), 100);
  t.is(await one.udp('10.0.0.2'), 100);
  await host!.datapath.deleteEndpoint(NETWORK, endpointId(1));
  await host!.datapath.ensureEndpoint(NETWORK, namesake);
  t.is(host!.datapath.inspect().networks[0]?.endpoints, 2);
});

test('datapath > broadcast and multicast reach every container of the network once', async (t) => {
  await using lab = await VxlanLab.create({ hosts: 3 });
  const running = lab.hosts.map((_, i) => [endpoint(i + 1)]);
  for (const host of lab.hosts) await host.datapath.ensureNetwork(spec());
  const containers = [];
  for (const [i, host] of lab.hosts.entries()) {
    containers.push(await lab.attach(host, endpoint(i + 1)));
  }
  containers.push(await lab.attach(lab.hosts[2]!, endpoint(4)));
  await lab.tellAll([...running.slice(0, 2), [endpoint(3), endpoint(4)]]);
  const [sender, ...others] = containers;
  run(sender!.netns, 'ip', 'route', 'add', '224.0.0.0/4', 'dev', 'eth0');
  for (const c of others) await c.ask('sniff', { link: 'eth0' });
  for (const address of ['10.0.255.255', '224.0.0.251']) {
    await sender!.ask('udp', { address, port: 9, size: 333, broadcast: true, timeout: 0.01 });
    const payload = Buffer.alloc(333, 'x').toString('hex');
    for (const c of others) t.is((await c.seen(payload, 2)).length, 1, `${address} ${c.netns}`);
  }
});

test('datapath > a container is sent only what is for it or for all', async (t) => {
  await using lab = await VxlanLab.create({ hosts: 2 });
  const [a, b] = lab.hosts;
  for (const host of lab.hosts) await host.datapath.ensureNetwork(spec());
  const one = await lab.attach(a!, endpoint(1));
  const bystanderHere = await lab.attach(a!, endpoint(3));
  const bystanderThere = await lab.attach(b!, endpoint(4));
  await lab.attach(b!, endpoint(2));
  await lab.tellAll([
    [endpoint(1), endpoint(3)],
    [endpoint(2), endpoint(4)],
  ]);
  await bystanderHere.ask('sniff', { link: 'eth0' });
  await bystanderThere.ask('sniff', { link: 'eth0' });
  t.is(await one.udp('10.0.0.2', { size: 444 }), 444);
  // To a MAC that nobody has: it floods to the other host, and there to nobody.
  await one.ask('send', { link: 'eth0', frame: `02420a0000ee02420a0000010800${'5a'.repeat(60)}` });
  t.is(await one.udp('10.0.0.2'), 100);
  for (const c of [bystanderHere, bystanderThere]) {
    t.deepEqual(await c.seen('7878787878'), [], 'of the datagram');
    t.deepEqual(await c.seen('5a5a5a5a5a'), [], 'of the frame to an unknown MAC');
  }
});

test('datapath > ARP and neighbor solicitations for known addresses cross no tunnel', async (t) => {
  await using lab = await VxlanLab.create({ hosts: 2 });
  const [a, b] = lab.hosts;
  for (const host of lab.hosts) await host.datapath.ensureNetwork(spec());
  const one = await lab.attach(a!, endpoint(1));
  await lab.attach(a!, endpoint(3));
  const two = await lab.attach(b!, endpoint(2));
  await lab.tellAll([[endpoint(1), endpoint(3)], [endpoint(2)]]);
  await two.ask('sniff', { link: 'eth0' });
  for (const address of ['10.0.0.3', '10.0.0.2', 'fd00::3', 'fd00::2']) {
    t.is(await one.udp(address), 100, address);
  }
  t.deepEqual(await two.seen('ffffffffffff02420a0000010806'), [], 'ARP requests');
  t.deepEqual(await two.seen('3333ff0000'), [], 'neighbor solicitations');
  // An address that nobody has is asked for everywhere.
  await one.udp('10.0.0.99', { timeout: 0.05 });
  t.true((await two.seen('ffffffffffff02420a0000010806', 2)).length > 0);
});

test('datapath > networks with the same prefix do not meet', async (t) => {
  await using lab = await VxlanLab.create({ hosts: 2 });
  const [a, b] = lab.hosts;
  const other = spec({ id: '00000000bbbb', vni: spec().vni + 1 } as never);
  await a!.datapath.ensureNetwork(spec());
  await b!.datapath.ensureNetwork(spec());
  await a!.datapath.ensureNetwork(other);
  await b!.datapath.ensureNetwork(other);
  const one = await lab.attach(a!, endpoint(1));
  const stranger = await lab.attach(b!, endpoint(2), other.id);
  for (const id of [NETWORK, other.id]) await lab.tellAll([[], []], id);
  t.is(await one.udp('10.0.0.2', { timeout: 0.2 }), undefined);
  t.is(await stranger.udp('10.0.0.1', { timeout: 0.2 }), undefined);
});

test('datapath > a deleted endpoint leaves no link, row or neighbor; a deleted network leaves nothing', async (t) => {
  await using lab = await VxlanLab.create();
  const [a] = lab.hosts;
  await a!.datapath.ensureNetwork(spec());
  await a!.datapath.setRemote(NETWORK, { peers: [], vteps: [] });
  const before = run(a!.network(), 'ip', '-o', 'link');
  const { linkName } = await a!.datapath.ensureEndpoint(NETWORK, endpoint(1));
  t.regex(run(a!.netns, 'ip', 'link'), new RegExp(linkName));
  await a!.datapath.deleteEndpoint(NETWORK, endpoint(1).id);
  t.is(run(a!.network(), 'ip', '-o', 'link'), before);
  t.deepEqual([fdbOf(a!), neighborsOf(a!)], [[], []]);
  t.notRegex(run(a!.netns, 'ip', 'link'), /weft/);
  await a!.datapath.ensureEndpoint(NETWORK, endpoint(2));
  await a!.datapath.deleteNetwork(NETWORK);
  t.notRegex(run(a!.netns, 'ip', 'link'), /weft/);
  t.throws(() => run(a!.network(), 'true'));
  // The VNI is free at once.
  await a!.datapath.ensureNetwork(spec({ id: '00000000bbbb' }));
  t.pass();
});

test('datapath > deleting what is unknown succeeds, adding to an unknown network does not', async (t) => {
  await using lab = await VxlanLab.create();
  const { datapath } = lab.hosts[0]!;
  await datapath.deleteNetwork(NETWORK);
  await datapath.deleteEndpoint(NETWORK, endpoint(1).id);
  await t.throwsAsync(datapath.ensureEndpoint(NETWORK, endpoint(1)), { code: 'UNKNOWN_NETWORK' });
  await t.throwsAsync(datapath.setRemote(NETWORK, { peers: [], vteps: [] }), {
    code: 'UNKNOWN_NETWORK',
  });
  await t.throwsAsync(datapath.ensureNetwork(spec({ id: '../../etc' })), { code: 'INVALID_ID' });
});

test('datapath > leaves out a peer that would corrupt the tables, says so, and serves the others', async (t) => {
  await using lab = await VxlanLab.create();
  const [a] = lab.hosts;
  const vtep = parseAddress('192.168.0.9');
  await a!.datapath.ensureNetwork(spec());
  await a!.datapath.setRemote(NETWORK, {
    vteps: [vtep],
    peers: [
      { ...endpoint(1, { mac: '00:00:00:00:00:00' as never }), vtep },
      { ...endpoint(2), vtep },
    ],
  });
  t.deepEqual(fdbOf(a!), [
    '00:00:00:00:00:00 dev vxlan0 dst 192.168.0.9 self permanent',
    '02:42:0a:00:00:02 dev vxlan0 dst 192.168.0.9 self permanent',
    '02:42:0a:00:00:02 dev vxlan0 master static',
  ]);
  const [status] = a!.datapath.inspect().networks;
  t.like(status?.status, { state: 'degraded' });
  t.regex(JSON.stringify(status?.status), /00:00:00:00:00:00/);
});
