/**
 * The guardian of one jail: a process outside it, in a session of its own, that starts the jail, ends it
 * when the pipe on its standard input closes, and removes the cgroups that are left. Should the guardian
 * itself be killed, the kernel ends the jail (parent-death signals), and the next guardian removes the cgroups.
 *
 * Arguments: the variable that tells a process it is jailed, the directory of container binaries, the command.
 */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { jailNameFor, removeCgroups, sweepCgroups } from './cgroups.js';

// /proc of the machine stays visible so that the jail can say what its processes are called outside.
const setup = `
  set -e
  mount -t tmpfs -o mode=755 tmpfs /run
  mkdir -p /run/weft-lab/proc
  mount --bind /proc /run/weft-lab/proc
  mount -t proc proc /proc
  ip link set lo up
  exec "$0" -- "$@"
`;

const inNamespaces =
  '--pdeathsig KILL unshare --net --mount --pid --fork --kill-child --propagation private';

const [jailVariable = '', runtime = '', ...command] = process.argv.slice(2);
const name = await jailNameFor(process.pid);

await sweepCgroups();
const jail = spawn(
  'setpriv',
  [...inNamespaces.split(' '), 'sh', '-c', setup, join(runtime, 'docker-init'), ...command],
  { stdio: ['ignore', 'inherit', 'inherit'], env: { ...process.env, [jailVariable]: name } },
);
const end = (): void => void jail.kill('SIGKILL');
process.stdin.resume().on('end', end).on('error', end);
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, end);

const code = await new Promise<number>((resolve) => {
  jail.once('error', () => resolve(127));
  jail.once('exit', (exit) => resolve(exit ?? 137));
});
await removeCgroups(name);
process.exit(code);
