/**
 * Consul stopped, cut off, leaderless and flapping, hosts cut off from it, its index set back: what runs goes on, and all agree
 * when it is back. The letters are those of docs/failures.md; test/long has an outage as long as in the field.
 */
import { setTimeout as delay } from 'node:timers/promises';
import test from 'ava';
import { portLink } from '../../../src/vxlan/names.js';
import { type Host, Lab, lacksNetwork, waitFor } from '../../../lab/index.js';
import {
  allAgree,
  cpuDuring,
  fiftyEndpoints,
  startStore,
  stopStore,
  storeAnswers,
} from '../../helpers/outage.js';
import {
  addressOf,
  attachment,
  createNetwork,
  inNetworkOf,
  namespaces,
  pidOf,
  pings,
  quickest,
  runIdle,
} from '../../helpers/weft-lab.js';

const OUTAGE_MS = 6_000;
/** In a short outage its beginning is most of the cost: it can show a loop that spins, no more. */
const MOST_CPU_PERCENT = 25;
/** All agree within this time of Consul's return. */
const AGREE_MS = 30_000;

const lab = await Lab.create({ hosts: 3, engine: '28.5', store: 'consul', consulServers: 3 });
const [h1, h2, h3] = lab.hosts as [Host, Host, Host];

test.before(async (t) => {
  t.timeout(300_000);
  await fiftyEndpoints(lab);
});
test.after.always(async () => lab.close());

const [first] = lab.consul;

const outages: readonly {
  readonly how: string;
  readonly begin: () => Promise<void>;
  readonly end: () => Promise<void>;
}[] = [
  { how: 'refuses', begin: async () => stopStore(lab), end: async () => startStore(lab) },
  {
    how: 'swallows every packet',
    begin: async () => lab.partition(first!),
    end: async () => lab.heal(first!),
  },
  {
    how: 'has lost its leader',
    begin: async () => {
      for (const { server } of lab.consul.slice(1)) await server.kill();
    },
    end: async () => {
      for (const { server } of lab.consul.slice(1)) await server.start({ wait: false });
      await Promise.all(lab.consul.map(async ({ server }) => server.ready()));
    },
  },
];

for (const { how, begin, end } of outages) {
  test.serial(`I6: while Consul ${how} fifty endpoints go on and weftd idles`, async (t) => {
    t.timeout(250_000);
    const name = `late-${how.split(' ')[0]}`;
    const address = await addressOf(h2, 'h2-0', 'n1');
    await begin();
    const cpu = await cpuDuring(lab, async () => delay(OUTAGE_MS));
    t.log(`CPU ${cpu.map((each) => each.toFixed(2)).join(', ')} %`);
    for (const each of cpu) t.true(each < MOST_CPU_PERCENT, `CPU ${each.toFixed(2)} %`);
    t.true(await pings(h1, 'h1-0', address), 'traffic flows');
    await h1.docker('stop', '-t', '0', 'h1-1');
    await h1.docker('start', 'h1-1');
    t.true(await pings(h1, 'h1-1', address), 'a container that was stopped is started');
    await runIdle(h3, name, '--network', 'n1');
    t.true(await pings(h3, name, address), 'a new one reaches others');
    await end();
    await storeAnswers(lab);
    const tookMs = await allAgree(lab);
    t.log(`all agree ${(tookMs / 1000).toFixed(1)} s after its return`);
    t.true(tookMs < AGREE_MS, `all agree after ${tookMs} ms`);
    const moved = await addressOf(h1, 'h1-1', 'n1');
    t.true(await pings(h2, 'h2-0', moved), 'the moved one is reached');
    await h3.docker('rm', '--force', name);
    await allAgree(lab);
  });
}

test.serial(
  'I6: a Consul that comes and goes costs little CPU, and no write is lost',
  async (t) => {
    t.timeout(200_000);
    const { server } = first!;
    const cpu = await cpuDuring(lab, async () => {
      for (let round = 0; round < 6; round += 1) {
        await lab.partition(first!);
        await delay(1000);
        await lab.heal(first!);
        await delay(1000);
      }
    });
    t.log(`CPU ${cpu.map((each) => each.toFixed(2)).join(', ')} %`);
    for (const each of cpu) t.true(each < MOST_CPU_PERCENT, `CPU ${each.toFixed(2)} %`);
    for (let round = 0; round < 3; round += 1) {
      await server.kill();
      await h2.docker('restart', '-t', '0', 'h2-1');
      await server.start();
      await h2.docker('restart', '-t', '0', 'h2-2');
    }
    await storeAnswers(lab);
    const tookMs = await allAgree(lab);
    t.true(tookMs < AGREE_MS, `all agree after ${tookMs} ms`);
  },
);

