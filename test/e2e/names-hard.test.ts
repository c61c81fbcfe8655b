/** Names under what breaks them elsewhere: races and flapping; and how soon they come and go. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import test from 'ava';
import { projectDirectory, waitFor } from '../../lab/index.js';
import { leaveClean, onHosts, sharedLab } from '../helpers/lab.js';
import { stallEvents } from '../helpers/stalled-events.js';
import {
  addressOf,
  createNetwork,
  inNetworkOf,
  pidOf,
  runIdle,
  startDaemons,
} from '../helpers/weft-lab.js';

const lab = await sharedLab();
const two = onHosts(lab, 2);
const [first, second] = lab.hosts;
const helper = (name: string): string => join(projectDirectory, 'test/helpers', name);

test.before(async () => startDaemons(lab));
test.afterEach.always(async (t) => leaveClean(lab, t));

/** The addresses that a container on the second host is given for a name, sorted. */
async function answers(name: string): Promise<string> {
  const argv = ['docker', 'exec', 'client', 'nslookup', '-type=a', name];
  const { stdout } = await second!.exec(argv);
  const found = stdout
    .split('\n\n')
    .slice(1)
    .join('\n')
    .matchAll(/^Address: *(\S+)$/gm);
  return Array.from(found, ([, address]) => address ?? '')
    .toSorted()
    .join(' ');
}

async function untilAnswered(name: string, addresses: readonly string[]): Promise<void> {
  const wanted = addresses.toSorted().join(' ');
  await waitFor(`${name} to be ${wanted}`, async () => (await answers(name)) === wanted, {
    timeoutMs: 60_000,
  });
}

two(
  'names > W7: A and AAAA asked at once from one socket, 20,000 times, are both answered',
  async (t) => {
    await createNetwork(lab.hosts, 'web');
    await runIdle(first!, 'api', '--network', 'web');
    await runIdle(second!, 'client', '--network', 'web');
    const address = await addressOf(first!, 'api', 'web');
    await untilAnswered('api', [address]);
    const argv = ['python3', helper('dns-pairs.py'), 'api', address, '20000'];
    const { stdout, stderr } = await inNetworkOf(second!, await pidOf(second!, 'client'), argv);
    t.log(stdout.trim());
    const { wrong, p999 } = JSON.parse(stdout || `"${stderr}"`) as { wrong: number; p999: number };
    t.is(wrong, 0);
    // weave#3287 and flannel#1004 were five seconds; what is promised, 100 ms, is within one.
    t.true(p999 < 1000, `${p999} ms`);
  },
);

two(
  'names > D8: a name of containers that connect and disconnect is told as theirs who are connected',
  async (t) => {
    await createNetwork(lab.hosts, 'web');
    await runIdle(second!, 'client', '--network', 'web');
    const containers = ['c0', 'c1', 'c2', 'c3'];
    const connect = ['network', 'connect', '--alias', 'all', 'web'];
    for (const name of containers) {
      await runIdle(first!, name, '--network', 'none');
      await first!.docker('network', 'disconnect', 'none', name);
    }
    for (let round = 0; round < 4; round += 1) {
      const addresses: string[] = [];
      for (const name of containers) {
        await first!.docker(...connect, name);
        addresses.push(await addressOf(first!, name, 'web'));
      }
      await untilAnswered('all.web.weft', addresses);
      const [gone] = containers;
      await first!.docker('network', 'disconnect', 'web', gone!);
      await untilAnswered('all.web.weft', addresses.slice(1));
      for (const name of containers.slice(1)) {
        await first!.docker('network', 'disconnect', 'web', name);
      }
      await untilAnswered('all.web.weft', []);
    }
    t.pass();
  },
);

two('names > W5: what ended while no event was told has no name, now or later', async (t) =>
  stallEvents(t, lab, 12),
);

interface Seen {
  readonly came?: number;
  readonly went?: number;
}

/** When Docker says that each container started and died, ms since 1970. */
async function dockerTimes(since: number): Promise<Map<string, Seen>> {
  const range = [
    '--since',
    `${Math.floor(since / 1000)}`,
    '--until',
    `${Math.ceil(Date.now() / 1000)}`,
  ];
  const filters = ['--filter', 'event=start', '--filter', 'event=die', '--format', '{{json .}}'];
  const text = await first!.docker('events', ...range, ...filters);
  const times = new Map<string, { came?: number; went?: number }>();
  for (const line of text.split('\n').filter(Boolean)) {
    const event = JSON.parse(line) as {
      Action: string;
      timeNano: number;
      Actor: { Attributes: { name: string } };
    };
    const { name } = event.Actor.Attributes;
    const at = times.get(name) ?? {};
    times.set(name, at);
    at[event.Action === 'start' ? 'came' : 'went'] = event.timeNano / 1e6;
  }
  return times;
}

two(
  'names > a name is known on another host soon after Docker says started, and gone soon after it says died',
  async (t) => {
    await createNetwork(lab.hosts, 'web');
    await runIdle(second!, 'client', '--network', 'web');
    const pid = await pidOf(second!, 'client');
    const inside = ['nsenter', '--net', '--target', pid, '--', 'python3', helper('dns-watch.py')];
    const [file = '', ...args] = second!.enter(inside);
    const watcher = spawn(file, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    let out = '';
    watcher.stdout.on('data', (data: Buffer) => (out += data.toString()));
    const since = Date.now();
    const names = Array.from({ length: 10 }, (_, i) => `short-${i}`);
    watcher.stdin.write(`${names.map((name) => `${name}.weft`).join('\n')}\n`);
    for (const name of names) {
      await runIdle(first!, name, '--network', 'web');
      await untilAnswered(`${name}.weft`, [await addressOf(first!, name, 'web')]);
      await first!.docker('kill', name);
      await untilAnswered(`${name}.weft`, []);
    }
    watcher.stdin.end();
    await once(watcher, 'close');
    const seen = JSON.parse(out) as Record<string, Seen>;
    const docker = await dockerTimes(since);
    const late = { came: [] as number[], went: [] as number[] };
    for (const name of names) {
      const at = seen[`${name}.weft`];
      for (const what of ['came', 'went'] as const) {
        late[what].push((at?.[what] ?? Infinity) - (docker.get(name)?.[what] ?? Infinity));
      }
    }
    for (const what of ['came', 'went'] as const) {
      const sorted = late[what].toSorted((a, b) => a - b).map(Math.round);
      t.log(what, sorted.join(' '), 'ms');
      // Promised are 100 ms to all of them; half are asked to be within ten times that, however busy the machine is.
      t.true(sorted[sorted.length >> 1]! < 1000, `${what}: ${sorted.join(' ')} ms`);
    }
  },
);
