import test from 'ava';
import { type Ends, arp, discovery, ethernet, icmpv6, ipv4, ipv6 } from '../helpers/frames.js';
import { NETWORK, VxlanLab, endpoint, run, spec, until } from '../helpers/vxlan-lab.js';

const ME = {
  mac: '02:42:0a:00:00:01',
  ip: '10.0.0.1',
  ip6: 'fd00::1',
  linkLocal: 'fe80::42:aff:fe00:1',
};
const HERE = { mac: '02:42:0a:00:00:03', ip: '10.0.0.3', ip6: 'fd00::3' };
const THERE = { mac: '02:42:0a:00:00:02', ip: '10.0.0.2', ip6: 'fd00::2' };
const ALL = 'ff:ff:ff:ff:ff:ff';
const ALL6 = '33:33:00:00:00:01';
/** No such endpoint: what is sent from it is nobody's. */
const NOBODY = { mac: '02:42:0a:00:00:ee', ip: '10.0.0.238', ip6: 'fd00::ee' };

const mark = Buffer.from('weft was here, and a bit more so');
const fromMe = { from: ME.mac, to: ALL };
const fromMe6 = { from: ME.mac, to: ALL6 };
const group6: Ends = { from: ME.ip6, to: 'ff02::1' };
const to4 = (from: string): Uint8Array => ipv4({ from, to: '10.0.255.255' }, mark);
const to6 = (from: string): Uint8Array => ipv6({ from, to: 'ff02::1' }, 253, mark);
const nd = (ends: Ends, type: number, target: string, option: 1 | 2, mac: string): string =>
  ethernet(fromMe6, 0x86dd, icmpv6(ends, type, discovery(target, option, mac)));

/** What a container sends, and whether others get to see it. */
const cases = [
  { name: 'its own IPv4', frame: ethernet(fromMe, 0x0800, to4(ME.ip)), passes: true },
  { name: 'its own IPv6', frame: ethernet(fromMe6, 0x86dd, to6(ME.ip6)), passes: true },
  { name: 'its own link-local', frame: ethernet(fromMe6, 0x86dd, to6(ME.linkLocal)), passes: true },
  { name: 'ARP for itself', frame: ethernet(fromMe, 0x0806, arp(1, ME, NOBODY.ip)), passes: true },
  {
    name: 'ARP that asks whether an address is free',
    frame: ethernet(fromMe, 0x0806, arp(1, { mac: ME.mac, ip: '0.0.0.0' }, NOBODY.ip)),
    passes: true,
    // The bridge keeps these on the host (neighbor suppression).
    only: 'here',
  },
  {
    name: 'an advertisement of itself',
    frame: nd(group6, 136, ME.ip6, 2, ME.mac),
    passes: true,
    only: 'here',
  },
  { name: 'a solicitation', frame: nd(group6, 135, NOBODY.ip6, 1, ME.mac), passes: true },
  {
    name: 'a solicitation before it has an address',
    frame: ethernet(
      fromMe6,
      0x86dd,
      icmpv6({ from: '::', to: 'ff02::1' }, 135, discovery(NOBODY.ip6, 1, ME.mac)),
    ),
    passes: true,
    only: 'here',
  },
  { name: "another's MAC", frame: ethernet({ from: HERE.mac, to: ALL }, 0x0800, to4(ME.ip)) },
  { name: "another host's MAC", frame: ethernet({ from: THERE.mac, to: ALL }, 0x0800, to4(ME.ip)) },
  { name: 'a MAC of nobody', frame: ethernet({ from: NOBODY.mac, to: ALL }, 0x0800, to4(ME.ip)) },
  { name: "another's IPv4 address", frame: ethernet(fromMe, 0x0800, to4(HERE.ip)) },
  { name: 'an IPv4 address of nobody', frame: ethernet(fromMe, 0x0800, to4(NOBODY.ip)) },
  { name: 'no IPv4 address', frame: ethernet(fromMe, 0x0800, to4('0.0.0.0')) },
  { name: "another's IPv6 address", frame: ethernet(fromMe6, 0x86dd, to6(THERE.ip6)) },
  { name: "another's link-local", frame: ethernet(fromMe6, 0x86dd, to6('fe80::42:aff:fe00:3')) },
  { name: 'no IPv6 address, and not ICMPv6', frame: ethernet(fromMe6, 0x86dd, to6('::')) },
  {
    name: "ARP with another's address",
    frame: ethernet(fromMe, 0x0806, arp(2, { mac: ME.mac, ip: HERE.ip }, THERE.ip)),
  },
  {
    name: "ARP with another's MAC inside",
    frame: ethernet(fromMe, 0x0806, arp(2, { mac: HERE.mac, ip: ME.ip }, THERE.ip)),
  },
  {
    name: "ARP from another's MAC",
    frame: ethernet({ from: HERE.mac, to: ALL }, 0x0806, arp(2, ME, THERE.ip)),
  },
  { name: "an advertisement of another's address", frame: nd(group6, 136, HERE.ip6, 2, ME.mac) },
  { name: "an advertisement with another's MAC", frame: nd(group6, 136, ME.ip6, 2, HERE.mac) },
  { name: "a solicitation with another's MAC", frame: nd(group6, 135, NOBODY.ip6, 1, HERE.mac) },
  {
    name: 'a router advertisement',
    frame: ethernet(fromMe6, 0x86dd, icmpv6({ from: ME.linkLocal, to: 'ff02::1' }, 134, mark)),
  },
  {
    name: 'a redirect',
    frame: ethernet(fromMe6, 0x86dd, icmpv6({ from: ME.linkLocal, to: 'ff02::1' }, 137, mark)),
  },
  {
    name: "an advertisement of another's address behind another header",
    frame: ethernet(
      fromMe6,
      0x86dd,
      ipv6(
        group6,
        0,
        Uint8Array.of(
          58,
          0,
          1,
          4,
          0,
          0,
          0,
          0,
          ...icmpv6(group6, 136, discovery(HERE.ip6, 2, ME.mac)).subarray(40),
        ),
      ),
    ),
  },
  { name: 'a VLAN tag', frame: ethernet(fromMe, 0x0800, to4(ME.ip), 5) },
  {
    name: 'two VLAN tags',
    frame: ethernet(fromMe, 0x8100, Uint8Array.of(0, 6, 8, 0, ...to4(ME.ip)), 5),
  },
  {
    name: 'spanning tree',
    frame: ethernet({ from: ME.mac, to: '01:80:c2:00:00:00' }, 0x88cc, mark),
  },
  { name: 'another protocol', frame: ethernet(fromMe, 0x8863, mark) },
];

