/** Hosts that go away, come back, are removed, and were not dead after all. */
import test from 'ava';
import { type Host, waitFor } from '../../lab/index.js';
import { leaveClean, onHosts, sharedLab } from '../helpers/lab.js';
import {
  addressOf,
  createNetwork,
  nothingLeft,
  pings,
  runIdle,
  startDaemons,
} from '../helpers/weft-lab.js';

const lab = await sharedLab();
// No engine has a part in it.
const three = lab.engine === '28.5' ? onHosts(lab, 3) : test.serial.skip;
const [h1, h2, h3] = lab.hosts as [Host, Host, Host];

/** A lease of 10 s, which Consul may let live twice as long; and a second. */
const HIDDEN_MS = 21_000;

test.before(async () => startDaemons(lab));
test.afterEach.always(async (t) => {
  await leaveClean(lab, t);
  await startDaemons(lab);
});
test.after.always(async () => nothingLeft(lab));

interface ListedHost {
  readonly id: string;
  readonly name: string;
  readonly live: boolean;
}

async function hostsSeenBy(host: Host): Promise<ListedHost[]> {
  return JSON.parse(await host.weft('host', 'ls', '--json')) as ListedHost[];
}

async function isLive(seer: Host, host: Host): Promise<boolean> {
  return (await hostsSeenBy(seer)).some(({ name, live }) => name === host.name && live);
}

async function away(seer: Host, host: Host): Promise<number> {
  const begin = performance.now();
  await waitFor(`${host.name} to be hidden`, async () => !(await isLive(seer, host)), {
    timeoutMs: 40_000,
  });
  return performance.now() - begin;
}

async function key(method: 'GET' | 'DELETE', name: string): Promise<number> {
  const [consul] = lab.consul;
  return (await fetch(`${consul!.url}/v1/kv/weft/v1/${name}`, { method })).status;
}

three(
  'F2: a host whose lease ran out keeps its addresses, and all of it is back when it is',
  async (t) => {
    t.timeout(200_000);
    await createNetwork(lab.hosts, 'web');
    for (const host of lab.hosts) await runIdle(host, `on-${host.name}`, '--network', 'web');
    const address = await addressOf(h2, 'on-h2', 'web');
    t.true(await pings(h1, 'on-h1', address));
    await h2.daemon.freeze();
    const hiddenMs = await away(h1, h2);
    t.true(hiddenMs < HIDDEN_MS, `hidden after ${Math.round(hiddenMs)} ms`);
    await waitFor('no way there', async () => !(await pings(h1, 'on-h1', address)));
    await h2.daemon.thaw();
    await waitFor('the way there', async () => pings(h1, 'on-h1', address), { timeoutMs: 30_000 });
    t.is(await addressOf(h2, 'on-h2', 'web'), address);

    const { id } = (await hostsSeenBy(h1)).find(({ name }) => name === 'h2')!;
    for (const name of [`hosts/${id}`, `members/${id}`]) {
      t.is(await key('DELETE', name), 200);
      if (name.startsWith('members')) await h2.docker('restart', '--time', '0', 'on-h2');
      await waitFor(`${name} to be back`, async () => (await key('GET', name)) === 200, {
        timeoutMs: 30_000,
      });
    }
    const now = await addressOf(h2, 'on-h2', 'web');
    await waitFor('the way there again', async () => pings(h1, 'on-h1', now), {
      timeoutMs: 30_000,
    });
  },
);

three(
  'C3: the static address of a dead host starts elsewhere once it is removed; alive after all, it notices',
  async (t) => {
    t.timeout(280_000);
    await createNetwork(lab.hosts, 'web', '--subnet', '10.79.0.0/24');
    await runIdle(h3, 'db', '--network', 'web', '--ip', '10.79.0.50');
    await runIdle(h1, 'client', '--network', 'web');
    t.true(await pings(h1, 'client', '10.79.0.50'));
    await h3.daemon.kill();
    const refused = await h1.exec(['weft', 'host', 'rm', 'h3']);
    t.regex(refused.stderr, /host h3 is alive.*stop weft on it/, 'not while its lease lasts');
    const taken = await h2.tryDocker(
      'run',
      '--network',
      'web',
      '--ip',
      '10.79.0.50',
      'busybox',
      'true',
    );
    t.regex(taken.stderr, /10\.79\.0\.50.*h3/s);
    await away(h1, h3);

    const removals = await Promise.all(
      [h1, h2].map(async (host) => host.exec(['weft', 'host', 'rm', 'h3'])),
    );
    t.true(
      removals.some(({ code }) => code === 0),
      removals.map((r) => r.stderr).join('\n'),
    );
    // A freed address rests only where weft chooses; who asks for it by name gets it.
    await runIdle(h2, 'db', '--network', 'web', '--ip', '10.79.0.50');
    await waitFor('the new db', async () => pings(h1, 'client', '10.79.0.50'));

    await h3.daemon.start();
    const said = await waitFor('the removed host to notice', async () => {
      const { degraded } = JSON.parse(await h3.weft('status', '--json')) as {
        degraded: { text: string }[];
      };
      // A container goes by its id until Docker has told its name.
      return degraded.find(({ text }) => /removed .* stop db/.test(text))?.text;
    });
    t.regex(said, /removed from the cluster by h[12] at .*docker stop db && docker start db/);
    const inVain = await h3.tryDocker('run', '--rm', '--network', 'web', 'busybox', 'true');
    t.regex(inVain.stderr, /HOST_REMOVED/);
    t.false(await isLive(h1, h3));
    t.true(await pings(h1, 'client', '10.79.0.50'), 'the new one still has it');

    await h3.docker('stop', '--time', '0', 'db');
    await waitFor('the host to join again', async () => isLive(h1, h3), { timeoutMs: 30_000 });
    const back = await h3.tryDocker('start', 'db');
    t.regex(back.stderr, /ADDRESS_TAKEN.*h2/s);
    await runIdle(h3, 'other', '--network', 'web');
    const address = await addressOf(h3, 'other', 'web');
    await waitFor('the returned host to be reached', async () => pings(h1, 'client', address), {
      timeoutMs: 30_000,
    });
  },
);

