/** How soon a container that has just started answers a container on another host. */
import { type Host, imageName, runOk } from '../../lab/index.js';
import { type Samples, alternate } from '../samples.js';

interface Shared {
  readonly subject: string;
  readonly network: string;
  /** What its new containers' addresses begin with. */
  readonly addresses: string;
}

export interface FirstPacketOptions {
  readonly here: Host;
  readonly elsewhere: Host;
  readonly samples: Samples;
  readonly runs: number;
  readonly networks: readonly Shared[];
}

const PROBE_TIMEOUT_MS = 30_000;

/**
 * From the return of `docker run` until the answer to the first ping that has one. The pings begin with that return, one after another;
 * starting one is part of the time, the same for all subjects.
 */
export async function measureFirstPackets(options: FirstPacketOptions): Promise<void> {
  const { here, elsewhere, samples, runs, networks } = options;
  const askers = new Map<string, number>();
  for (const { subject, network } of networks) {
    askers.set(subject, await asker(elsewhere, `asker-${subject}`, network));
  }
  let number = 0;
  await alternate(runs, networks, async ({ subject, network, addresses }) => {
    number += 1;
    const address = `${addresses}${String(number).padStart(2, '0')}`;
    const at = ['--network', network, '--ip', address];
    await here.docker('run', '-d', '--name', 'first', ...at, imageName, 'sleep', '600');
    const returned = performance.now();
    await answered(askers.get(subject)!, address);
    samples.add(subject, 'first packet after docker run', 'ms', performance.now() - returned);
    await here.docker('rm', '--force', 'first');
  });
  await elsewhere.docker('rm', '--force', ...networks.map(({ subject }) => `asker-${subject}`));
}

/** A container that asks; its process, as the jail counts. */
async function asker(host: Host, name: string, network: string): Promise<number> {
  await host.docker('run', '-d', '--name', name, '--network', network, imageName, 'sleep', '600');
  return Number(await host.docker('inspect', '--format', '{{.State.Pid}}', name));
}

async function answered(pid: number, address: string): Promise<void> {
  const script = `until ping -c 1 -W 1 ${address}; do :; done`;
  const argv = ['nsenter', '--target', String(pid), '--net', '--mount', 'sh', '-c', script];
  await runOk(argv, { timeoutMs: PROBE_TIMEOUT_MS });
}
