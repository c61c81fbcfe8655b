import { run, runOk } from '../../lab/index.js';

export interface SampledSymbol {
  readonly symbol: string;
  readonly isKernel: boolean;
  readonly samples: number;
}

/** A second, thinly enough that sampling costs little and never in step with the timer tick. */
export const samplesPerSecond = 4999;

/** Samples one core while `work` runs and tells how often each function of the command `comm` was found running. */
export async function sampled<T>(
  file: string,
  {
    core,
    seconds,
    comm,
  }: { readonly core: number; readonly seconds: number; readonly comm: string },
  work: () => Promise<T>,
): Promise<{ readonly symbols: SampledSymbol[]; readonly done: T }> {
  // By the clock: a virtual machine need not have counters of the processor.
  const how = ['-e', 'cpu-clock', '-F', String(samplesPerSecond), '-C', String(core)];
  const record = ['perf', 'record', '-q', ...how, '-o', file, '--', 'sleep', String(seconds)];
  const recording = runOk(record, { timeoutMs: (seconds + 30) * 1000 });
  const [done] = await Promise.all([work(), recording]);
  const only = ['--no-children', '--comms', comm, '-F', 'sample,sym', '--percent-limit', '0'];
  const { stdout } = await run(['perf', 'report', '--stdio', '-i', file, ...only]);
  return { symbols: parseReport(stdout), done };
}

/** Lines as `     123  [k] __dev_queue_xmit`; [k] is the kernel, [.] a program. */
export function parseReport(text: string): SampledSymbol[] {
  return [...text.matchAll(/^ *(\d+) +\[(.)\] (\S+)/gm)].map(([, samples, where, symbol]) => ({
    symbol: symbol!,
    isKernel: where === 'k',
    samples: Number(samples),
  }));
}
