/** Docker, weft and Consul start, stop and fail in every order; containers end up where they were. */
import test, { type ExecutionContext } from 'ava';
import { imageName, waitFor } from '../../lab/index.js';
import { leaveClean, sharedLab } from '../helpers/lab.js';
import {
  addressOf,
  createNetwork,
  listed,
  nothingLeft,
  pings,
  runIdle,
  startDaemons,
} from '../helpers/weft-lab.js';

const lab = await sharedLab();
const host = lab.host(0);
// Which of the engine's words mean that weft is missing is the same in all; the unit tests have them.
const once = lab.engine === '28.5' && lab.store === 'consul' ? test.serial : test.serial.skip;
/** As many as in the field; each costs Docker 15 s while weft is missing, so a full run is for the patient. */
const many = process.env['WEFT_TEST_FULL'] === undefined ? 4 : 74;
const socket = '/run/docker/plugins/weft.sock';
const always = ['--network', 'web', '--restart', 'always'];

test.before(async () => startDaemons(lab));
test.afterEach.always(async (t) => {
  await leaveClean(lab, t);
  await startDaemons(lab);
});
test.after.always(async () => nothingLeft(lab));

async function running(): Promise<string[]> {
  const text = await host.docker('ps', '--format', '{{.Names}}');
  return text.split('\n').filter((name) => name !== '');
}

async function allRun(names: readonly string[], timeoutMs = 120_000): Promise<void> {
  await waitFor(
    `${names.length} containers to run`,
    async () => {
      const now = new Set(await running());
      return names.every((name) => now.has(name));
    },
    { timeoutMs, intervalMs: 500 },
  );
}

/** Every container has an address of its own and is in weft's list; the first reaches the last. */
async function isWhole(t: ExecutionContext, names: readonly string[]): Promise<void> {
  const addresses = await Promise.all(names.map(async (name) => addressOf(host, name, 'web')));
  t.is(new Set(addresses).size, names.length, addresses.join(' '));
  t.true(await pings(host, names[0]!, addresses.at(-1)!));
  await waitFor(
    'weft to list just these endpoints',
    async () => (await listed(host, 'endpoint')).length === names.length,
    { timeoutMs: 90_000 },
  );
}

async function withoutWeft(): Promise<void> {
  await host.daemon.kill();
  await host.execOk(['rm', '-f', socket]); // as after a boot
}

async function engineAnswers(timeoutMs: number): Promise<void> {
  const answers = async (): Promise<boolean> => (await host.tryDocker('ps')).code === 0;
  await waitFor('the engine to answer', answers, { timeoutMs });
}

once(
  'D15: containers that Docker gave up on because weft was not there run once it is, those that somebody stopped do not',
  async (t) => {
    t.timeout(many * 20_000 + 300_000);
    await createNetwork([host], 'web', '--subnet', '10.79.0.0/24');
    const names = Array.from({ length: many }, (_, i) => `c${i}`);
    await runIdle(host, 'c0', ...always, '--ip', '10.79.0.99');
    for (const name of names.slice(1)) await runIdle(host, name, ...always);
    await runIdle(host, 'no-policy', '--network', 'web');
    await runIdle(host, 'by-hand', '--network', 'web', '--restart', 'unless-stopped');
    await host.docker('stop', '--time', '0', 'by-hand');

    await host.engine.stop();
    await withoutWeft();
    const before = (await host.engine.log()).length;
    await host.engine.start({ wait: false });
    await waitFor(
      'Docker to give up on a container',
      async () => (await host.engine.log()).slice(before).includes('failed to start container'),
      { timeoutMs: 120_000 },
    );
    await host.daemon.start();
    await engineAnswers(many * 16_000 + 60_000);
    await allRun(names);
    t.is(await addressOf(host, 'c0', 'web'), '10.79.0.99');
    await isWhole(t, names);
    t.regex(await host.weft('events'), /started: Docker had given up on it while weft was away/);
    const stopped = await running();
    t.false(stopped.includes('no-policy') || stopped.includes('by-hand'), stopped.join(' '));

    // With Consul away as well: from the reserve, and no call without an end.
    const [consul] = lab.consul;
    await consul!.server.stop();
    await Promise.all([host.engine.stop(), host.daemon.stop()]);
    const begin = performance.now();
    await Promise.all([host.daemon.start(), host.engine.start({ wait: false })]);
    await engineAnswers(120_000);
    t.log(`without Consul the engine answers after ${Math.round(performance.now() - begin)} ms`);
    await consul!.server.start();
    await allRun(names);
    await isWhole(t, names);
  },
);

once('W6: all at once after a power cut, and an engine restarted under live-restore', async (t) => {
  t.timeout(280_000);
  await createNetwork([host], 'web', '--subnet', '10.79.0.0/24');
  const names = ['one', 'two', 'three'];
  await runIdle(host, 'one', ...always, '--ip', '10.79.0.99');
  for (const name of names.slice(1)) await runIdle(host, name, ...always);
  const pids = await host.docker('inspect', '-f', '{{.State.Pid}}', ...names);
  await Promise.all([host.engine.kill(), host.daemon.kill()]);
  await host.execOk([
    'sh',
    '-c',
    `kill -9 ${pids.split('\n').join(' ')}; rm -rf ${socket} /run/weft`,
  ]);
  await Promise.all([host.engine.start({ wait: false }), host.daemon.start()]);
  await engineAnswers(120_000);
  await allRun(names);
  await isWhole(t, names);

  const config = '/etc/docker/daemon.json';
  const text = await host.execOk(['cat', config]);
  const live = { ...(JSON.parse(text) as object), 'live-restore': true };
  await host.writeFile(config, JSON.stringify(live));
  await host.engine.restart();
  await allRun(names);
  const before = await addressOf(host, 'two', 'web');
  const kept = await host.docker('inspect', '-f', '{{.State.Pid}}', ...names);
  await Promise.all([host.engine.stop(), host.daemon.stop()]);
  await Promise.all([host.engine.start({ wait: false }), host.daemon.start()]);
  await engineAnswers(120_000);
  t.is(await host.docker('inspect', '-f', '{{.State.Pid}}', ...names), kept, 'never stopped');
  t.is(await addressOf(host, 'two', 'web'), before);
  await isWhole(t, names);
  await host.writeFile(config, text);
  await host.engine.restart();
});

once(
  'C2: Docker stops after weft did, as when the plugin is a container: nothing hangs, nothing leaks',
  async (t) => {
    t.timeout(280_000);
    await createNetwork([host], 'web', '--subnet', '10.79.0.0/24');
    await runIdle(host, 'one', ...always, '--ip', '10.79.0.99');
    await withoutWeft();
    const pid = await host.engine.signal('SIGTERM');
    t.truthy(pid);
    await waitFor('the engine to end', async () => (await host.engine.pid()) === undefined, {
      timeoutMs: 120_000,
    });
    await host.engine.start({ wait: false });
    await host.daemon.start();
    await engineAnswers(120_000);
    await allRun(['one']);
    await host.docker('run', '--detach', '--name', 'two', ...always, imageName, 'sleep', '3600');
    t.is(await addressOf(host, 'one', 'web'), '10.79.0.99');
    await isWhole(t, ['one', 'two']);
  },
);
