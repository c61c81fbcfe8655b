import test from 'ava';
import { engineReleases, ensureEngine, imageName, waitFor } from '../../lab/index.js';
import { leaveClean, onHosts, sharedLab } from '../helpers/lab.js';

const lab = await sharedLab();
const three = onHosts(lab, 3);
const withConsul = lab.store === 'consul' ? test.serial : test.serial.skip;

test.afterEach.always(async (t) => leaveClean(lab, t));

test.serial('lab > every host runs containers on an engine of its own', async (t) => {
  const { version } = await ensureEngine(lab.engine);
  const said = await Promise.all(
    lab.hosts.map(async (host) => {
      t.is(await host.docker('version', '--format', '{{.Server.Version}}'), version, host.name);
      await host.docker(
        'run',
        '--detach',
        '--name',
        `only-${host.name}`,
        imageName,
        'sleep',
        '600',
      );
      return host.docker('ps', '--format', '{{.Names}}');
    }),
  );
  t.deepEqual(
    said,
    lab.hosts.map((host) => `only-${host.name}`),
  );
});

test.serial('lab > the engine is the release that was asked for, or the newest', async (t) => {
  const version = await lab.host(0).docker('version', '--format', '{{.Server.Version}}');
  if (lab.engine === engineReleases.at(-1)) t.true(Number.parseFloat(version) >= 28.5, version);
  else t.true(version.startsWith(lab.engine), version);
});

test.serial('lab > an image has ping, wget and a real ip', async (t) => {
  const host = lab.host(0);
  const links = await host.docker('run', '--rm', imageName, 'ip', '-json', 'link', 'show', 'lo');
  t.regex(links, /"ifname":"lo"/);
  const web = ['sh', '-c', 'echo hello > /index.html; exec httpd -f -h /'];
  await host.docker('run', '--detach', '--name', 'web', '--publish', '8080:80', imageName, ...web);
  const url = `http://${host.address}:8080/`;
  const reply = await waitFor('the published port', async () => (await fetch(url)).text());
  t.is(reply, 'hello\n');
});

three('lab > a partition takes a host off the network but leaves its link up', async (t) => {
  const [here, there] = [lab.host(0), lab.host(1)];
  const ping = ['busybox', 'ping', '-c', '1', '-W', '1', there.address];
  t.is((await here.exec(ping)).code, 0, 'before');
  await lab.partition(there);
  t.not((await here.exec(ping)).code, 0, 'while cut off');
  t.regex(await there.execOk(['ip', '-brief', 'link', 'show', 'eth0']), /LOWER_UP/);
  await lab.heal(there);
  t.is((await here.exec(ping)).code, 0, 'after');
});

test.serial('lab > an engine that was killed comes back and knows its containers', async (t) => {
  const host = lab.host(0);
  await host.docker(
    'run',
    '--detach',
    '--name',
    'kept',
    '--restart',
    'always',
    imageName,
    'sleep',
    '600',
  );
  await host.engine.kill();
  t.is(await host.engine.pid(), undefined);
  await host.engine.start();
  await waitFor('the container runs again', async () =>
    (await host.docker('ps', '--format', '{{.Names}}')).includes('kept'),
  );
  t.pass();
});

test.serial(
  'lab > a daemon that was killed is ready again when it answers, not before',
  async (t) => {
    const host = lab.host(0);
    await host.daemon.kill();
    t.is((await host.exec(['test', '-S', '/run/docker/plugins/weft.sock'])).code, 0, 'its socket');
    await host.daemon.start();
    t.regex(await host.weft('status'), /^daemon /m);
  },
);

withConsul(
  'lab > a frozen Consul accepts and never answers; a killed one keeps its data',
  async (t) => {
    const [consul] = lab.consul;
    if (consul === undefined) return t.fail('no Consul server');
    const key = `${consul.url}/v1/kv/lab-test`;
    const timed = (): { signal: AbortSignal } => ({ signal: AbortSignal.timeout(500) });
    t.is((await fetch(key, { method: 'PUT', body: 'kept', ...timed() })).status, 200);
    await consul.server.freeze();
    // The signal to stop takes a moment to arrive at every thread.
    await waitFor('no answer any more', async () =>
      fetch(key, timed()).then(
        () => false,
        (error: unknown) => (error as Error).name === 'TimeoutError',
      ),
    );
    await consul.server.thaw();
    await consul.server.kill();
    await t.throwsAsync(fetch(key, timed()), { name: 'TypeError' }, 'refused, as nobody listens');
    await consul.server.start();
    // Its log is replayed some time after it listens again.
    await waitFor('the value of before', async () => {
      const reply = await fetch(`${key}?raw`, { signal: AbortSignal.timeout(5000) });
      return (await reply.text()) === 'kept';
    });
    t.pass();
    return undefined;
  },
);
