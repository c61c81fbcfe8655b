/** How soon names come and go on another host, by the clock that Docker's events have. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { type Host, type Lab, projectDirectory, waitFor } from '../../lab/index.js';
import { addressOf, pidOf, runIdle } from './weft-lab.js';

interface Seen {
  readonly came?: number;
  readonly went?: number;
}

export interface NameTimes {
  /** After Docker said that the container started, ms. */
  readonly came: readonly number[];
  /** After it said that it died, ms. */
  readonly went: readonly number[];
}

/**
 * Starts and kills containers on the first host, one after another, while "client" on the second asks for their names, each
 * `count` ms apart. Both hosts have the network "web".
 */
export async function nameTimes(lab: Lab, count: number): Promise<NameTimes> {
  const [first, second] = [lab.host(0), lab.host(1)];
  const program = join(projectDirectory, 'test/helpers/dns-watch.py');
  const pid = await pidOf(second, 'client');
  const inside = ['nsenter', '--net', '--target', pid, '--', 'python3', program];
  const [file = '', ...args] = second.enter(inside);
  const watcher = spawn(file, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  let out = '';
  watcher.stdout.on('data', (data: Buffer) => (out += data.toString()));
  const since = Date.now();
  const names = Array.from({ length: count }, (_, i) => `short-${i}`);
  watcher.stdin.write(`${names.map((name) => `${name}.weft`).join('\n')}\n`);
  for (const name of names) {
    await runIdle(first, name, '--network', 'web');
    await answered(second, `${name}.weft`, [await addressOf(first, name, 'web')]);
    await first.docker('kill', name);
    await answered(second, `${name}.weft`, []);
  }
  const closed = once(watcher, 'close');
  watcher.stdin.end();
  await closed;
  await first.docker('rm', '--force', ...names);
  const seen = JSON.parse(out) as Record<string, Seen>;
  const docker = await dockerTimes(first, since);
  const late = (what: keyof Seen): number[] =>
    names.map((name) => {
      const at = seen[`${name}.weft`]?.[what] ?? Infinity;
      return Math.round(at - (docker.get(name)?.[what] ?? Infinity));
    });
  return { came: late('came'), went: late('went') };
}

/** Until "client" on the host is given these addresses for a name. */
export async function answered(
  host: Host,
  name: string,
  addresses: readonly string[],
): Promise<void> {
  const wanted = addresses.toSorted().join(' ');
  const isAnswered = async (): Promise<boolean> => (await answers(host, name)) === wanted;
  await waitFor(`${name} to be ${wanted}`, isAnswered, { timeoutMs: 60_000 });
}

async function answers(host: Host, name: string): Promise<string> {
  const argv = ['docker', 'exec', 'client', 'nslookup', '-type=a', name];
  const { stdout } = await host.exec(argv);
  const found = stdout
    .split('\n\n')
    .slice(1)
    .join('\n')
    .matchAll(/^Address: *(\S+)$/gm);
  return Array.from(found, ([, address]) => address ?? '')
    .toSorted()
    .join(' ');
}

/** When Docker says that each container started and died, ms since 1970. */
async function dockerTimes(host: Host, since: number): Promise<Map<string, Seen>> {
  const range = [
    '--since',
    `${Math.floor(since / 1000)}`,
    '--until',
    `${Math.ceil(Date.now() / 1000)}`,
  ];
  const filters = ['--filter', 'event=start', '--filter', 'event=die', '--format', '{{json .}}'];
  const text = await host.docker('events', ...range, ...filters);
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