test.serial('F8: a daemon stopped and started while Consul is down cuts nobody off', async (t) => {
  t.timeout(120_000);
  const address = await addressOf(h2, 'h2-0', 'n1');
  await stopStore(lab);
  const pid = await pidOf(h1, 'h1-0');
  const argv = ['busybox', 'timeout', '60', 'busybox', 'ping', '-i', '0.05', '-c', '200', address];
  const stream = inNetworkOf(h1, pid, argv);
  await h1.daemon.stop();
  t.true(await pings(h1, 'h1-1', address), 'while it is stopped');
  await h1.daemon.start();
  t.true(await pings(h1, 'h1-1', address), 'after its start');
  await runIdle(h1, 'f8', '--network', 'n1');
  t.true(await pings(h1, 'f8', address), 'a new container, from the reserve');
  t.regex((await stream).stdout, / 0% packet loss/);
  await startStore(lab);
  await h1.docker('rm', '--force', 'f8');
  await allAgree(lab);
});

test.serial('F11: an index that goes back and a leader that goes are followed whole', async (t) => {
  t.timeout(200_000);
  const snapshot = await (await fetch(`${first!.url}/v1/snapshot`)).arrayBuffer();
  await runIdle(h1, 'f11', '--network', 'n1');
  await h2.docker('restart', '-t', '0', 'h2-0');
  await allAgree(lab);
  // Consul is restored from yesterday's backup: what was written since is gone, and its index is an old one.
  const restored = await fetch(`${first!.url}/v1/snapshot`, { method: 'PUT', body: snapshot });
  t.is(restored.status, 200);
  t.log(`a restored backup: all agree after ${Math.round(await allAgree(lab))} ms`);
  t.true(await pings(h3, 'h3-0', await addressOf(h1, 'f11', 'n1')));

  const leader = await first!.leader();
  const leading = lab.consul.find(({ address }) => leader.startsWith(`${address}:`));
  const follower = leading === first ? lab.consul[1]! : leading!;
  await follower.server.kill();
  await h1.docker('rm', '--force', 'f11');
  await h2.docker('restart', '-t', '0', 'h2-0');
  t.log(`without ${follower.name}: all agree after ${Math.round(await allAgree(lab))} ms`);
  await follower.server.start();
});

/** h1's rows that lead to h2's, as `bridge fdb` prints them. */
async function rowsTo(host: Host, mac: string): Promise<string[]> {
  const rows: string[] = [];
  for (const namespace of await namespaces(host)) {
    const text = await host.execOk(['ip', 'netns', 'exec', namespace, 'bridge', 'fdb', 'show']);
    rows.push(...text.split('\n').filter((row) => row.startsWith(`${mac} `)));
  }
  return rows;
}

/** Whether a container of h1 is told one of h3-0's addresses: that of the first network that both are on. */
async function isNamed(): Promise<boolean> {
  const ask = ['docker', 'exec', 'h1-0', 'nslookup', '-type=a', 'h3-0.weft'];
  const { stdout } = await h1.exec(ask);
  const networks = ['n1', 'n2', 'n3', 'n4', 'n5'];
  const all = await Promise.all(networks.map(async (network) => addressOf(h3, 'h3-0', network)));
  return all.some((address) => stdout.split(/\s+/).includes(address));
}

const cuts = [
  { what: '5 seconds', ms: 5_000, untilHidden: false },
  { what: 'longer than its lease', ms: 0, untilHidden: true },
];
for (const { what, ms, untilHidden } of cuts) {
  test.serial(`D2: a host cut off for ${what} comes back whole, with nobody's help`, async (t) => {
    t.timeout(200_000);
    const { address, mac } = await attachment(h3, 'h3-0', 'n1');
    t.true((await rowsTo(h1, mac)).length > 0);
    await lab.partition(h3);
    await delay(ms);
    if (untilHidden) {
      const gone = async () => (await rowsTo(h1, mac)).length === 0;
      await waitFor('its rows to be hidden', gone, { timeoutMs: 60_000 });
    }
    await lab.heal(h3);
    await storeAnswers(lab);
    const tookMs = await allAgree(lab);
    t.log(`all agree ${(tookMs / 1000).toFixed(1)} s after the cable is in again`);
    t.true(tookMs < 10_000, `${tookMs} ms`);
    t.true(await pings(h1, 'h1-0', address));
    await waitFor('its names to be back', isNamed);
    t.true(await pings(h3, 'h3-0', await addressOf(h1, 'h1-0', 'n1')));
  });
}

