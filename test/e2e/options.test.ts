/** Each flag of `docker network create` and `docker run` works, or is refused in words. */
import test from 'ava';
import { leaveClean, onHosts, sharedLab } from '../helpers/lab.js';
import {
  addressOf,
  attachment,
  createArgs,
  createNetwork,
  fetchOn,
  nothingLeft,
  pings,
  runIdle,
  runWeb,
  startDaemons,
} from '../helpers/weft-lab.js';

const lab = await sharedLab();
const three = onHosts(lab, 3);
const host = lab.host(0);

test.before(async () => startDaemons(lab));
test.afterEach.always(async (t) => leaveClean(lab, t));
test.after.always(async () => nothingLeft(lab));

const refusals: readonly (readonly [string, readonly string[], RegExp])[] = [
  [
    'without weft addresses',
    ['network', 'create', '-d', 'weft', 'bad'],
    /docker network create -d weft --ipam-driver weft NAME/,
  ],
  ['with an unknown -o', createArgs('bad', '-o', 'colour=red'), /no option "colour"/],
  ['with an unknown --ipam-opt', createArgs('bad', '--ipam-opt', 'colour=red'), /colour/],
  [
    'with an MTU that does not fit',
    createArgs('bad', '-o', 'com.docker.network.driver.mtu=9000'),
    /leaves 1450 octets/,
  ],
  [
    'with a name that can not be one',
    [
      'network',
      'create',
      '-d',
      'weft',
      '--ipam-driver',
      'weft',
      '--ipam-opt',
      'weft.network=a/b',
      'bad',
    ],
    /a\/b/,
  ],
  ['on multicast addresses', createArgs('bad', '--subnet', '224.1.0.0/24'), /multicast/],
  ['over a route of the host', createArgs('bad', '--subnet', '198.18.1.0/25'), /198\.18\.1\.0/],
  [
    'with a range outside its subnet',
    createArgs('bad', '--subnet', '10.77.0.0/24', '--ip-range', '10.78.0.0/25'),
    /./,
  ],
];

for (const [what, args, message] of refusals) {
  test.serial(`options > a network ${what} is refused, and nothing is left of it`, async (t) => {
    const { code, stderr } = await host.tryDocker(...args);
    t.not(code, 0);
    t.regex(stderr, message);
    t.is(await host.docker('network', 'ls', '--quiet', '--filter', 'name=bad'), '');
    await nothingLeft(lab);
  });
}

test.serial(
  'options > a network without a name option is new and takes its name from Docker',
  async (t) => {
    await host.docker('network', 'create', '-d', 'weft', '--ipam-driver', 'weft', 'plain');
    await runIdle(host, 'one', '--network', 'plain');
    t.regex(await addressOf(host, 'one', 'plain'), /^10\.(19[2-9]|2\d\d)\./);
  },
);

test.serial(
  'options > subnet, ip-range, gateway, aux-address, ip and mac-address are as asked',
  async (t) => {
    const flags = ['--subnet', '10.77.0.0/24', '--ip-range', '10.77.0.128/25'];
    await createNetwork(
      [host],
      'web',
      ...flags,
      '--gateway',
      '10.77.0.254',
      '--aux-address',
      'router=10.77.0.200',
    );
    await runIdle(host, 'ranged', '--network', 'web');
    const last = Number((await addressOf(host, 'ranged', 'web')).split('.')[3]);
    t.true(last >= 128 && last < 254 && last !== 200, String(last));
    await runIdle(
      host,
      'fixed',
      '--network',
      'web',
      '--ip',
      '10.77.0.9',
      '--mac-address',
      '02:00:00:00:00:09',
    );
    t.like(await attachment(host, 'fixed', 'web'), {
      address: '10.77.0.9',
      mac: '02:00:00:00:00:09',
    });
    t.true(await pings(host, 'fixed', await addressOf(host, 'ranged', 'web')));
    for (const taken of ['10.77.0.9', '10.77.0.254', '10.77.0.200']) {
      const { code, stderr } = await host.tryDocker(
        'run',
        '--rm',
        '--network',
        'web',
        '--ip',
        taken,
        'busybox',
        'true',
      );
      t.not(code, 0, taken);
      t.true(stderr.includes(taken), stderr);
    }
    const { stderr } = await host.tryDocker(
      'run',
      '--rm',
      '--network',
      'web',
      '--mac-address',
      '02:00:00:00:00:09',
      'busybox',
      'true',
    );
    t.regex(stderr, /02:00:00:00:00:09 is in use/);
  },
);

test.serial(
  'options > --config-from takes subnet and cluster name from a config-only network',
  async (t) => {
    const config = ['--config-only', '--ipam-driver', 'weft', '--ipam-opt', 'weft.network=web'];
    await host.docker('network', 'create', ...config, '--subnet', '10.77.0.0/24', 'settings');
    await host.docker('network', 'create', '-d', 'weft', '--config-from', 'settings', 'local');
    await runIdle(host, 'one', '--network', 'local', '--ip', '10.77.0.9');
    t.is(await addressOf(host, 'one', 'local'), '10.77.0.9');
    t.regex(await host.weft('network', 'ls'), /^web /m);
  },
);

