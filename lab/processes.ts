import { readdir, readFile, readlink } from 'node:fs/promises';
import { outerProc } from './jail.js';

/** Processes of the jail that still run; a zombie does not. */
export async function isRunning(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  const state = /\) (\S)/.exec(stat)?.[1];
  return state !== undefined && state !== 'Z' && state !== 'X';
}

/** Sends a signal to a process of the jail; one that has ended takes it without complaint. */
export function sendSignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
}

/** The running processes of one machine: those in its mount namespace and those in its containers' cgroups. */
export async function processesOf(machinePid: number, cgroup: string): Promise<number[]> {
  const namespace = await readlink(`/proc/${machinePid}/ns/mnt`);
  const found: number[] = [];
  for (const pid of await allPids('/proc')) {
    const own = await readlink(`/proc/${pid}/ns/mnt`).catch(() => '');
    const groups = await readFile(`/proc/${pid}/cgroup`, 'utf8').catch(() => '');
    if ((own === namespace || groups.includes(`${cgroup}/`)) && (await isRunning(pid))) {
      found.push(pid);
    }
  }
  return found;
}

/** What the machine outside calls a process of this jail. */
export async function outerPid(pid: number): Promise<number | undefined> {
  const namespace = await readlink('/proc/self/ns/pid');
  for (const outer of await allPids(outerProc)) {
    const status = await readFile(`${outerProc}/${outer}/status`, 'utf8').catch(() => '');
    const inner = /^NSpid:(?:\s+\d+)*\s+(\d+)$/m.exec(status)?.[1];
    if (Number(inner) !== pid) continue;
    const theirs = await readlink(`${outerProc}/${outer}/ns/pid`).catch(() => '');
    if (theirs === namespace) return outer;
  }
  return undefined;
}

async function allPids(proc: string): Promise<number[]> {
  return (await readdir(proc)).filter((name) => /^\d+$/.test(name)).map(Number);
}
