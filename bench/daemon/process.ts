/** What a process costs, as the kernel counts it. */
import { execFile } from 'node:child_process';
import { readFile, readdir } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { promisify } from 'node:util';

/** Resident memory, MiB. */
export async function memoryOf(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  const kib = /^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1];
  if (kib === undefined) throw new Error(`process ${pid} has no memory`);
  return Number(kib) / 1024;
}

/**
 * Keeps all threads of these processes on one core, or, with `undefined`, on any. On a machine with one core, does nothing: there is
 * nothing to choose.
 */
export async function keepOn(core: number | undefined, pids: readonly number[]): Promise<void> {
  const last = availableParallelism() - 1;
  if (last === 0) return;
  const list = core === undefined ? `0-${last}` : String(core);
  const args = ['--all-tasks', '--cpu-list', '--pid', list];
  for (const pid of pids) await promisify(execFile)('taskset', [...args, String(pid)]);
}

/** Time on a CPU of all threads so far, ms. Of threads that ended nothing is known: the daemon keeps its own. */
export async function cpuOf(pid: number): Promise<number> {
  let ns = 0;
  for (const thread of await readdir(`/proc/${pid}/task`)) {
    // In nanoseconds, where stat counts in ticks of ten milliseconds.
    const text = await readFile(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').catch(() => '0');
    ns += Number(text.split(' ')[0]);
  }
  return ns / 1e6;
}

/** Memory that would be free without the process, its share of what it shares included (Pss), KiB. */
export async function ownMemoryOf(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/smaps_rollup`, 'utf8');
  const kib = /^Pss:\s+(\d+) kB$/m.exec(text)?.[1];
  if (kib === undefined) throw new Error(`process ${pid} has no memory`);
  return Number(kib);
}

export async function descriptorsOf(pid: number): Promise<number> {
  return (await readdir(`/proc/${pid}/fd`)).length;
}
