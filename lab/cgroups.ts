import { readdir, readlink, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { exists } from './files.js';

const root = '/sys/fs/cgroup';
/** A killed process may stay in its cgroup for a moment. */
const attempts = 50;
const betweenAttemptsMs = 100;

/**
 * The name of the jail of a guardian, and of its cgroups. The PID namespace is part of it, because those who
 * share the cgroup file system need not agree on what a process is called.
 */
export async function jailNameFor(guardian: number): Promise<string> {
  return `${await namePrefix()}${guardian}`;
}

/** The paths of the cgroups of every jail whose guardian counts processes as we do. */
export async function jailCgroups(): Promise<string[]> {
  const prefix = await namePrefix();
  const paths: string[] = [];
  for (const hierarchy of await hierarchies()) {
    const names = (await directories(hierarchy)).filter((name) => name.startsWith(prefix));
    paths.push(...names.map((name) => join(hierarchy, name)));
  }
  return paths.sort();
}

/** Removes the cgroups of one jail in every hierarchy. They must have no process that stays. */
export async function removeCgroups(jail: string): Promise<void> {
  for (const hierarchy of await hierarchies()) await removeTree(join(hierarchy, jail));
}

/** Removes what jails left whose guardian was killed. */
export async function sweepCgroups(): Promise<void> {
  for (const path of await jailCgroups()) {
    const guardian = path.slice(path.lastIndexOf('-') + 1);
    if (!(await exists(`/proc/${guardian}`))) await removeTree(path);
  }
}

async function namePrefix(): Promise<string> {
  const namespace = /\d+/.exec(await readlink('/proc/self/ns/pid'))?.[0];
  return `weft-lab-${namespace}-`;
}

/** Version 2 is one hierarchy, version 1 one per controller beneath. */
async function hierarchies(): Promise<string[]> {
  if (!(await exists(root))) return [];
  return [root, ...(await directories(root)).map((name) => join(root, name))];
}

async function removeTree(dir: string): Promise<void> {
  if (!(await exists(dir))) return;
  for (const name of await directories(dir)) await removeTree(join(dir, name));
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await rmdir(dir);
    } catch (error) {
      if (!(await exists(dir))) return;
      if (attempt === attempts) throw error;
      await delay(betweenAttemptsMs);
    }
  }
}

async function directories(dir: string): Promise<string[]> {
  const entries = await readdir(dir, { withFileTypes: true });
  return entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
}
