import type { ExecutionContext } from 'ava';
import { type Host, type Lab, waitFor } from '../../lab/index.js';
import { askIn } from '../chaos/names.js';
import { DockerProxy } from './docker-proxy.js';
import { addressOf, createNetwork, runIdle } from './weft-lab.js';

const CONFIG = '/etc/weft/weft.json';
const PROXY = '/run/docker-proxy.sock';
const LANES = 4;
const END_MS = 300_000;
const NAMES = { timeoutMs: 90_000, intervalMs: 200 };

/**
 * So many containers end on the first host, and some come and go, while its daemon is told of no event: names are those of the ones that run, before
 * the stream moves again, and after what was late has come.
 */
export async function stallEvents(t: ExecutionContext, lab: Lab, count: number): Promise<void> {
  const [first, second] = [lab.host(0), lab.host(1)];
  await using proxy = await DockerProxy.start(first.path(PROXY), first.path('/run/docker.sock'));
  const before = JSON.parse(await first.readFile(CONFIG)) as Record<string, unknown>;
  const restarted = async (config: Record<string, unknown>): Promise<void> => {
    await first.configureWeft(config);
    await first.daemon.restart();
  };
  await restarted({ ...before, dockerSocket: PROXY });
  try {
    await createNetwork(lab.hosts.slice(0, 2), 'web');
    for (const host of [first, second]) await runIdle(host, 'client', '--network', 'web');
    await waitFor('the event streams', () => proxy.streams > 0);
    const running = new Map<string, string>();
    const names: string[] = [];
    const start = async (name: string): Promise<void> => {
      names.push(name);
      await runIdle(first, name, '--network', 'web');
      running.set(name, await addressOf(first, name, 'web'));
    };
    const areRight = async (): Promise<void> => {
      for (const host of [first, second]) {
        await waitFor(`names on ${host.name}`, () => namesAre(host, names, running), NAMES);
      }
    };
    const old = Array.from({ length: count }, (_, i) => `old-${i}`);
    await inLanes([...old, 'again'], start);
    await areRight();

    proxy.stall();
    const since = performance.now();
    await Promise.all([
      end(first, old),
      inLanes(['new-0', 'new-1', 'new-2', 'new-3'], start).then(async () => end(first, ['new-0'])),
      first.docker('restart', '-t', '0', 'again'),
    ]);
    for (const name of [...old, 'new-0']) running.delete(name);
    // Its end is told when it runs again.
    running.set('again', await addressOf(first, 'again', 'web'));
    t.log(`${count} ended and four came in ${seconds(since)} s`);
    const ended = performance.now();
    await areRight();
    t.log(`and names were right ${seconds(ended)} s later, with no event told`);

    proxy.resume();
    // Its events come after the late ones.
    await start('last');
    await areRight();
    t.pass();
  } finally {
    await restarted(before);
  }
}

async function inLanes(names: readonly string[], work: (name: string) => Promise<void>) {
  const left = names.values();
  const lane = async (): Promise<void> => {
    for (const name of left) await work(name);
  };
  await Promise.all(Array.from({ length: LANES }, lane));
}

async function end(host: Host, names: readonly string[]): Promise<void> {
  await host.execOk(['docker', 'kill', ...names], { timeoutMs: END_MS });
}

/** Throws what is wrong. */
async function namesAre(
  host: Host,
  names: readonly string[],
  running: ReadonlyMap<string, string>,
): Promise<true> {
  const told = await askIn(host, 'client', names);
  const wrong = names.filter((name) => told.get(name)?.join() !== (running.get(name) ?? ''));
  if (wrong.length === 0) return true;
  const about = wrong.map((name) => `${name} is ${told.get(name)?.join() ?? 'not asked'}`);
  throw new Error(`${about.slice(0, 10).join(', ')}; ${wrong.length} in all`);
}

function seconds(since: number): string {
  return ((performance.now() - since) / 1000).toFixed(1);
}
