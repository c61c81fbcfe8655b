/** Hosts whose first hour is one of a network split in two. */
import test from 'ava';
import {
  type Host,
  Lab,
  type Machine,
  hasNetwork,
  networkNames,
  waitFor,
} from '../../../lab/index.js';
import { addressOf, pings, runIdle } from '../../helpers/weft-lab.js';

const lab = await Lab.create({
  hosts: 3,
  engine: '28.5',
  store: 'consul',
  consulServers: 3,
  startWeft: false,
});
const [h1, h2, h3] = lab.hosts as [Host, Host, Host];
const [consul1, consul2, consul3] = lab.consul;
const create = ['network', 'create', '-d', 'weft', '--ipam-driver', 'weft'];

test.after.always(async () => lab.close());

/** Between the machines of two sides every packet is dropped (`-I`), or no longer (`-D`). */
async function cut(
  how: '-I' | '-D',
  [left, right]: readonly [readonly Machine[], readonly Machine[]],
): Promise<void> {
  const drop = async (machine: Machine, others: readonly Machine[]): Promise<void> => {
    for (const { address } of others) {
      await machine.execOk(['iptables', how, 'INPUT', '-s', address, '-j', 'DROP']);
    }
  };
  for (const machine of left) await drop(machine, right);
  for (const machine of right) await drop(machine, left);
}

async function subnetOf(host: Host, network: string): Promise<string> {
  const template = '{{(index .IPAM.Config 0).Subnet}}';
  return host.docker('network', 'inspect', '-f', template, network);
}

test.serial(
  'W1: of hosts that begin in two partitions with an empty store one side refuses, and after the cut there is one of everything',
  async (t) => {
    t.timeout(280_000);
    const sides = [
      [consul1!, consul2!, h1],
      [consul3!, h2, h3],
    ] as const;
    for (const [host, consul] of [
      [h1, consul1],
      [h2, consul3],
      [h3, consul3],
    ] as const) {
      await host.configureWeft({
        ...lab.weftConfig(),
        store: { kind: 'consul', address: consul!.url },
      });
    }
    await cut('-I', sides);
    await waitFor(
      'a leader on the larger side',
      async () => {
        const leader = await consul1!.leader();
        return leader !== '' && !leader.startsWith(`${consul3!.address}:`);
      },
      { timeoutMs: 60_000 },
    );
    await Promise.all(lab.hosts.map(async ({ daemon }) => daemon.start()));

    await h1.docker(...create, 'web');
    await h1.docker(...create, 'db');
    await runIdle(h1, 'one', '--network', 'web');
    for (const [host, ...more] of [[h2], [h3, '--subnet', '10.77.0.0/24']] as const) {
      const refused = await host.tryDocker(...create, ...more, 'web');
      t.not(refused.code, 0);
      t.regex(refused.stderr, /the shared store is out of reach/, host.name);
      t.false((await networkNames(host)).includes('web'), 'nothing is half made');
    }
    t.regex(await h2.weft('status'), /not reachable|unreachable/);

    await cut('-D', sides);
    await consul3!.rejoin();
    for (const host of [h2, h3]) for (const name of ['web', 'db']) await hasNetwork(host, name);
    for (const name of ['web', 'db']) {
      const subnets = await Promise.all(lab.hosts.map(async (host) => subnetOf(host, name)));
      t.is(new Set(subnets).size, 1, `${name}: ${subnets.join(' ')}`);
    }
    t.not(await subnetOf(h1, 'web'), await subnetOf(h1, 'db'));
    await h3.docker(...create, 'late');
    const seen = JSON.parse(await h1.weft('network', 'ls', '--json')) as {
      readonly name: string;
      readonly vni: number;
    }[];
    t.deepEqual(seen.map(({ name }) => name).toSorted(), ['db', 'late', 'web']);
    t.is(new Set(seen.map(({ vni }) => vni)).size, 3);
    await runIdle(h2, 'two', '--network', 'web');
    t.true(
      await waitFor('an answer', async () => pings(h2, 'two', await addressOf(h1, 'one', 'web'))),
    );
  },
);
