/** A daemon that is killed between any two messages to the kernel leaves nothing that stands in its successor's way. */
import { request } from 'node:http';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { projectDirectory, waitFor } from '../../lab/index.js';
import { leaveClean, sharedLab } from '../helpers/lab.js';
import {
  createNetwork,
  namespaces,
  networkKeys,
  nothingLeft,
  startDaemons,
} from '../helpers/weft-lab.js';

const lab = await sharedLab();
const host = lab.host(0);
// What is tested is between the daemon and the kernel; one engine and one store show it.
const once = lab.engine === '28.5' && lab.store === 'consul' ? test.serial : test.serial.skip;

const trigger = '/run/weft-die-after';
const env = {
  DIE_AFTER: trigger,
  NODE_OPTIONS: `--import=${join(projectDirectory, 'dist/test/helpers/die-after.js')}`,
};
/** More messages than any call sends. */
const many = 40;

test.afterEach.always(async (t) => {
  await host.execOk(['rm', '-f', trigger]);
  await host.daemon.stop();
  await leaveClean(lab, t);
});
test.after.always(async () => nothingLeft(lab));

once(
  'crash > a daemon killed after any message of CreateEndpoint or DeleteEndpoint does it all when asked again',
  async (t) => {
    t.timeout(280_000);
    await startDaemon();
    await startDaemons(lab);
    await createNetwork(lab.hosts, 'web');
    const before = await waitFor('rows for the other hosts', async () => {
      const found = await traces();
      const floods = found.forwarding?.filter((row) => row.startsWith('00:00:00:00:00:00'));
      return floods?.length === lab.hosts.length - 1 ? found : undefined;
    });
    const networkId = await host.docker('network', 'inspect', '-f', '{{.Id}}', 'web');
    const poolId = (await networkKeys(lab))
      .find((key) => key.includes('/pools/'))!
      .split('/')
      .at(-1);
    const { Address } = await call('IpamDriver.RequestAddress', { PoolID: poolId });
    const endpoint = { NetworkID: networkId, EndpointID: 'c'.repeat(64) };
    const create = async (): Promise<void> => {
      await call('NetworkDriver.CreateEndpoint', { ...endpoint, Interface: { Address } });
      await call('NetworkDriver.Join', { ...endpoint, SandboxKey: '' });
    };
    const remove = async (): Promise<void> => {
      await call('NetworkDriver.DeleteEndpoint', endpoint);
    };

    await create();
    const whole = await traces();
    t.is(whole.links.length, before.links.length + 2, 'both ends of a veth pair');
    await remove();
    t.deepEqual(await traces(), before);

    const crashes = { create: 0, remove: 0 };
    for (let k = 1; k < many && (await dies(create, k)); k += 1) {
      crashes.create = k;
      await create();
      t.deepEqual(await traces(), whole, `created after a crash after message ${k}`);
      await remove();
      t.deepEqual(await traces(), before, `removed after a crash after message ${k}`);
    }
    for (let k = 1; k < many; k += 1) {
      await create();
      if (!(await dies(remove, k))) break;
      crashes.remove = k;
      await remove();
      t.deepEqual(await traces(), before, `removed again after a crash after message ${k}`);
    }
    t.log(
      `died after each of ${crashes.create} messages of creation, ${crashes.remove} of removal`,
    );
    assertSome(t, crashes);
  },
);

/** Fails when the daemon never died, or never came to the end: then the test shows nothing. */
function assertSome(t: ExecutionContext, crashes: Readonly<Record<string, number>>): void {
  for (const [what, count] of Object.entries(crashes)) t.true(count > 0 && count < many - 1, what);
}

/** Asks for `what` of a daemon that dies after message `k`; false when it was done before that. A daemon runs afterwards. */
async function dies(what: () => Promise<void>, k: number): Promise<boolean> {
  await host.writeFile(trigger, String(k));
  const died = await what().then(
    () => false,
    () => true,
  );
  await host.execOk(['rm', trigger]);
  if (!died) return false;
  await host.daemon.kill();
  await startDaemon();
  return true;
}

async function startDaemon(): Promise<void> {
  await host.daemon.stop();
  await host.daemon.start({ env });
  // A killed daemon leaves its socket, so that the file is there before anybody listens.
  await waitFor('the plugin to answer', async () =>
    call('Plugin.Activate', {}).catch(() => undefined),
  );
}

/** All that an endpoint leaves traces in, without numbers that count up. */
async function traces(): Promise<
  Readonly<Record<string, readonly string[]>> & { links: string[] }
> {
  const [namespace] = await namespaces(host);
  const inside = ['nsenter', `--net=/run/netns/${namespace}`];
  const ours = JSON.parse(await host.execOk(['ip', '-j', 'link'])) as { ifname: string }[];
  const theirs = JSON.parse(await host.execOk([...inside, 'ip', '-j', 'link'])) as typeof ours;
  const lines = async (...argv: readonly string[]): Promise<string[]> =>
    (await host.execOk([...inside, ...argv])).trim().split('\n').toSorted();
  return {
    links: [...ours, ...theirs].map(({ ifname }) => ifname),
    // A port has a MAC of its own by chance; nobody sends to it.
    forwarding: (await lines('bridge', 'fdb', 'show'))
      .map((row) => row.replace(/^\S+ (?=dev port\w+ master br0 permanent)/, '* '))
      .toSorted(),
    neighbors: await lines('ip', 'neigh', 'show', 'nud', 'permanent'),
    filter: await lines('nft', 'list', 'ruleset'),
  };
}

/** One call of Docker's plugin protocol; throws what the daemon answers to it, or that it went away. */
async function call(method: string, body: unknown): Promise<Readonly<Record<string, unknown>>> {
  const socketPath = host.path('/run/docker/plugins/weft.sock');
  const text = await new Promise<string>((resolve, reject) => {
    const options = {
      socketPath,
      path: `/${method}`,
      method: 'POST',
      agent: false,
      timeout: 20_000,
    };
    const sent = request(options, (reply) => {
      let got = '';
      reply.on('data', (chunk: Buffer) => (got += chunk.toString()));
      reply.on('error', reject);
      reply.on('end', () => (reply.statusCode === 200 ? resolve(got) : reject(new Error(got))));
    });
    sent.on('timeout', () => sent.destroy(new Error(`${method} has no answer`)));
    sent.on('error', reject);
    sent.end(JSON.stringify(body));
  });
  return JSON.parse(text) as Readonly<Record<string, unknown>>;
}
