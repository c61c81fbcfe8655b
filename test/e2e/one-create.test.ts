/** A network made once, on any host, is there on every host. */
import test from 'ava';
import { type Host, hasNetwork, lacksNetwork, networkNames, waitFor } from '../../lab/index.js';
import { leaveClean, onHosts, sharedLab } from '../helpers/lab.js';
import { addressOf, nothingLeft, pings, runIdle, startDaemons } from '../helpers/weft-lab.js';

const lab = await sharedLab();
const three = onHosts(lab, 3);
const [h1, h2, h3] = lab.hosts as [Host, Host, Host];
const CREATE = ['network', 'create', '--driver', 'weft', '--ipam-driver', 'weft'];

test.before(async () => startDaemons(lab));
test.afterEach.always(async (t) => leaveClean(lab, t));
test.after.always(async () => nothingLeft(lab));

/** What Docker on this host says of a network, in the words of a template. */
async function inspect(host: Host, name: string, template: string): Promise<string> {
  return host.docker('network', 'inspect', '-f', template, name);
}

async function hears(host: Host, code: string, words: RegExp): Promise<string> {
  return waitFor(`event ${code} on ${host.name}`, async () => {
    const lines = (await host.weft('events')).split('\n');
    return lines.findLast((line) => line.includes(`(${code})`) && words.test(line));
  });
}

three(
  'one create > a network made on one host is on every host within a second, with all its settings, and goes with one rm',
  async (t) => {
    const flags = ['--label', 'tier=front', '--internal', '--ipv6'];
    const pools = ['--subnet', '10.77.0.0/24', '--ip-range', '10.77.0.128/25'];
    const aux = ['--aux-address', 'printer=10.77.0.9', '--subnet', 'fd77::/64'];
    await h2.docker(...CREATE, ...flags, ...pools, ...aux, 'web');
    const startedAt = performance.now();
    for (const host of [h1, h3]) await hasNetwork(host, 'web');
    const tookMs = performance.now() - startedAt;
    t.log(`on every host after ${Math.round(tookMs)} ms`);
    const template =
      '{{json .Labels}} {{.Internal}} {{.EnableIPv6}} {{json .IPAM.Config}} {{json .IPAM.Options}}';
    const made = await inspect(h2, 'web', template);
    for (const host of [h1, h3]) t.is(await inspect(host, 'web', template), made, host.name);
    for (const host of lab.hosts) await runIdle(host, `on-${host.name}`, '--network', 'web');
    t.true(await pings(h1, 'on-h1', await addressOf(h3, 'on-h3', 'web')));
    t.regex(
      await addressOf(h1, 'on-h1', 'web'),
      /^10\.77\.0\.(12[89]|1[3-9]\d|2\d\d)$/,
      'of the range',
    );
    for (const host of lab.hosts) await host.docker('rm', '--force', `on-${host.name}`);
    await h3.docker('network', 'rm', 'web');
    for (const host of lab.hosts) await lacksNetwork(host, 'web');
    await nothingLeft(lab);
    await hears(h1, 'NETWORK_GONE', /removed on h3/);
  },
);

