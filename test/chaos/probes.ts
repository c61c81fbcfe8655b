/** The probers in the containers: tells them whom to ask, gathers what they write, judges what needs no calm. */
import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Host, Lab } from '../../lab/index.js';

/** On each host; its containers have it as /probe. */
export const probeDirectory = '/run/weft-chaos';

/** What one prober writes. Times are seconds on the machine's steady clock. */
export interface ProbeResult {
  readonly name: string;
  readonly at: number;
  readonly born: number;
  readonly round: number;
  readonly addresses: readonly string[];
  readonly sent: number;
  readonly answered: number;
  /** Who answered from each address in this round. */
  readonly reach: Readonly<Record<string, string>>;
  /** How often each container answered since this one was born. */
  readonly met: Readonly<Record<string, number>>;
}

export interface ProbeTotals {
  readonly sent: number;
  readonly answered: number;
}

const EVERY_MS = 500;
/** A prober writes four times a second; one that is silent for longer is dead, or as good as. */
const ALIVE_S = 2;

/** The addresses of weft's networks among a container's own: those of the default range, 10.192.0.0/10. */
export function overlayAddresses(addresses: readonly string[]): string[] {
  return addresses.filter((address) => {
    const [first, second] = address.split('.').map(Number);
    return first === 10 && second! >= 192;
  });
}

/** Contradictions among probers that live at the same moment. Pure. */
export function judgeProbes(
  live: readonly ProbeResult[],
  networksEver: ReadonlyMap<string, ReadonlySet<string>>,
): string[] {
  const found: string[] = [];
  const owners = new Map<string, ProbeResult>();
  for (const probe of live) {
    for (const address of overlayAddresses(probe.addresses)) {
      const other = owners.get(address);
      // Seen at one moment only if each was alive after the other was born.
      const overlaps = other && other.at > probe.born && probe.at > other.born;
      if (overlaps) found.push(`${address} is on ${other.name} and on ${probe.name} at once`);
      owners.set(address, probe);
    }
    for (const name of Object.keys(probe.met)) {
      if (name === probe.name) continue;
      const own = networksEver.get(probe.name) ?? new Set();
      const theirs = networksEver.get(name) ?? new Set();
      if (![...own].some((network) => theirs.has(network))) {
        found.push(`${probe.name} was answered by ${name}, with which it never shared a network`);
      }
    }
  }
  return found;
}

export class Probes implements AsyncDisposable {
  readonly #lab: Lab;
  readonly #networksEver: ReadonlyMap<string, ReadonlySet<string>>;
  readonly #aborter = new AbortController();
  readonly #latest = new Map<string, ProbeResult>();
  /** Of every life of every prober, the last counts. */
  readonly #counts = new Map<string, ProbeTotals>();
  readonly #violations = new Set<string>();
  #round = 1;
  #told = '';
  #loop = Promise.resolve();

  constructor(lab: Lab, networksEver: ReadonlyMap<string, ReadonlySet<string>>) {
    this.#lab = lab;
    this.#networksEver = networksEver;
  }

  async start(): Promise<void> {
    for (const host of this.#lab.hosts) await mkdir(host.path(probeDirectory), { recursive: true });
    this.#loop = this.#run();
  }

  /** From now on reach counts anew. */
  nextRound(): void {
    this.#round += 1;
  }

  get round(): number {
    return this.#round;
  }

  /** What was wrong whatever else went on. */
  get violations(): readonly string[] {
    return [...this.#violations];
  }

  get totals(): ProbeTotals {
    let [sent, answered] = [0, 0];
    for (const count of this.#counts.values()) {
      sent += count.sent;
      answered += count.answered;
    }
    return { sent, answered };
  }

  /** The probers that write. */
  live(): ProbeResult[] {
    const all = [...this.#latest.values()];
    const now = Number(process.hrtime.bigint()) / 1e9;
    return all.filter(({ at }) => now - at < ALIVE_S);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#aborter.abort();
    await this.#loop;
  }

  async #run(): Promise<void> {
    const { signal } = this.#aborter;
    while (!signal.aborted) {
      for (const host of this.#lab.hosts)
        for (const result of await readAll(host)) this.#take(result);
      const live = this.live();
      for (const violation of judgeProbes(live, this.#networksEver))
        this.#violations.add(violation);
      await this.#tellTargets(live);
      await delay(EVERY_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  #take(result: ProbeResult): void {
    this.#latest.set(result.name, result);
    const { sent, answered } = result;
    this.#counts.set(`${result.name} ${result.born}`, { sent, answered });
  }

  async #tellTargets(live: readonly ProbeResult[]): Promise<void> {
    const ask = [...new Set(live.flatMap(({ addresses }) => overlayAddresses(addresses)))];
    const text = JSON.stringify({ round: this.#round, ask: ask.toSorted() });
    if (text === this.#told) return;
    for (const host of this.#lab.hosts) {
      const path = host.path(join(probeDirectory, 'targets.json'));
      await writeFile(`${path}.new`, text);
      await rename(`${path}.new`, path);
    }
    this.#told = text;
  }
}

async function readAll(host: Host): Promise<ProbeResult[]> {
  const directory = host.path(probeDirectory);
  const results: ProbeResult[] = [];
  for (const file of await readdir(directory).catch(() => [])) {
    if (!file.endsWith('.json') || file === 'targets.json') continue;
    try {
      results.push(JSON.parse(await readFile(join(directory, file), 'utf8')) as ProbeResult);
    } catch {
      // Of a container that began a moment ago.
    }
  }
  return results;
}
