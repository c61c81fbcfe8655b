import { readFile } from 'node:fs/promises';
import { cpus, loadavg, release } from 'node:os';
import { projectDirectory, run } from '../lab/index.js';
import { type Column, table } from '../src/cli/table.js';
import type { Result } from './bench.js';

/** What figures mean nothing without: machine, kernel, commit, date. */
export async function header(bench: string, runs: number): Promise<string> {
  const processors = cpus();
  const model = processors[0]?.model.trim() || 'unknown CPU';
  const [one = 0] = loadavg();
  const lines = [
    `${bench}, ${runs} ${runs === 1 ? 'run' : 'runs'}, ${new Date().toISOString()}`,
    `commit ${await commit()}, Node ${process.versions.node}`,
    `Linux ${release()}, ${processors.length} x ${model}, ${await memory()}, load ${one.toFixed(2)}`,
  ];
  return lines.join('\n');
}

/** The results as people read them; with a peer, each subject's median as a share of the peer's. */
export function resultTable(results: readonly Result[], peer: string | undefined): string {
  const peers = new Map(
    results.filter(({ subject }) => subject === peer).map((r) => [r.metric, r.median]),
  );
  const ratio = ({ metric, median }: Result): string => {
    const theirs = peers.get(metric);
    return theirs === undefined || theirs === 0 ? '' : (median / theirs).toFixed(2);
  };
  const columns: Column<Result>[] = [
    { title: 'METRIC', value: ({ metric }) => metric },
    { title: 'SUBJECT', value: ({ subject }) => subject },
    { title: 'MEDIAN', value: ({ median }) => readable(median), alignRight: true },
    { title: 'MIN', value: ({ min }) => readable(min), alignRight: true },
    { title: 'MAX', value: ({ max }) => readable(max), alignRight: true },
    { title: 'UNIT', value: ({ unit }) => unit },
    { title: 'RUNS', value: ({ runs }) => String(runs), alignRight: true },
    ...(peer === undefined
      ? []
      : [{ title: `OF ${peer.toUpperCase()}`, value: ratio, alignRight: true }]),
  ];
  return table(columns, grouped(results));
}

/** The line that ends a bench's output when it was asked for. */
export function jsonLine(bench: string, results: readonly Result[]): string {
  return JSON.stringify({ bench, results });
}

/** All subjects of one metric together, metrics in the order they first came. */
function grouped(results: readonly Result[]): Result[] {
  const metrics = [...new Set(results.map(({ metric }) => metric))];
  return metrics.flatMap((metric) => results.filter((result) => result.metric === metric));
}

function readable(value: number): string {
  return Math.abs(value) >= 1000 ? String(Math.round(value)) : String(+value.toPrecision(3));
}

/** The commit these figures are of; "+" says that the sources were changed since. */
async function commit(): Promise<string> {
  const git = (...args: string[]) => run(['git', '-C', projectDirectory, ...args]);
  const { code, stdout } = await git('rev-parse', '--short=10', 'HEAD');
  if (code !== 0) return 'unknown';
  const changed = await git('status', '--porcelain', '--untracked-files=no');
  return `${stdout.trim()}${changed.stdout === '' ? '' : '+'}`;
}

async function memory(): Promise<string> {
  const text = await readFile('/proc/meminfo', 'utf8');
  const kib = Number(/^MemTotal:\s+(\d+)/m.exec(text)?.[1]);
  return `${Math.round(kib / 2 ** 20)} GiB`;
}
