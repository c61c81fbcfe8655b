import { runOk } from '../../lab/index.js';
import { inNetns } from '../datapath/place.js';
import type { Kind } from './names.js';

export interface Load {
  /** The file of the namespace that asks. */
  readonly netns: string;
  readonly core: number;
  /** Who is asked, on port 53. */
  readonly address: string;
  /** A file of questions, and what they are. */
  readonly questions: string;
  readonly kind: Kind;
  readonly seconds: number;
}

export interface Answered {
  readonly perSecond: number;
  readonly count: number;
}

/** As fast as it goes: eight sockets, and never more than 100 questions without an answer. */
export async function flood(load: Load): Promise<Answered> {
  const said = await ask(load, ['-c', '8', '-q', '100']);
  return {
    perSecond: numberIn(said, /Queries per second: +([\d.]+)/),
    count: check(said, load.kind),
  };
}

/** At a pace: how long each answer took, us, in rising order. */
export async function pace(load: Load, perSecond: number): Promise<readonly number[]> {
  const said = await ask(load, ['-c', '1', '-v', '-Q', String(perSecond)]);
  check(said, load.kind);
  return [...said.matchAll(/^> \S+ \S+ \S+ ([\d.]+)$/gm)].map(
    ([, seconds]) => Number(seconds) * 1e6,
  );
}

async function ask(load: Load, how: readonly string[]): Promise<string> {
  const { netns, core, address, questions, seconds } = load;
  const what = ['-s', address, '-d', questions, '-l', String(seconds), '-T', '1', '-t', '5'];
  const argv = inNetns(netns, core, ['dnsperf', ...what, ...how]);
  return runOk(argv, { timeoutMs: (seconds + 60) * 1000 });
}

/** How many answers came; all of them must say what is so, or fast is no merit. */
function check(said: string, kind: Kind): number {
  const count = numberIn(said, /Queries completed: +(\d+)/);
  const code = kind === 'NXDOMAIN' ? kind : 'NOERROR';
  const right = Number(new RegExp(`Response codes: .*${code} (\\d+)`).exec(said)?.[1] ?? 0);
  if (count > 0 && right === count) return count;
  throw new Error(`${right} of ${count} answers were ${code}: ${said.slice(-700)}`);
}

function numberIn(text: string, pattern: RegExp): number {
  const found = Number(pattern.exec(text)?.[1]);
  if (Number.isFinite(found)) return found;
  throw new Error(`expected ${pattern.source} in: ${text.slice(-500)}`);
}
