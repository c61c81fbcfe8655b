/** Containers on different hosts reach each other. */
import test from 'ava';
import { waitFor } from '../../lab/index.js';
import { leaveClean, onHosts, sharedLab } from '../helpers/lab.js';
import {
  addressOf,
  attachment,
  createNetwork,
  fetches,
  inNetworkOf,
  nothingLeft,
  pidOf,
  pings,
  runIdle,
  runWeb,
  startDaemons,
} from '../helpers/weft-lab.js';

const lab = await sharedLab();
const three = onHosts(lab, 3);
const [first] = lab.hosts;

test.before(async () => startDaemons(lab));
test.afterEach.always(async (t) => leaveClean(lab, t));
test.after.always(async () => nothingLeft(lab));

test.serial(
  'reach > containers of one host reach each other, and nothing is left when the network goes',
  async (t) => {
    await createNetwork([first!], 'web');
    await runWeb(first!, 'api', '--network', 'web');
    await runIdle(first!, 'client', '--network', 'web');
    const address = await addressOf(first!, 'api', 'web');
    t.true(await pings(first!, 'client', address));
    t.is(await fetches(first!, 'client', `http://${address}/`), 'api\n');
    t.is(
      await fetches(first!, 'client', 'http://api/'),
      'api\n',
      "Docker's own names go on working",
    );
    await first!.docker('rm', '--force', 'api', 'client');
    await first!.docker('network', 'rm', 'web');
    await nothingLeft(lab);
  },
);

three(
  'reach > containers of three hosts reach each other by ICMP, TCP and full-size packets',
  async (t) => {
    await createNetwork(lab.hosts, 'web');
    for (const host of lab.hosts) await runWeb(host, `on-${host.name}`, '--network', 'web');
    for (const target of lab.hosts) {
      const address = await addressOf(target, `on-${target.name}`, 'web');
      for (const source of lab.hosts) {
        const way = `${source.name} to ${target.name}`;
        t.true(await pings(source, `on-${source.name}`, address), way);
        // 1450 octets of MTU less IPv4 and ICMP.
        t.true(
          await pings(source, `on-${source.name}`, address, '-s', '1422'),
          `${way}, full size`,
        );
        t.is(
          await fetches(source, `on-${source.name}`, `http://${address}/`),
          `on-${target.name}\n`,
          way,
        );
      }
    }
  },
);

three('reach > a host tells the truth about a network that it has not', async (t) => {
  const [h1, , h3] = lab.hosts;
  await createNetwork(lab.hosts, 'web');
  await runIdle(h1!, 'one', '--network', 'web');
  await h3!.docker('network', 'rm', 'web');
  interface Counts {
    readonly hosts: number;
    readonly endpoints: { readonly local: number; readonly total: number };
  }
  // Docker knows of the container before the other hosts do.
  const seen = await waitFor('the endpoint in the store', async () => {
    const networks = JSON.parse(await h3!.weft('network', 'ls', '--json')) as Counts[];
    return networks.find(({ endpoints, hosts }) => endpoints.total === 1 && hosts === 2);
  });
  t.like(seen, { hosts: 2, endpoints: { local: 0, total: 1 } });
  t.true((await h3!.weft('endpoint', 'ls')).includes(await addressOf(h1!, 'one', 'web')));
});

three('reach > IPv4 and IPv6 side by side on three hosts', async (t) => {
  const subnets = ['--ipv6', '--subnet', '10.77.0.0/24', '--subnet', 'fd77::/64'];
  await createNetwork(lab.hosts, 'dual', ...subnets);
  for (const host of lab.hosts) await runIdle(host, `on-${host.name}`, '--network', 'dual');
  for (const target of lab.hosts) {
    const { address, addressV6 } = await attachment(target, `on-${target.name}`, 'dual');
    t.regex(address, /^10\.77\.0\./);
    t.regex(addressV6, /^fd77::/);
    for (const source of lab.hosts) {
      const way = `${source.name} to ${target.name}`;
      t.true(await pings(source, `on-${source.name}`, address), way);
      t.true(await pings(source, `on-${source.name}`, addressV6), `${way}, IPv6`);
    }
  }
});

three('reach > broadcast reaches the containers of every host', async (t) => {
  await createNetwork(lab.hosts, 'web', '--subnet', '10.77.0.0/24');
  for (const host of lab.hosts) {
    await runIdle(host, `on-${host.name}`, '--network', 'web');
    const pid = await pidOf(host, `on-${host.name}`);
    await inNetworkOf(host, pid, ['sysctl', '-qw', 'net.ipv4.icmp_echo_ignore_broadcasts=0']);
  }
  const [source] = lab.hosts;
  const ping = ['docker', 'exec', 'on-h1', 'ping', '-c', '2', '-W', '1', '10.77.0.255'];
  const { stdout } = await source!.exec(ping);
  for (const host of lab.hosts.slice(1)) {
    t.true(
      stdout.includes(await addressOf(host, `on-${host.name}`, 'web')),
      `${host.name}: ${stdout}`,
    );
  }
});

// The whole count once, where every engine takes the same way a shorter row does.
const inARow = lab.engine === '28.5' ? 200 : 15;

three(
  `reach > a container is reachable from every other host as soon as docker run returns, ${inARow} times in a row`,
  async (t) => {
    t.timeout(600_000);
    await createNetwork(lab.hosts, 'web');
    const probes = new Map<string, string>();
    for (const host of lab.hosts) {
      await runIdle(host, 'probe', '--network', 'web');
      probes.set(host.name, await pidOf(host, 'probe'));
    }
    let gone: Promise<unknown> = Promise.resolve();
    for (let i = 0; i < inARow; i += 1) {
      const host = lab.host(i % 3);
      await runIdle(host, `new-${i}`, '--network', 'web');
      const address = await addressOf(host, `new-${i}`, 'web');
      const others = lab.hosts.filter((other) => other !== host);
      const replies = await Promise.all(
        others.map(async (other) => {
          const argv = ['busybox', 'ping', '-c', '1', '-W', '1', address];
          return inNetworkOf(other, probes.get(other.name)!, argv);
        }),
      );
      replies.forEach(({ code, stdout }, n) =>
        t.is(code, 0, `#${i} on ${host.name} from ${others[n]!.name}: ${stdout}`),
      );
      await gone;
      gone = host.docker('rm', '--force', `new-${i}`);
    }
    await gone;
  },
);