test('datapath > a container sends as itself or not at all', async (t) => {
  await using lab = await VxlanLab.create({ hosts: 2 });
  const [a, b] = lab.hosts;
  for (const host of lab.hosts) await host.datapath.ensureNetwork(spec());
  const me = await lab.attach(a!, endpoint(1));
  const here = await lab.attach(a!, endpoint(3));
  const there = await lab.attach(b!, endpoint(2));
  await lab.tellAll([[endpoint(1), endpoint(3)], [endpoint(2)]]);
  t.is(await me.udp(THERE.ip), 100);
  t.is(await me.tcp(THERE.ip6), 1_000_000);
  await here.ask('sniff', { link: 'eth0' });
  await there.ask('sniff', { link: 'eth0' });
  const sentinel = ethernet(
    fromMe,
    0x0800,
    ipv4({ from: ME.ip, to: '10.0.255.255' }, Buffer.alloc(32, 'z')),
  );

  for (const { name, frame, passes = false, only } of cases) {
    await me.ask('send', { link: 'eth0', frame });
    // What was sent before is there when this is.
    await me.ask('send', { link: 'eth0', frame: sentinel });
    for (const [place, container] of [
      ['here', here],
      ['there', there],
    ] as const) {
      const seen = await container.seen('', 0);
      let frames = seen;
      await until('the sentinel', async () => {
        if (frames.includes(sentinel)) return true;
        frames = [...frames, ...(await container.seen('', 0.05))];
        return false;
      });
      const expected = passes && (only === undefined || only === place);
      t.is(
        frames.some((f) => f.startsWith(frame)),
        expected,
        `${name}, ${place}`,
      );
    }
  }
});

test('datapath > puts the rules back when somebody flushes them', async (t) => {
  await using lab = await VxlanLab.create();
  const [a] = lab.hosts;
  await a!.datapath.ensureNetwork(spec());
  await a!.datapath.ensureEndpoint(NETWORK, endpoint(1));
  await a!.datapath.setKnownVteps(['192.168.0.2' as never]);
  const rules = () =>
    [a!.network(), a!.netns].map((netns) => run(netns, 'nft', '-s', 'list', 'ruleset'));
  const right = rules();
  t.regex(right[0]!, /elements = \{ "port00000000001" \. 02:42:0a:00:00:01 \. 10\.0\.0\.1 \}/);
  t.regex(right[1]!, /elements = \{ 192\.168\.0\.2 \}/);
  // People save what nft lists on a host, and load it at the next boot.
  run(a!.netns, 'sh', '-c', `nft -c -f - <<'EOF'\nflush ruleset\n${right[1]}\nEOF`);
  for (const netns of [a!.network(), a!.netns]) run(netns, 'nft', 'flush', 'ruleset');
  await until('all is as before', () => rules().join() === right.join());
  run(
    a!.network(),
    ...'nft delete element bridge weft macs { "port00000000001" . 02:42:0a:00:00:01 }'.split(' '),
  );
  run(a!.netns, ...'nft add element inet weft vtep4 { 192.168.0.66 }'.split(' '));
  await until('elements are as before', () => rules().join() === right.join());
  t.pass();
});