test.serial(
  'D14: rules that somebody flushes are back within two seconds, and only those in use',
  async (t) => {
    await createNetwork(lab.hosts, 'dead');
    const vniOf = async (name: string): Promise<number> => {
      const list = JSON.parse(await h1.weft('network', 'ls', '--json')) as {
        name: string;
        vni: number;
      }[];
      return list.find((network) => network.name === name)!.vni;
    };
    const dead = await vniOf('dead');
    const live = await vniOf('n1');
    await h1.docker('network', 'rm', 'dead');
    for (const host of lab.hosts) await lacksNetwork(host, 'dead');
    await allAgree(lab);
    const [namespace] = await namespaces(h1);
    const inside = ['nsenter', `--net=/run/netns/${namespace}`];
    const ours = async (): Promise<string> =>
      (await h1.exec(['nft', 'list', 'table', 'inet', 'weft'])).stdout +
      (await h1.exec([...inside, 'nft', 'list', 'table', 'bridge', 'weft'])).stdout;
    const shape = (text: string): string => text.replaceAll(/counter packets \d+ bytes \d+/g, '');
    const right = shape(await ours());
    // nft has no word for a tunnel's VNI here: it shows the octets.
    const mentions = (text: string, vni: number): boolean =>
      text.includes(String(vni)) || text.includes(vni.toString(16));
    t.true(mentions(right, live) && right.includes('bridge weft'), right);
    const foreign = ['nft', 'add', 'table', 'inet', 'somebody'];
    for (const flush of [
      ['iptables', '-F'],
      ['nft', 'flush', 'table', 'inet', 'weft'],
      ['nft', 'flush', 'ruleset'],
      [...inside, 'nft', 'flush', 'ruleset'],
    ]) {
      const what = flush.join(' ');
      const back = async () => shape(await ours()) === right;
      const tookMs = await quickest(2000, async () => {
        await h1.execOk(foreign);
        await h1.execOk(flush);
        const began = performance.now();
        await waitFor(`our rules after ${what}`, back, { timeoutMs: 60_000 });
        return performance.now() - began;
      });
      t.log(`${what}: back after ${Math.round(tookMs)} ms`);
      t.true(tookMs < 2000, `${what}: ${tookMs} ms`);
    }
    t.false(mentions(await ours(), dead), 'no rule of a network that is gone');
    t.true(await pings(h1, 'h1-0', await addressOf(h2, 'h2-0', 'n1')));
    const tables = await h1.execOk(['nft', 'list', 'tables']);
    t.true(tables.includes('somebody'), 'a table that somebody made since is still theirs');
    await h1.execOk(['nft', 'delete', 'table', 'inet', 'somebody']);
  },
);

test.serial(
  'a container whose link somebody deletes has it back within two seconds, by its name and address',
  async (t) => {
    const pid = await pidOf(h1, 'h1-0');
    const own = await addressOf(h1, 'h1-0', 'n1');
    const link = async (): Promise<string | undefined> => {
      const { stdout } = await inNetworkOf(h1, pid, ['ip', '-o', '-4', 'address']);
      const line = stdout.split('\n').find((each) => each.includes(` ${own}/`));
      return /(eth\d+)/.exec(line ?? '')?.[1];
    };
    const name = (await link())!;
    const endpoint = await h1.docker(
      'inspect',
      '-f',
      '{{.NetworkSettings.Networks.n1.EndpointID}}',
      'h1-0',
    );
    const deletions = {
      'in the container': async () => inNetworkOf(h1, pid, ['ip', 'link', 'del', name]),
      'in its network': async () => {
        for (const namespace of await namespaces(h1)) {
          const inside = ['nsenter', `--net=/run/netns/${namespace}`];
          await h1.exec([...inside, 'ip', 'link', 'del', portLink(endpoint)]);
        }
      },
    };
    for (const [where, deleteLink] of Object.entries(deletions)) {
      const tookMs = await quickest(2000, async () => {
        await deleteLink();
        const began = performance.now();
        await waitFor(`the link deleted ${where}`, async () => (await link()) === name);
        return performance.now() - began;
      });
      t.log(`deleted ${where}: back after ${Math.round(tookMs)} ms`);
      t.true(tookMs < 2000, where);
      await waitFor('an answer', async () => pings(h2, 'h2-0', own));
    }
    t.regex(await h1.weft('events'), /h1-0 had lost its link to network n1; it has a new one/);
  },
);

test.serial(
  'containers whose networks lost their namespaces while weftd was dead have links again soon after its start',
  async (t) => {
    t.timeout(200_000);
    const pid = await pidOf(h1, 'h1-0');
    const own = await addressOf(h1, 'h1-0', 'n1');
    const other = await addressOf(h2, 'h2-0', 'n1');
    const shown = async () => (await inNetworkOf(h1, pid, ['ip', '-o', 'address'])).stdout;
    const linksOf = (text: string): string[] =>
      [...text.matchAll(/(eth\d+) +inet (\S+)/g)].map(([, link, address]) => `${link} ${address}`);
    const before = linksOf(await shown()).toSorted();
    await h1.daemon.kill();
    for (const name of await namespaces(h1)) {
      await h1.execOk(['umount', '-l', `/run/netns/${name}`]);
      await h1.execOk(['rm', '-f', `/run/netns/${name}`]);
    }
    await waitFor('the links to be gone', async () => !(await shown()).includes(`${own}/`));
    await h1.daemon.start();
    const back = async () =>
      linksOf(await shown())
        .toSorted()
        .join() === before.join();
    await waitFor('every link, with its name and address', back, { timeoutMs: 60_000 });
    await waitFor('an answer', async () => pings(h2, 'h2-0', own));
    t.true(await pings(h1, 'h1-0', other));
    t.regex(await h1.weft('events'), /h1-0 had lost its link to network n1; it has a new one/);
    await h1.docker('network', 'disconnect', 'n2', 'h1-0');
    await h1.docker('network', 'connect', 'n2', 'h1-0');
    t.true(await pings(h1, 'h1-0', await addressOf(h2, 'h2-0', 'n2')), 'Docker finds its way');
    await allAgree(lab);
  },
);
