/** One address and one name, given to container after container whose labels differ. */
import { setTimeout as delay } from 'node:timers/promises';
import type { ExecutionContext } from 'ava';
import { type Host, type Lab, imageName, waitFor } from '../../lab/index.js';
import { createNetwork, runWeb } from './weft-lab.js';

const DB = '10.83.1.11';
const JOB = '10.83.0.50';
/** From the container's first instruction on, again and again; whoever may not is not answered. */
const KNOCKS = `while :; do nc -w 1 ${DB} 80 </dev/null >/dev/null 2>&1 && echo in; done`;
const LOOK_MS = 700;

/**
 * Every other of `count` containers may reach the database; each knocks from its first instruction on. Asserts that all of those get in
 * and none of the others ever does. Answers how long it took them, in words.
 */
export async function reuseOneAddress(
  t: ExecutionContext,
  lab: Lab,
  count: number,
): Promise<string> {
  const [h1, h2] = lab.hosts as [Host, Host];
  await createNetwork(lab.hosts, 'web', '--subnet', '10.83.0.0/16');
  await runWeb(h2, 'db', '--network', 'web', '--ip', DB);
  await h1.writeFile(
    '/run/policy.yaml',
    'name: db\nnetworks: [web]\nendpoints: { names: [db] }\n' +
      'ingress: [{ action: allow, from: [{ labels: { app: job } }], ports: [tcp/80] }]\n',
  );
  await h1.weft('policy', 'apply', '-f', '/run/policy.yaml', '--wait');
  const tookMs: number[] = [];
  for (let i = 0; i < count; i += 1) {
    const mayPass = i % 2 === 0;
    const flags = ['--network', 'web', '--ip', JOB, '--label', `app=${mayPass ? 'job' : 'other'}`];
    await h1.docker('run', '--detach', '--name', 'job', ...flags, imageName, 'sh', '-c', KNOCKS);
    const began = performance.now();
    const isIn = async (): Promise<boolean> => (await h1.docker('logs', 'job')).includes('in');
    if (mayPass) {
      await waitFor(`container ${i} to get in`, isIn, { timeoutMs: 30_000 });
      tookMs.push(performance.now() - began);
    } else {
      await delay(LOOK_MS);
      if (await isIn()) t.fail(`container ${i} got in, which may not`);
    }
    await h1.docker('rm', '--force', 'job');
  }
  t.is(tookMs.length, Math.ceil(count / 2));
  tookMs.sort((a, b) => a - b);
  const at = (part: number): string =>
    `${Math.round(tookMs[Math.floor((tookMs.length - 1) * part)]!)} ms`;
  return `${count} containers at ${JOB}; those that may were in after ${at(0.5)}, at most ${at(1)}`;
}