three('a copy of a live host is noticed, and refused', async (t) => {
  t.timeout(120_000);
  await h3.daemon.stop();
  await away(h1, h3);
  const state = '/var/lib/weft';
  const archive = '/tmp/hosts-copy.tar';
  await h2.execOk(['tar', '-C', state, '-cf', h3.path(archive), '.']).catch(async () => {
    const tar = await h2.execOk(['sh', '-c', `tar -C ${state} -cf - . | base64 -w0`]);
    await h3.writeFile(`${archive}.b64`, tar);
    await h3.execOk(['sh', '-c', `base64 -d ${archive}.b64 > ${archive}`]);
  });
  await h3.execOk([
    'sh',
    '-c',
    `mv ${state} ${state}.own; mkdir ${state}; tar -C ${state} -xf ${archive}`,
  ]);
  await h3.daemon.start();
  const said = await waitFor('the copy to notice', async () => {
    const { degraded } = JSON.parse(await h3.weft('status', '--json')) as {
      degraded: { text: string }[];
    };
    return degraded.find(({ text }) => text.includes('copied'))?.text;
  });
  t.regex(said, /^host h2 at /);
  t.true(await isLive(h1, h2), 'the first one is not disturbed');
  await h3.daemon.stop();
  await h3.execOk(['sh', '-c', `rm -r ${state}; mv ${state}.own ${state}`]);
  await h3.daemon.start();
  await waitFor('the host itself', async () => isLive(h1, h3), { timeoutMs: 40_000 });
});

three(
  'I7: a link that flaps, routes and rules that a network manager flushes, a new MTU and a new address are followed',
  async (t) => {
    t.timeout(200_000);
    await createNetwork(lab.hosts, 'web');
    await runIdle(h1, 'one', '--network', 'web');
    await runIdle(h2, 'two', '--network', 'web');
    const address = await addressOf(h2, 'two', 'web');
    const reaches = async (): Promise<boolean> => pings(h1, 'one', address);
    t.true(await reaches());
    const gateway = h2.address.replace(/\.\d+$/, '.1');

    // What systemd-networkd does on a reload, and ifupdown when a member of a bond goes.
    await h2.execOk(['ip', 'link', 'set', 'eth0', 'down']);
    await h2.execOk(['ip', 'link', 'set', 'eth0', 'up']);
    await h2.exec(['ip', 'route', 'replace', 'default', 'via', gateway]);
    await h2.exec(['ip', 'rule', 'flush', 'protocol', 'static']);
    await h2.exec(['sysctl', '-w', 'net.ipv4.conf.all.rp_filter=1']);
    await waitFor('the way there after the flap', reaches, { timeoutMs: 30_000 });
    t.true(await isLive(h1, h2));

    await h2.execOk(['ip', 'link', 'set', 'eth0', 'mtu', '1400']);
    const mtuOf = async (): Promise<number | undefined> =>
      (JSON.parse(await h1.weft('host', 'ls', '--json')) as { name: string; mtu?: number }[]).find(
        ({ name }) => name === 'h2',
      )?.mtu;
    await waitFor('the others to hear of the MTU', async () => (await mtuOf()) === 1400);
    await runIdle(h2, 'small', '--network', 'web');
    t.regex(await h2.inContainer('small', ['ip', '-o', 'link', 'show', 'eth0']), /mtu 1350 /);
    t.true(await reaches());
    await h2.execOk(['ip', 'link', 'set', 'eth0', 'mtu', '1500']);
    await waitFor('the MTU of before', async () => (await mtuOf()) === 1500);

    const moved = h2.address.replace(/\.\d+$/, '.77');
    const vtep = async (): Promise<string | undefined> =>
      (JSON.parse(await h1.weft('host', 'ls', '--json')) as { name: string; vtep?: string }[]).find(
        ({ name }) => name === 'h2',
      )?.vtep;
    const change = async (from: string, to: string): Promise<void> => {
      await h2.execOk(['ip', 'address', 'add', `${to}/24`, 'dev', 'eth0']);
      await h2.execOk(['ip', 'address', 'delete', `${from}/24`, 'dev', 'eth0']);
      // Deleting the primary address may take the others of its prefix along.
      await h2.exec(['ip', 'address', 'add', `${to}/24`, 'dev', 'eth0']);
      await h2.exec(['ip', 'route', 'replace', 'default', 'via', gateway]);
      await waitFor(`h2 at ${to}`, async () => (await vtep()) === to, { timeoutMs: 30_000 });
      await waitFor(`the way to ${to}`, reaches, { timeoutMs: 30_000 });
    };
    await change(h2.address, moved);
    await change(moved, h2.address);
    t.regex(await h2.weft('events'), /underlay is eth0 .*\.77 with MTU 1500 now/);
  },
);
