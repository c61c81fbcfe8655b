/**
 * A machine made for one test, on which whatever a program leaves behind shows: its disk starts as a copy of
 * ours, and nobody else lives in its namespaces. Only inside a jail.
 */
import { mkdtemp, readdir, readFile, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { jailCgroups } from '../../lab/cgroups.js';
import { jailDirectory, jailName } from '../../lab/jail.js';
import { bootNamespaces, Machine } from '../../lab/machine.js';
import { waitFor } from '../../lab/wait.js';

/** What exists at one moment; two of them compare with deepEqual. */
export interface Traces {
  readonly processes: readonly string[];
  readonly namespaces: readonly string[];
  readonly mounts: readonly string[];
  readonly links: readonly string[];
  /** Files that are new or changed since the machine was made. */
  readonly files: readonly string[];
  readonly cgroups: readonly string[];
}

export async function freshMachine(t: ExecutionContext): Promise<Machine> {
  const directory = await mkdtemp(join(jailDirectory, 'fresh-'));
  const pid = await bootNamespaces(directory, 'fresh');
  const machine = new Machine({
    name: 'fresh',
    pid,
    directory,
    address: '',
    address6: '',
    port: '',
    cgroup: `/${jailName()}/fresh`,
  });
  t.teardown(async () => machine.destroy());
  // Its shell is about to become the process that sleeps; until then two looks would differ.
  await waitFor('a sleeping machine', async () =>
    (await commandOf(String(pid))).startsWith('sleep'),
  );
  return machine;
}

export async function tracesOn(machine: Machine): Promise<Traces> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const links = await machine.execOk(['ip', '-oneline', 'link']);
  const directory = machine.state.directory;
  const places = [join(directory, 'upper'), join(directory, 'docker'), '/run', '/tmp'];
  const files = places.map(async (place) =>
    listing(place.startsWith(directory) ? place : machine.path(place)),
  );
  return {
    processes: await Promise.all(pids.map(async (pid) => `${pid} ${await commandOf(pid)}`)),
    namespaces: [...new Set((await Promise.all(pids.map(namespacesOf))).flat())].sort(),
    mounts: (await readFile(`/proc/${machine.state.pid}/mounts`, 'utf8')).split('\n'),
    links: links.trimEnd().split('\n'),
    files: (await Promise.all(files)).flat(),
    cgroups: (await jailCgroups()).filter((path) => !path.includes(jailName())),
  };
}

/** npm keeps packages, logs and its own state there. */
const packageCache = /^root(\/\.npm(\/|$)|$)/;

async function namespacesOf(pid: string): Promise<string[]> {
  const kinds = ['mnt', 'net', 'pid', 'uts', 'ipc', 'cgroup'];
  return Promise.all(
    kinds.map(async (kind) => readlink(`/proc/${pid}/ns/${kind}`).catch(() => `${kind} gone`)),
  );
}

async function commandOf(pid: string): Promise<string> {
  return (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).replaceAll('\0', ' ');
}

async function listing(directory: string): Promise<string[]> {
  const names = await readdir(directory, { recursive: true });
  return names
    .filter((name) => !packageCache.test(name))
    .map((name) => join(directory, name))
    .sort();
}
