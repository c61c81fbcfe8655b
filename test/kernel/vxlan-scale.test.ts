import { monitorEventLoopDelay } from 'node:perf_hooks';
import test, { type ExecutionContext } from 'ava';
import { NETWORK, VxlanLab, endpoint, peer, run, spec } from '../helpers/vxlan-lab.js';

const PEERS = 10_000;
const HOSTS = 50;
const vtep = (n: number) => `192.168.1.${(n % HOSTS) + 1}` as never;
const vteps = Array.from({ length: HOSTS }, (_, n) => vtep(n));
const peers = (shift = 0) =>
  Array.from({ length: PEERS }, (_, n) => peer(endpoint(n + 1000), vtep(n + shift)));

/** Runs it and writes down what it took; answers milliseconds of CPU, which a busy machine does not add to as it does to time. */
async function measure(
  t: ExecutionContext,
  name: string,
  fn: () => Promise<unknown>,
): Promise<number> {
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  const [start, before] = [performance.now(), process.cpuUsage()];
  await fn();
  const { user, system } = process.cpuUsage(before);
  const ms = performance.now() - start;
  delay.disable();
  const cpuMs = (user + system) / 1000;
  t.log(
    `${name}: ${ms.toFixed(1)} ms, CPU ${cpuMs.toFixed(1)} ms, longest delay of others ${(delay.max / 1e6).toFixed(1)} ms`,
  );
  return cpuMs;
}

const rows = (netns: string) => Number(run(netns, 'sh', '-c', 'bridge fdb | grep -c vxlan0'));

test('datapath > carries ten thousand peers on a network', async (t) => {
  await using lab = await VxlanLab.create();
  const host = lab.hosts[0]!;
  const { datapath } = host;
  await datapath.ensureNetwork(spec());
  const set = async (shift: number) => datapath.setRemote(NETWORK, { vteps, peers: peers(shift) });
  t.true((await measure(t, 'set ten thousand', async () => set(0))) < 3_000);
  // A tunnel row and a bridge row each, and of vxlan0 itself one.
  t.is(rows(host.network()), 2 * PEERS + HOSTS + 1);
  t.true((await measure(t, 'set the same again', async () => set(0))) < 500);
  const here = peers();
  await datapath.setRemote(NETWORK, { vteps, peers: here });
  const there = peer(endpoint(PEERS / 2 + 1000), vtep(PEERS / 2 + 1));
  const moved = { vteps, peers: here.with(PEERS / 2, there) };
  t.true(
    (await measure(t, 'move one', async () => datapath.setRemote(NETWORK, moved))) < 50,
    'costs what changed',
  );
  t.true((await measure(t, 'move all', async () => set(1))) < 3_000);
  await measure(t, 'attach one more here', async () =>
    datapath.ensureEndpoint(NETWORK, endpoint(1)),
  );
  for (let i = 0; i < 3; i += 1) {
    const round = measure(t, 'full round', async () => {
      const [report] = await datapath.reconcile({ prune: true });
      t.like(report, { created: 0, changed: 0, deleted: 0 });
    });
    t.true((await round) < 5_000);
  }
  t.true(
    (await measure(t, 'forget all', async () =>
      datapath.setRemote(NETWORK, { vteps: [], peers: [] }),
    )) < 3_000,
  );
  t.is(rows(host.network()), 1);
});

test('datapath > attaches an endpoint in a few milliseconds', async (t) => {
  await using lab = await VxlanLab.create();
  const { datapath } = lab.hosts[0]!;
  await datapath.ensureNetwork(spec());
  const took: number[] = [];
  for (let n = 1; n <= 100; n += 1) {
    const start = performance.now();
    await datapath.ensureEndpoint(NETWORK, endpoint(n));
    took.push(performance.now() - start);
  }
  took.sort((a, b) => a - b);
  const [median, p90] = [took[50]!, took[90]!];
  t.log(`ensureEndpoint: median ${median.toFixed(1)} ms, p90 ${p90.toFixed(1)} ms`);
  // Five when nothing else runs.
  t.true(median < 50);
});
