/** Names under what breaks them elsewhere: races and flapping; and how soon they come and go. */
import { join } from 'node:path';
import test from 'ava';
import { projectDirectory } from '../../lab/index.js';
import { leaveClean, onHosts, sharedLab } from '../helpers/lab.js';
import { answered, nameTimes } from '../helpers/name-times.js';
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

const untilAnswered = async (name: string, addresses: readonly string[]): Promise<void> =>
  answered(second!, name, addresses);

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

two(
  'names > a name is known on another host soon after Docker says started, and gone soon after it says died',
  async (t) => {
    await createNetwork(lab.hosts, 'web');
    await runIdle(second!, 'client', '--network', 'web');
    const times = await nameTimes(lab, 10);
    for (const what of ['came', 'went'] as const) {
      const sorted = times[what].toSorted((a, b) => a - b);
      t.log(what, sorted.join(' '), 'ms');
      // Promised are 100 ms to all of them; half are asked to be within ten times that, however busy the machine is.
      t.true(sorted[sorted.length >> 1]! < 1000, `${what}: ${sorted.join(' ')} ms`);
    }
  },
);
