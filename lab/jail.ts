import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { fileURLToPath } from 'node:url';
import { LabError } from './errors.js';
import { ensureRuntime } from './packages.js';
import { systemPath } from './run.js';

/**
 * The jail: PID, mount and network namespaces of its own around everything a lab starts.
 *
 * Whatever way a lab ends, its PID namespace ends, and with it every process; the mounts, links, network
 * namespaces and files (all on a tmpfs) go with the last process. Nobody has to remember what to remove.
 * Only cgroups outlive their processes: the guardian removes those.
 */

/** Directory inside the jail that holds what labs keep; a tmpfs that ends with the jail. */
export const jailDirectory = '/run/weft-lab';

/** The machine's own /proc as seen from inside, to learn what a process is called out there. */
export const outerProc = `${jailDirectory}/proc`;

const jailVariable = 'WEFT_LAB_JAIL';

export interface JailOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** Hears what the command writes to its standard output; without it that goes to ours. */
  readonly onOutput?: (text: string) => void;
}

/** True inside a jail. */
export function isJailed(): boolean {
  return process.env[jailVariable] !== undefined;
}

/** The name of this jail, also of its cgroups; throws BAD_REQUEST outside one. */
export function jailName(): string {
  const name = process.env[jailVariable];
  if (name !== undefined) return name;
  throw new LabError(
    { code: 'BAD_REQUEST', asked: 'a lab outside a jail' },
    'a lab lives in a jail; start it with "npm run lab" or "npm test -- --layer e2e"',
  );
}

/**
 * Runs a command in a new jail and returns its exit code. SIGINT, SIGTERM, SIGHUP and the end of our
 * parent end the jail at once; our own SIGKILL does too, by the pipe the guardian reads.
 */
export async function runInJail(
  argv: readonly string[],
  options: JailOptions = {},
): Promise<number> {
  requireRoot();
  const runtime = await ensureRuntime();
  const guardian = spawn(
    process.execPath,
    [fileURLToPath(new URL('guardian.js', import.meta.url)), jailVariable, runtime, ...argv],
    {
      detached: true,
      stdio: ['pipe', options.onOutput === undefined ? 'inherit' : 'pipe', 'inherit'],
      env: { ...process.env, PATH: systemPath(), ...options.env },
    },
  );
  guardian.stdout?.on('data', (chunk: Buffer) => options.onOutput?.(chunk.toString()));
  guardian.stdin?.on('error', () => {});

  let endedBy: NodeJS.Signals | undefined;
  const end = (signal: NodeJS.Signals): void => {
    endedBy ??= signal;
    guardian.stdin?.end();
  };
  const parent = process.ppid;
  const orphaned = setInterval(() => {
    if (process.ppid !== parent) end('SIGHUP');
  }, 1000);
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const signal of signals) process.on(signal, end);
  try {
    const code = await new Promise<number>((resolve, reject) => {
      guardian.once('error', reject);
      guardian.once('close', (exit) => resolve(exit ?? 1));
    });
    return endedBy === undefined ? code : 128 + constants.signals[endedBy];
  } finally {
    clearInterval(orphaned);
    for (const signal of signals) process.off(signal, end);
  }
}

function requireRoot(): void {
  if (process.getuid?.() === 0) return;
  throw new LabError(
    { code: 'MACHINE_UNFIT', lacks: 'root' },
    'the lab makes namespaces and runs Docker engines; run it as root',
  );
}
