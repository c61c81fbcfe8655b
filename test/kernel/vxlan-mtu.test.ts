import test from 'ava';
import { overlayMtu } from '../../src/vxlan/index.js';
import {
  type Container,
  type LabHost,
  VxlanLab,
  endpoint,
  run,
  spec,
} from '../helpers/vxlan-lab.js';

/** Octets of IP and UDP headers. */
const HEADERS = { '10.0.0.2': 28, 'fd00::2': 48 } as const;

function setUnderlayMtu(hosts: readonly LabHost[], mtu: number): void {
  for (const { netns } of hosts) run(netns, 'ip', 'link', 'set', 'u0', 'mtu', String(mtu));
}

async function twoContainers(lab: VxlanLab, mtu: number): Promise<Container> {
  const [a, b] = lab.hosts;
  for (const host of lab.hosts) await host.datapath.ensureNetwork(spec({ mtu }));
  const one = await lab.attach(a!, endpoint(1));
  await lab.attach(b!, endpoint(2));
  await lab.tellAll([[endpoint(1)], [endpoint(2)]]);
  return one;
}

// WireGuard's 1420, a tunnel in a tunnel, the least for IPv6 inside, jumbo frames: D9, F7.
for (const [underlayMtu, family] of [
  [1500, 4],
  [1500, 6],
  [1450, 4],
  [1420, 4],
  [1376, 4],
  [1350, 6],
  [9000, 4],
] as const) {
  test(`datapath > full packets fit an IPv${family} underlay of ${underlayMtu} octets (D9)`, async (t) => {
    await using lab = await VxlanLab.create({ hosts: 2, underlay: family, underlayMtu });
    const mtu = overlayMtu(underlayMtu, family);
    const one = await twoContainers(lab, mtu);
    t.regex(run(one.netns, 'ip', 'link', 'show', 'eth0'), new RegExp(`mtu ${mtu} `));
    for (const [address, headers] of Object.entries(HEADERS)) {
      const most = mtu - headers;
      t.is(await one.udp(address, { size: most }), most, `${address}, full, not to be fragmented`);
      t.is(await one.udp(address, { size: most + 1 }), undefined, `${address}, one octet more`);
      t.is(
        await one.udp(address, { size: 20_000, fragment: 'may' }),
        20_000,
        `${address}, in fragments`,
      );
      t.is(await one.tcp(address), 1_000_000, `${address}, TCP`);
    }
  });
}

test('datapath > containers that run go on when the underlay shrinks, and are told what fits (D9)', async (t) => {
  await using lab = await VxlanLab.create({ hosts: 2 });
  const one = await twoContainers(lab, 1450);
  t.is(await one.tcp('10.0.0.2'), 1_000_000);
  setUnderlayMtu(lab.hosts, 1400);
  for (const host of lab.hosts) await host.datapath.ensureNetwork(spec({ mtu: 1350 }));
  for (const [address, headers] of Object.entries(HEADERS)) {
    t.is(await one.tcp(address), 1_000_000, `${address}, TCP`);
    const fits = 1350 - headers;
    // The first is lost, and answered with what would fit.
    await one.udp(address, { size: 1450 - headers, timeout: 0.2 });
    t.deepEqual(await one.ask('udp', { address, port: 7, size: 1450 - headers }), {
      error: 'OSError',
      errno: 90, // EMSGSIZE
    });
    t.is(await one.udp(address, { size: fits }), fits, `${address}, what fits`);
    t.is(
      await one.udp(address, { size: 1450 - headers, fragment: 'may' }),
      1450 - headers,
      `${address}, in fragments`,
    );
  }
  const two = await lab.attach(lab.hosts[0]!, endpoint(3));
  t.regex(
    run(two.netns, 'ip', 'link', 'show', 'eth0'),
    /mtu 1350 /,
    'new containers have the new MTU',
  );
  t.is(await two.tcp('10.0.0.2'), 1_000_000);
});