three(
  'one create > removed where others use it, a network goes from that host alone, until someone asks for it there',
  async (t) => {
    await h1.docker(...CREATE, 'web');
    for (const host of lab.hosts) await hasNetwork(host, 'web');
    await runIdle(h1, 'api', '--network', 'web');
    await waitFor('the name on another host', async () =>
      (await h2.weft('endpoint', 'ls')).includes('api'),
    );
    await h2.docker('network', 'rm', 'web');
    const kept = await hears(h2, 'NETWORK_KEPT_ELSEWHERE', /api on h1/);
    t.regex(kept, /stays away from here until someone creates it here again/);
    t.regex(await h2.weft('status'), /in use by api on h1/);
    // It stays away also from a daemon that starts again.
    await h2.daemon.kill();
    await h2.daemon.start();
    await h1.docker(...CREATE, 'later');
    await hasNetwork(h2, 'later');
    t.false((await networkNames(h2)).includes('web'));
    t.true((await networkNames(h3)).includes('web'));
    await h2.docker(...CREATE, 'web');
    await hears(h2, 'NETWORK_BACK', /"web" of the cluster is on this host again/);
    t.notRegex(await h2.weft('status'), /NETWORK_KEPT_ELSEWHERE/);
    await hasNetwork(h2, 'web');
    await waitFor('a container on the network of the cluster', async () => {
      const argv = [
        'run',
        '--detach',
        '--name',
        'two',
        '--network',
        'web',
        'busybox',
        'sleep',
        '99',
      ];
      const { code } = await h2.tryDocker(...argv);
      if (code !== 0) await h2.tryDocker('rm', '--force', 'two');
      return code === 0;
    });
    t.true(await pings(h2, 'two', await addressOf(h1, 'api', 'web')));
  },
);

three(
  'one create > of two hosts that create one name at once one wins, and the other says so',
  async (t) => {
    for (let round = 0; round < 3; round += 1) {
      const name = `twin-${round}`;
      const both = await Promise.all([h1, h2].map(async (host) => host.tryDocker(...CREATE, name)));
      t.true(
        both.some(({ code }) => code === 0),
        both.map(({ stderr }) => stderr).join(' '),
      );
      for (const host of lab.hosts) await hasNetwork(host, name);
      await waitFor('one network of that name, the same everywhere', async () => {
        const ls = JSON.parse(await h3.weft('network', 'ls', '--json')) as {
          name?: string;
          pools: string[];
        }[];
        const subnets = await Promise.all(
          lab.hosts.map(async (host) => inspect(host, name, '{{(index .IPAM.Config 0).Subnet}}')),
        );
        const [found, ...more] = ls.filter((network) => network.name === name);
        return more.length === 0 && subnets.every((subnet) => found?.pools[0] === subnet);
      });
      if (both.every(({ code }) => code === 0)) {
        const told = await Promise.all([h1, h2].map(async (host) => host.weft('events')));
        t.true(
          told.some((events) => events.includes(`network "${name}" was made here and on`)),
          told.join('\n'),
        );
      }
    }
  },
);

three(
  'one create > of two hosts whose weft makes one name at once the one that lost is told so',
  async (t) => {
    for (let round = 0; round < 3; round += 1) {
      const name = `pair-${round}`;
      const both = await Promise.all(
        [h1, h2].map(async (host, i) => {
          const subnet = `10.${90 + i}.${round}.0/24`;
          const made = await host.exec(['weft', 'network', 'create', '--subnet', subnet, name]);
          return { ...made, subnet };
        }),
      );
      const won = both.filter(({ code }) => code === 0);
      const said = both.map(({ stdout, stderr }) => stdout + stderr).join('\n');
      t.is(won.length, 1, said);
      t.regex(said, new RegExp(`network.*${name}`));
      await hasNetwork(h3, name);
      t.is(await inspect(h3, name, '{{(index .IPAM.Config 0).Subnet}}'), won[0]!.subnet);
    }
  },
);

three('one create > a host that was away gets what it lacks and loses what is gone', async (t) => {
  await h1.docker(...CREATE, 'old');
  await hasNetwork(h3, 'old');
  await h3.daemon.stop();
  await h1.docker('network', 'rm', 'old');
  await lacksNetwork(h2, 'old');
  await h2.docker(...CREATE, 'new');
  t.true((await networkNames(h3)).includes('old'));
  await h3.daemon.start();
  await hasNetwork(h3, 'new');
  await lacksNetwork(h3, 'old');
});

