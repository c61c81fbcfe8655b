import { spawn } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { LabError } from './errors.js';
import { cacheDirectory } from './packages.js';
import { processesOf, sendSignal } from './processes.js';
import { commandFailed, run, type RunOptions, type RunResult } from './run.js';
import { waitFor } from './wait.js';

/** The clone this code runs from. */
export const projectDirectory = fileURLToPath(new URL('../../', import.meta.url));

/** What a process needs to know to find a machine again; plain JSON. */
export interface MachineState {
  readonly name: string;
  /** The process that holds the machine's namespaces, as the jail counts. */
  readonly pid: number;
  readonly address: string;
  readonly address6: string;
  /** Where its disk and the logs of its services are kept. */
  readonly directory: string;
  /** Its port on the underlay bridge. */
  readonly port: string;
  /** Parent of its containers' cgroups. */
  readonly cgroup: string;
}

/**
 * A disk of its own (an overlay over the machine's root, so every tool is there and nothing written is
 * kept), /run and /tmp of its own, /sys as its network namespace has it with the cgroups that a new sysfs
 * would hide, and a host name. `$1` the directory, `$2` the name; then directories of the machine that are
 * bound as they are, so that a build made while the lab runs is seen, and a clone in /tmp at all.
 */
const setup = `
  set -e
  root="$1/root"
  mkdir -p "$root" "$1/upper" "$1/work" "$1/docker"
  mount -t overlay overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$root"
  mount --rbind /dev "$root/dev"
  mount --rbind /proc "$root/proc"
  mount -t sysfs sysfs "$root/sys"
  mount --rbind /sys/fs/cgroup "$root/sys/fs/cgroup"
  mount -t tmpfs -o mode=755 tmpfs "$root/run"
  mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
  mkdir -p "$root/var/lib/docker"
  mount --bind "$1/docker" "$root/var/lib/docker"
  name="$2"
  shift 2
  for bound; do
    mkdir -p "$root$bound"
    mount --rbind "$bound" "$root$bound"
  done
  mkdir "$root/run/outside"
  cd "$root"
  pivot_root . run/outside
  umount -l /run/outside
  rmdir /run/outside
  hostname "$name"
  ip link set lo up
  echo ready
  exec sleep infinity <&- >&- 2>&-
`;

const path = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** A simulated machine: network, mount and UTS namespaces held by one sleeping process. */
export class Machine {
  readonly state: MachineState;

  constructor(state: MachineState) {
    this.state = state;
  }

  get name(): string {
    return this.state.name;
  }

  get address(): string {
    return this.state.address;
  }

  /** Runs a command on this machine to its end. */
  async exec(argv: readonly string[], options: RunOptions = {}): Promise<RunResult> {
    return run(this.enter(argv), { ...options, env: environment(options.env) });
  }

  /** Runs a command that must succeed; its standard output. */
  async execOk(argv: readonly string[], options: RunOptions = {}): Promise<string> {
    const result = await this.exec(argv, options);
    if (result.code !== 0) throw commandFailed({ ...result, argv: [`${this.name}:`, ...argv] });
    return result.stdout;
  }

  /** The command line that runs `argv` on this machine, for a process of the jail. */
  enter(argv: readonly string[]): string[] {
    return ['nsenter', `--target=${this.state.pid}`, '--mount', '--net', '--uts', '--', ...argv];
  }

  /** A path on this machine, as a process of the jail can open it. */
  path(inside: string): string {
    return join(`/proc/${this.state.pid}/root`, inside);
  }

  async readFile(inside: string): Promise<string> {
    return readFile(this.path(inside), 'utf8');
  }

  async writeFile(inside: string, text: string, mode = 0o644): Promise<void> {
    await mkdir(dirname(this.path(inside)), { recursive: true });
    await writeFile(this.path(inside), text, { mode });
  }

  /** Ends every process of the machine, its containers' too, and lets its namespaces go. */
  async destroy(): Promise<void> {
    await waitFor(`the end of every process of ${this.name}`, async () => {
      const pids = await processesOf(this.state.pid, this.state.cgroup).catch(() => []);
      for (const pid of pids) sendSignal(pid, 'SIGKILL');
      return pids.length === 0;
    });
  }
}

/** The environment of a command on a machine: nothing of ours leaks in. */
export function environment(extra: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
  return { PATH: path, HOME: '/root', LANG: 'C.UTF-8', TERM: 'dumb', ...extra };
}

/** Makes the namespaces and the disk of a machine and returns the pid that holds them. */
export async function bootNamespaces(directory: string, name: string): Promise<number> {
  const unshare = ['unshare', '--net', '--mount', '--uts', '--propagation', 'private'];
  const bound = [projectDirectory, cacheDirectory()];
  const argv = [...unshare, 'sh', '-c', setup, 'sh', directory, name, ...bound];
  const child = spawn(argv[0] ?? '', argv.slice(1), {
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: environment(),
  });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
  await new Promise<void>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', () => reject(new LabError({ code: 'MACHINE_UNFIT', lacks: name }, said)));
    child.stdout.once('data', () => resolve());
  });
  child.removeAllListeners('exit');
  child.unref();
  if (child.pid === undefined) throw new Error('a child that spoke has a pid');
  return child.pid;
}
