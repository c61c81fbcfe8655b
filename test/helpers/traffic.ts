/** Traffic that never pauses between two containers, each packet counted. */
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { type Host, Lab, type RunResult, projectDirectory, waitFor } from '../../lab/index.js';
import { addressOf, createNetwork, pidOf, runIdle } from './weft-lab.js';

const program = join(projectDirectory, 'test/helpers/traffic.py');
const stopFile = '/run/weft-traffic-stop';
const timeoutMs = 900_000;

interface Sent {
  readonly udp: number;
  readonly tcp: number;
  readonly echo: number;
  readonly answered: number;
  readonly error: string | null;
}

/**
 * Between two hosts: a TCP stream, 1,000 UDP packets and 100 pings a second. Meanwhile weftd is restarted and killed so many
 * times, on one host after the other; `policies`, of which each allows this traffic and nothing else, take turns. Asserts that nothing was
 * lost and no connection broke.
 */
export async function loseNothing(
  t: ExecutionContext,
  rounds: number,
  policies: readonly string[] = [],
): Promise<void> {
  await using lab = await Lab.create({ hosts: 2, engine: '28.5', store: 'consul' });
  const [h1, h2] = [lab.host(0), lab.host(1)];
  await createNetwork(lab.hosts, 'web');
  await runIdle(h1, 'from', '--network', 'web');
  await runIdle(h2, 'to', '--network', 'web');
  const address = await addressOf(h2, 'to', 'web');
  const apply = async (host: Host, turn: number): Promise<void> => {
    if (policies.length === 0) return;
    await host.writeFile('/run/weft-policy.yaml', policies[turn % policies.length]!);
    await host.weft('policy', 'apply', '-f', '/run/weft-policy.yaml', '--wait');
  };
  await apply(h1, 0);
  const receiving = python(h2, 'to', 'receive', address);
  await waitFor('the receiver', async () => {
    const pid = await pidOf(h2, 'to');
    const { stdout } = await h2.exec(['nsenter', '--net', '--target', pid, '--', 'ss', '-Hltn']);
    return stdout.includes(':7100');
  });
  const sending = python(h1, 'from', 'send', address, stopFile);

  const began = performance.now();
  for (let round = 0; round < rounds; round += 1) {
    const host = lab.host(round % 2);
    await apply(host, round + 1);
    await host.daemon.restart();
    await answers(host);
    await apply(host, round + 2);
    await host.daemon.kill();
    await host.daemon.start();
    await answers(host);
  }
  const seconds = (performance.now() - began) / 1000;
  await h1.writeFile(stopFile, '');
  const [sent, received] = await Promise.all([sending, receiving]);
  const out = JSON.parse(sent.stdout) as Sent;
  const into = JSON.parse(received.stdout.replace('ready\n', '')) as Pick<
    Sent,
    'udp' | 'tcp' | 'error'
  >;
  t.log(`${seconds.toFixed(0)} s: ${JSON.stringify(out)}, received ${JSON.stringify(into)}`);
  t.true(out.udp > 500 * seconds && out.echo > 50 * seconds, 'it did send');
  t.is(out.error ?? into.error, null);
  t.is(into.tcp, out.tcp, 'octets of the stream');
  t.is(into.udp, out.udp, 'datagrams');
  t.is(out.answered, out.echo, 'echo replies');
}

async function python(
  host: Host,
  container: string,
  ...args: readonly string[]
): Promise<RunResult> {
  const inside = ['nsenter', '--net', '--target', await pidOf(host, container), '--'];
  return host.exec([...inside, 'python3', program, ...args], { timeoutMs });
}

/** A killed daemon leaves its socket, so that the file is no sign of life. */
async function answers(host: Host): Promise<void> {
  await waitFor(`weftd on ${host.name}`, async () => host.weft('status'));
}
