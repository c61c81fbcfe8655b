import { readdir, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { exists } from './apt.js';

const root = '/sys/fs/cgroup';
const namePattern = /^weft-lab-(\d+)$/;
/** A killed process may stay in its cgroup for a moment. */
const attempts = 50;
const betweenAttemptsMs = 100;

/** Removes the cgroups of one jail in every hierarchy. They must have no process that stays. */
export async function removeCgroups(jail: string): Promise<void> {
  for (const hierarchy of await hierarchies()) await removeTree(join(hierarchy, jail));
}

/** Removes what jails left whose guardian was killed. */
export async function sweepCgroups(): Promise<void> {
  for (const hierarchy of await hierarchies()) {
    for (const name of await directories(hierarchy)) {
      const guardian = namePattern.exec(name)?.[1];
      if (guardian === undefined || (await exists(`/proc/${guardian}`))) continue;
      await removeTree(join(hierarchy, name));
    }
  }
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
