import test from 'ava';
import fc from 'fast-check';
import { type Prefix, parsePrefix, prefixesOverlap } from '../../../src/net/index.js';
import { EmbeddedStore } from '../../../src/store/index.js';
import { Clock, IpamHost } from '../../helpers/ipam-host.js';

const HOSTS = 3;
const WISHES: readonly NonNullable<Parameters<IpamHost['pool']>[0]>[] = [
  { network: 'web' },
  { network: 'web', subnet: '10.1.0.0/24' },
  { network: 'db', subnet: '10.1.0.0/24' },
  { subnet: '10.1.0.0/16' },
  { subnet: '10.2.0.0/24' },
  {},
];

type Step =
  | { readonly kind: 'create'; readonly host: number; readonly wish: number }
  | {
      readonly kind: 'remove';
      readonly host: number;
      readonly which: number;
      readonly heard: boolean;
    }
  | { readonly kind: 'crash'; readonly host: number }
  | { readonly kind: 'weather'; readonly host: number; readonly to: 'fine' | 'down' | 'deaf' }
  | { readonly kind: 'wait' }
  | { readonly kind: 'reclaim'; readonly host: number };

const host = fc.nat({ max: HOSTS - 1 });
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('create' as const),
      host,
      wish: fc.nat(WISHES.length - 1),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('remove' as const),
      host,
      which: fc.nat(),
      heard: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('crash' as const), host }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('weather' as const),
      host,
      to: fc.constantFrom('fine' as const, 'fine' as const, 'down' as const, 'deaf' as const),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('wait' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('reclaim' as const), host }) },
);

/** Docker on one host: the networks it has, and what it forgets to say. */
class Engine {
  readonly ipam: IpamHost;
  readonly networks = new Map<string, { readonly prefix: Prefix; readonly network?: string }>();
  #up = true;

  constructor(ipam: IpamHost) {
    this.ipam = ipam;
  }

  async create(wish: number): Promise<void> {
    if (!this.#up) return;
    const { network } = WISHES[wish]!;
    let poolId: string | undefined;
    try {
      const granted = await this.ipam.pool(WISHES[wish]);
      poolId = granted.poolId;
      await this.ipam.gateway(poolId);
      await this.ipam.created(granted.prefix);
      this.networks.set(poolId, { prefix: granted.prefix, ...(network && { network }) });
      this.ipam.occupied.push({ prefix: granted.prefix, what: poolId });
    } catch {
      if (poolId !== undefined && this.#up) await this.#release(poolId);
    }
  }

  async remove(which: number, heard: boolean): Promise<void> {
    const poolId = [...this.networks.keys()][which % this.networks.size];
    if (!this.#up || poolId === undefined) return;
    this.networks.delete(poolId);
    const at = this.ipam.occupied.findIndex(({ what }) => what === poolId);
    this.ipam.occupied.splice(at, 1);
    if (heard) await this.#release(poolId);
  }

  async crash(): Promise<void> {
    if (!this.#up) return;
    this.#up = false;
    await this.ipam.stop();
    await this.ipam.start();
    this.#up = true;
  }

  async reclaim(olderThanMs: number): Promise<void> {
    if (!this.#up) return;
    const live = Object.fromEntries([...this.networks.values()].map(({ prefix }) => [prefix, []]));
    await this.ipam.reclaim(live, olderThanMs).catch(() => undefined);
  }

  async #release(poolId: string): Promise<void> {
    await this.ipam.ipam
      .releasePool(poolId, { requestId: '', signal: AbortSignal.timeout(5000) })
      .catch(() => undefined);
  }
}

async function run(engines: readonly Engine[], clock: Clock, one: Step): Promise<void> {
  if (one.kind === 'wait') clock.ms += 6000;
  else if (one.kind === 'weather') engines[one.host]!.ipam.store.weather = one.to;
  else if (one.kind === 'create') await engines[one.host]!.create(one.wish);
  else if (one.kind === 'remove') await engines[one.host]!.remove(one.which, one.heard);
  else if (one.kind === 'crash') await engines[one.host]!.crash();
  else await engines[one.host]!.reclaim(150_000);
}

async function poolsOf(shared: EmbeddedStore): Promise<Prefix[]> {
  const entries = await shared.list('pools/');
  return entries.map(({ value }) => parsePrefix((JSON.parse(value) as { prefix: string }).prefix));
}

test('pools > whatever happens, no two overlap, those in use stay, and the last one out leaves nothing', async (t) => {
  t.timeout(120_000);
  const batches = fc.array(fc.array(step, { minLength: 1, maxLength: 4, size: 'max' }), {
    maxLength: 25,
    size: 'max',
  });
  await fc.assert(
    fc.asyncProperty(batches, async (steps) => {
      await using shared = EmbeddedStore.memory();
      const clock = new Clock();
      const engines: Engine[] = [];
      for (let i = 0; i < HOSTS; i += 1) {
        const options = { now: clock.now, patienceMs: 40 };
        engines.push(new Engine(await IpamHost.open(shared, `h${i}`, options)));
      }
      for (const batch of steps) {
        await Promise.all(batch.map(async (one) => run(engines, clock, one)));
        const pools = await poolsOf(shared);
        for (const [i, a] of pools.entries()) {
          for (const b of pools.slice(i + 1))
            if (prefixesOverlap(a, b)) throw new Error(`${a} ${b}`);
        }
      }
      for (const { ipam } of engines) ipam.store.weather = 'fine';
      clock.ms += 600_000; // until everything is compared anew
      for (const engine of engines) await engine.reclaim(150_000);
      const given = new Set<string>();
      for (const { ipam, networks } of engines) {
        for (const [poolId, { prefix }] of networks) {
          const address = await ipam.address(poolId);
          if (given.has(address)) throw new Error(`${address} in ${prefix} twice`);
          given.add(address);
        }
      }
      for (const engine of engines) {
        while (engine.networks.size > 0) await engine.remove(0, true);
        await engine.ipam.ipam.idle();
      }
      for (const engine of engines) await engine.reclaim(0);
      for (const { ipam } of engines) await ipam.ipam.idle();
      const left = (await shared.list('')).map(({ key }) => key).filter((k) => k !== 'pools-guard');
      if (left.length > 0) throw new Error(`left: ${left.join(' ')}`);
      for (const { ipam } of engines) {
        if ((await ipam.local.list('')).length > 0) throw new Error('left on disk');
        await ipam.stop();
      }
    }),
    { numRuns: 25, interruptAfterTimeLimit: 60_000, includeErrorInReport: true },
  );
  t.pass();
});