test.serial('options > an MTU that fits is the container link’s', async (t) => {
  await createNetwork([host], 'small', '-o', 'com.docker.network.driver.mtu=1280');
  const link = await host.docker(
    'run',
    '--rm',
    '--network',
    'small',
    'busybox',
    'ip',
    '-o',
    'link',
    'show',
    'eth0',
  );
  t.regex(link, /mtu 1280/);
});

test.serial('options > an internal network has no way out, others have', async (t) => {
  await createNetwork([host], 'closed', '--internal');
  await createNetwork([host], 'open');
  await runIdle(host, 'inside', '--network', 'closed');
  await runIdle(host, 'outside', '--network', 'open');
  t.false(await pings(host, 'inside', lab.address));
  t.true(await pings(host, 'outside', lab.address), 'through docker_gwbridge');
});

test.serial(
  'options > C7: a published port answers from outside, from other hosts, and on the host itself',
  async (t) => {
    await createNetwork([host], 'web');
    await runWeb(host, 'site', '--network', 'web', '--publish', '8080:80');
    const url = `http://${host.address}:8080/`;
    const reply = await fetch(url, { signal: AbortSignal.timeout(5000) });
    t.is(await reply.text(), 'site\n', 'from outside');
    for (const other of lab.hosts.slice(1)) t.is(await fetchOn(other, url), 'site\n', other.name);
    for (const address of [host.address, '127.0.0.1']) {
      t.is(await fetchOn(host, `http://${address}:8080/`), 'site\n', address);
    }
  },
);

three(
  'options > C5: three weft networks and bridge on one container, each with its own way back',
  async (t) => {
    const [h1, h2] = [lab.host(0), lab.host(1)];
    const names = ['one', 'two', 'three'];
    for (const name of names) {
      await createNetwork([h1, h2], name);
      await runIdle(h2, `peer-${name}`, '--network', name);
    }
    await runIdle(h1, 'hub', '--network', 'bridge');
    for (const name of names) await h1.docker('network', 'connect', name, 'hub');
    for (const name of names) {
      t.true(await pings(h1, 'hub', await addressOf(h2, `peer-${name}`, name)), name);
      t.true(await pings(h2, `peer-${name}`, await addressOf(h1, 'hub', name)), `${name}, back`);
    }
    t.true(await pings(h1, 'hub', lab.address), 'the default route leads out');
    const routes = await h1.inContainer('hub', ['ip', 'route', 'show', 'default']);
    t.is(routes.split('\n').filter(Boolean).length, 1, routes);
    for (const [from, to] of [
      ['one', 'two'],
      ['two', 'three'],
    ] as const) {
      const address = await addressOf(h2, `peer-${to}`, to);
      t.false(await pings(h2, `peer-${from}`, address), `${from} does not reach ${to}`);
    }
    await h1.docker('network', 'disconnect', 'two', 'hub');
    t.false(await pings(h1, 'hub', await addressOf(h2, 'peer-two', 'two')), 'disconnected');
    t.true(await pings(h1, 'hub', await addressOf(h2, 'peer-three', 'three')), 'the others stay');
    await h1.docker('network', 'connect', 'two', 'hub');
    t.true(await pings(h1, 'hub', await addressOf(h2, 'peer-two', 'two')), 'connected again');
  },
);

three(
  'options > a prefix that another weft network has elsewhere is refused by its name',
  async (t) => {
    await createNetwork([lab.host(0)], 'first', '--subnet', '10.77.0.0/24');
    const { code, stderr } = await lab
      .host(1)
      .tryDocker(...createArgs('second', '--subnet', '10.77.0.0/25'));
    t.not(code, 0);
    t.regex(stderr, /10\.77\.0\.0\/24/);
    t.regex(stderr, /first/);
  },
);

three('options > two hosts that choose subnets by themselves never choose the same', async (t) => {
  const made = lab.hosts.map(async (h, i) => {
    await h.docker(...createArgs(`auto-${i}`));
    return h.docker('network', 'inspect', '-f', '{{(index .IPAM.Config 0).Subnet}}', `auto-${i}`);
  });
  const subnets = await Promise.all(made);
  t.is(new Set(subnets).size, 3, subnets.join(' '));
});

three('options > a network that exists with other settings is refused with both', async (t) => {
  await createNetwork(lab.hosts, 'web', '--subnet', '10.77.0.0/24');
  await runIdle(lab.host(0), 'user', '--network', 'web');
  // Then it is for who asks for it.
  await lab.host(1).docker('network', 'rm', 'web');
  const other = (...more: string[]): string[] => [
    ...createArgs('web', ...more).slice(0, -1),
    'other',
  ];
  const internal = await lab.host(1).tryDocker(...other('--internal'));
  t.regex(internal.stderr, /internal there: false, here: true/);
  const subnet = await lab.host(1).tryDocker(...other('--subnet', '10.78.0.0/24'));
  t.not(subnet.code, 0);
  t.regex(subnet.stderr, /10\.7[78]\.0\.0\/24/);
});
