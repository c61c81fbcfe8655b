import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { LabError } from './errors.js';

export interface RunOptions {
  /** After this the whole process group is killed. */
  readonly timeoutMs?: number;
  readonly input?: string | Uint8Array;
  /** A file to read as input instead. */
  readonly inputFile?: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  readonly signal?: AbortSignal;
  /** Hears each piece of output as it comes, both streams. */
  readonly onOutput?: (text: string) => void;
}

export interface RunResult {
  readonly argv: readonly string[];
  /** Null when a signal ended it. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly timedOut: boolean;
}

const defaultTimeoutMs = 60_000;
/** How long output may trail behind the exit of its process, say when a daemon inherited the pipe. */
const trailingOutputMs = 300;

/**
 * Runs a command to its end and reports how it ended; throws only when it cannot be started.
 *
 * The command gets a process group of its own, so that a timeout takes its children along.
 */
export async function run(argv: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const [file = '', ...args] = argv;
  const inputFile = options.inputFile === undefined ? undefined : openSync(options.inputFile, 'r');
  const child = spawn(file, args, {
    detached: true,
    stdio: [inputFile ?? 'pipe', 'pipe', 'pipe'],
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    env: options.env ?? { ...process.env, PATH: systemPath() },
  });
  if (inputFile !== undefined) closeSync(inputFile);
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  for (const [stream, into] of [[child.stdout, out] as const, [child.stderr, err] as const]) {
    stream?.on('data', (chunk: Buffer) => {
      into.push(chunk);
      options.onOutput?.(chunk.toString());
    });
  }
  // A command that does not read its input closes the pipe; that is its right.
  child.stdin?.on('error', () => {});
  child.stdin?.end(options.input ?? '');

  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    killGroup(child);
  }, options.timeoutMs ?? defaultTimeoutMs);
  const abort = (): void => killGroup(child);
  options.signal?.addEventListener('abort', abort, { once: true });
  if (options.signal?.aborted === true) abort();
  try {
    const code = await ended(child, argv);
    return {
      argv,
      code,
      stdout: Buffer.concat(out).toString(),
      stderr: Buffer.concat(err).toString(),
      timedOut,
    };
  } finally {
    clearTimeout(timer);
    options.signal?.removeEventListener('abort', abort);
  }
}

/** Runs a command that must succeed and returns its standard output; throws COMMAND_FAILED otherwise. */
export async function runOk(argv: readonly string[], options: RunOptions = {}): Promise<string> {
  const result = await run(argv, options);
  if (result.code !== 0) throw commandFailed(result);
  return result.stdout;
}

export function commandFailed(result: RunResult): LabError {
  const how = result.timedOut ? 'took too long' : `ended with ${result.code ?? 'a signal'}`;
  const said = (result.stderr.trim() || result.stdout.trim()).slice(-2000);
  return new LabError(
    { code: 'COMMAND_FAILED', argv: result.argv, stderr: result.stderr },
    `"${result.argv.join(' ')}" ${how}${said === '' ? '' : `: ${said}`}`,
  );
}

/**
 * Where the system's commands are. npm puts the programs of packages first, and one of them is called nft
 * as the kernel's own tool is.
 */
export function systemPath(): string {
  const own = (process.env['PATH'] ?? '').split(':');
  const system = own.filter((directory) => !directory.endsWith('node_modules/.bin'));
  return [...new Set([...system, '/usr/sbin', '/sbin'])].join(':');
}

function ended(child: ChildProcess, argv: readonly string[]): Promise<number | null> {
  return new Promise((resolve, reject) => {
    child.once('error', (cause) => {
      const message = `cannot run "${argv.join(' ')}": ${cause.message}`;
      reject(new LabError({ code: 'COMMAND_FAILED', argv, stderr: '' }, message, { cause }));
    });
    child.once('exit', (code) => {
      const settle = (): void => {
        clearTimeout(timer);
        child.stdout?.destroy();
        child.stderr?.destroy();
        resolve(code);
      };
      const timer = setTimeout(settle, trailingOutputMs);
      child.once('close', settle);
    });
  });
}

function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    // It ended by itself a moment ago.
  }
}