three(
  'D6: after a host with endpoints lost its power, containers of the same names start elsewhere, and the network can be removed',
  async (t) => {
    t.timeout(300_000);
    await h1.docker(...CREATE, '--subnet', '10.77.0.0/24', 'web');
    for (const host of lab.hosts) await hasNetwork(host, 'web');
    await runIdle(h1, 'api', '--network', 'web');
    await runIdle(h2, 'peer', '--network', 'web');
    await h1.daemon.kill();
    await h1.engine.kill();
    await runIdle(h2, 'api', '--network', 'web');
    t.true(await pings(h2, 'peer', await addressOf(h2, 'api', 'web')));
    await Promise.all([h1.engine.start(), h1.daemon.start()]);
    await waitFor('the engine to answer', async () => (await h1.tryDocker('ps')).code === 0);
    for (const host of [h1, h2]) await host.tryDocker('rm', '--force', 'api', 'peer');
    // Docker forgot the dead host's endpoint without a word to weftd, which frees it once it is a minute old.
    await waitFor(
      'no endpoint on any host',
      async () => (await h3.weft('endpoint', 'ls')).includes('No endpoints'),
      { timeoutMs: 120_000 },
    );
    await h3.docker('network', 'rm', 'web');
    for (const host of lab.hosts) await lacksNetwork(host, 'web');
  },
);

three(
  'C1: an address asked for by name is free again after the daemon and the engine that had it were killed',
  async (t) => {
    t.timeout(300_000);
    await h1.docker(...CREATE, '--subnet', '10.77.0.0/24', 'web');
    for (const host of lab.hosts) await hasNetwork(host, 'web');
    const flags = ['--network', 'web', '--ip', '10.77.0.50'];
    await runIdle(h1, 'api', ...flags);
    await h1.daemon.kill();
    await h1.engine.kill();
    await Promise.all([h1.engine.start(), h1.daemon.start()]);
    await waitFor('the engine to answer', async () => (await h1.tryDocker('ps')).code === 0);
    await h1.tryDocker('rm', '--force', 'api');
    await waitFor(
      'the address on another host',
      async () => {
        const argv = ['run', '--detach', '--name', 'api', ...flags, 'busybox', 'sleep', '99'];
        const { code } = await h2.tryDocker(...argv);
        if (code !== 0) await h2.tryDocker('rm', '--force', 'api');
        return code === 0;
      },
      { timeoutMs: 120_000 },
    );
    await runIdle(h3, 'peer', '--network', 'web');
    t.true(await pings(h3, 'peer', '10.77.0.50'));
  },
);

three(
  'one create > weft network create and rm do the same, and rm refuses with who uses it',
  async (t) => {
    const settings = ['--subnet', '10.77.0.0/24', '--label', 'tier=front', '--internal'];
    t.is(await h2.weft('network', 'create', ...settings, 'web'), 'web created, 10.77.0.0/24');
    for (const host of lab.hosts) await hasNetwork(host, 'web');
    const template = '{{json .Labels}} {{.Internal}} {{json .IPAM.Config}}';
    t.is(await inspect(h1, 'web', template), await inspect(h2, 'web', template));
    t.regex(await inspect(h1, 'web', template), /"tier":"front"} true .*10\.77\.0\.0\/24/);
    await runIdle(h3, 'api', '--network', 'web');
    const refused = await h1.exec(['weft', 'network', 'rm', 'web']);
    t.is(refused.code, 1);
    t.regex(refused.stderr, /network "web" is in use by api on h3; stop these containers/);
    for (const host of lab.hosts) await hasNetwork(host, 'web');
    const taken = await h1.exec(['weft', 'network', 'create', 'web']);
    t.is(taken.code, 1);
    t.regex(taken.stderr, /web already exists/);
    await h3.docker('rm', '--force', 'api');
    t.is(await h1.weft('network', 'rm', 'web'), 'web removed');
    t.false((await networkNames(h1)).includes('web'), 'at once on this host');
    for (const host of lab.hosts) await lacksNetwork(host, 'web');
    t.regex((await h1.exec(['weft', 'network', 'rm', 'web'])).stderr, /has no network "web"/);
    await nothingLeft(lab);
  },
);