test('datapath > a deleted endpoint leaves no element behind', async (t) => {
  await using lab = await VxlanLab.create();
  const [a] = lab.hosts;
  await a!.datapath.ensureNetwork(spec());
  const empty = run(a!.network(), 'nft', 'list', 'ruleset');
  await a!.datapath.ensureEndpoint(NETWORK, endpoint(1));
  await a!.datapath.deleteEndpoint(NETWORK, endpoint(1).id);
  t.is(run(a!.network(), 'nft', 'list', 'ruleset'), empty);
});

test('datapath > lets in only known VTEPs, and leaves the VNIs of others alone', async (t) => {
  await using lab = await VxlanLab.create({ hosts: 2 });
  const [a, b] = lab.hosts;
  for (const host of lab.hosts) await host.datapath.ensureNetwork(spec());
  const one = await lab.attach(a!, endpoint(1));
  await lab.attach(b!, endpoint(2));
  await lab.tellAll([[endpoint(1)], [endpoint(2)]]);
  t.is(await one.udp('10.0.0.2'), 100, 'before anybody said who our hosts are');

  // Somebody else's tunnel between the same hosts, on the same port.
  for (const [i, host] of lab.hosts.entries()) {
    const other = lab.hosts[1 - i]!.vtep;
    run(
      host.netns,
      ...`ip link add foreign type vxlan id 9 dstport 4789 local ${host.vtep} remote ${other}`.split(
        ' ',
      ),
    );
    run(host.netns, ...`ip address add 172.30.0.${i + 1}/24 dev foreign`.split(' '));
    run(host.netns, 'ip', 'link', 'set', 'foreign', 'up');
  }
  const foreignWorks = () => run(a!.netns, 'python3', '-c', reach).trim();
  const reach = `
import socket
s = socket.socket(); s.settimeout(2)
try: s.connect(("172.30.0.2", 9)); print("reached")
except ConnectionRefusedError: print("reached")
except OSError: print("lost")`;

  await b!.datapath.setKnownVteps([]);
  t.is(await one.udp('10.0.0.2', { timeout: 0.3 }), undefined);
  t.is(foreignWorks(), 'reached');
  await b!.datapath.setKnownVteps([a!.vtep]);
  t.is(await one.udp('10.0.0.2'), 100);
});

test('datapath > lets no container send to the tunnel port of another host under the name of its own', async (t) => {
  await using lab = await VxlanLab.create({ hosts: 2 });
  const [a, b] = lab.hosts;
  await a!.datapath.ensureNetwork(spec());
  await a!.datapath.setKnownVteps([b!.vtep]);
  // A container on a bridge network of Docker's, that is: behind a host that forwards and masquerades.
  const container = `vxlan-${process.pid}-inner`;
  run(a!.netns, 'ip', 'netns', 'add', container);
  t.teardown(() => void run('/proc/self/ns/net', 'ip', 'netns', 'delete', container));
  const inside = (...argv: string[]): string => run(`/run/netns/${container}`, ...argv);
  run(
    a!.netns,
    'ip',
    'link',
    'add',
    'inner',
    'type',
    'veth',
    'peer',
    'name',
    'eth0',
    'netns',
    container,
  );
  run(a!.netns, 'ip', 'address', 'add', '172.30.9.1/24', 'dev', 'inner');
  run(a!.netns, 'ip', 'link', 'set', 'inner', 'up');
  inside('ip', 'address', 'add', '172.30.9.2/24', 'dev', 'eth0');
  inside('ip', 'link', 'set', 'eth0', 'up');
  inside('ip', 'route', 'add', 'default', 'via', '172.30.9.1');
  run(a!.netns, 'sysctl', '-qw', 'net.ipv4.ip_forward=1');
  const send = (port: number): string =>
    inside(
      'python3',
      '-c',
      `import socket;socket.socket(2,2).sendto(b"x"*60,("${b!.vtep}",${port}))`,
    );
  const dropped = (): string =>
    run(a!.netns, '/usr/sbin/nft', 'list', 'chain', 'inet', 'weft', 'from-containers');
  t.notRegex(dropped(), /packets [1-9]/);
  send(4788);
  t.notRegex(dropped(), /packets [1-9]/, 'another port is none of ours');
  send(4789);
  t.regex(dropped(), /@vtep4 counter packets 1 .*drop/);
});
