import { setTimeout as delay } from 'node:timers/promises';
import type { ExecutionContext } from 'ava';
import { type Host, type Lab, waitFor } from '../../lab/index.js';
import { askIn } from '../chaos/names.js';
import { addressOf, createNetwork, runIdle } from './weft-lab.js';

export interface Flaps {
  readonly containers: number;
  readonly rounds: number;
  readonly roundMs: number;
}

const ALIAS = 'all';
const PAUSE_MS = 100;
const AT_LAST_MS = 90_000;
const TTL_AND_TWO_MS = 7000;

/** The kernel of many labs has no netem: of a hundred frames one is lost, and none is late. */
const lossy = `table inet lossy {
  chain in { type filter hook input priority 0; iifname "eth0" numgen random mod 100 == 0 drop; }
}`;

/**
 * Containers of one alias connect and disconnect all the time, and the underlay loses frames: an address that is nobody's is told for at
 * most a TTL and two seconds, and in the end all are told who are there.
 */
export async function flap(t: ExecutionContext, lab: Lab, flaps: Flaps): Promise<void> {
  const { containers, rounds, roundMs } = flaps;
  await createNetwork(lab.hosts, 'web');
  await runIdle(lab.host(1), 'client', '--network', 'web');
  const flock = await Flock.start([lab.host(0), lab.host(2)], containers);
  for (const host of lab.hosts) await host.execOk(['nft', '-f', '-'], { input: lossy });
  const asker = new Asker(lab.host(1));
  try {
    for (let round = 0; round < rounds; round += 1) {
      const pause = delay(roundMs);
      await flock.turn(round);
      await pause;
    }
    await waitFor('all who are connected, and nobody else', () => asker.lastIs(flock.addresses()), {
      timeoutMs: AT_LAST_MS,
    });
  } finally {
    await asker.end();
    for (const host of lab.hosts) await host.execOk(['nft', 'delete', 'table', 'inet', 'lossy']);
  }
  const most = Math.max(...asker.answers.map(({ told }) => told.length));
  t.log(`${asker.answers.length} answers of at most ${most} addresses`);
  const stale = asker.answers.flatMap(({ at, told }) =>
    told.filter((address) => !flock.had(address, at - TTL_AND_TWO_MS)),
  );
  t.deepEqual(stale, []);
  t.true(most > 0 && most <= containers, `${most} addresses of ${containers} containers`);
}

interface Bird {
  readonly name: string;
  readonly host: Host;
  /** While it is connected. */
  address: string | undefined;
}

class Flock {
  readonly #birds: readonly Bird[];
  /** When an address was nobody's any more; of one that somebody has, Infinity. */
  readonly #until = new Map<string, number>();

  private constructor(birds: readonly Bird[]) {
    this.#birds = birds;
  }

  /** Containers on these hosts in turn, connected to nothing. */
  static async start(hosts: readonly Host[], count: number): Promise<Flock> {
    const birds: Bird[] = [];
    for (let i = 0; i < count; i += 1) {
      const host = hosts[i % hosts.length]!;
      const name = `bird-${i}`;
      await runIdle(host, name, '--network', 'none');
      await host.docker('network', 'disconnect', 'none', name);
      birds.push({ name, host, address: undefined });
    }
    return new Flock(birds);
  }

  addresses(): string[] {
    return this.#birds.flatMap(({ address }) => address ?? []).toSorted();
  }

  /** Whether somebody had the address at this time or later. */
  had(address: string, at: number): boolean {
    return (this.#until.get(address) ?? 0) > at;
  }

  /** Connects or disconnects half of them, others in each round. */
  async turn(round: number): Promise<void> {
    for (const bird of this.#birds.filter((_, i) => ((i >> 1) + round) % 2 === 0 || round === 0)) {
      const { host, name, address } = bird;
      if (address === undefined) {
        await host.docker('network', 'connect', '--alias', ALIAS, 'web', name);
        bird.address = await addressOf(host, name, 'web');
        this.#until.set(bird.address, Infinity);
      } else {
        await host.docker('network', 'disconnect', 'web', name);
        this.#until.set(address, performance.now());
        bird.address = undefined;
      }
    }
  }
}

interface Answer {
  /** When it was asked for. */
  readonly at: number;
  readonly told: readonly string[];
}

/** Asks for the alias in the container "client" until it is ended. */
class Asker {
  readonly answers: Answer[] = [];
  readonly #aborter = new AbortController();
  readonly #asking: Promise<void>;

  constructor(host: Host) {
    this.#asking = this.#ask(host);
  }

  /** Throws what the last answer was, when it was not this. */
  lastIs(wanted: readonly string[]): true {
    const told = this.answers.at(-1)?.told.toSorted() ?? [];
    if (told.join() === wanted.join()) return true;
    throw new Error(`told were ${told.join(' ')}, there are ${wanted.join(' ')}`);
  }

  async end(): Promise<void> {
    this.#aborter.abort();
    await this.#asking;
  }

  async #ask(host: Host): Promise<void> {
    while (!this.#aborter.signal.aborted) {
      const at = performance.now();
      const told = (await askIn(host, 'client', [ALIAS])).get(ALIAS) ?? [];
      this.answers.push({ at, told });
      await delay(PAUSE_MS);
    }
  }
}
