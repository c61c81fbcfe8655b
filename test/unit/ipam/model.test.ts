import test from 'ava';
import fc from 'fast-check';
import { type Address, type Prefix, parseAddress, prefixOf } from '../../../src/net/index.js';
import { EmbeddedStore } from '../../../src/store/index.js';
import { KeyedMutex } from '../../../src/util/index.js';
import { Clock, IpamHost } from '../../helpers/ipam-host.js';

const HOSTS = 3;
const REST_MS = 60_000;

type Step =
  | { readonly kind: 'request'; readonly host: number }
  | { readonly kind: 'named'; readonly host: number; readonly offset: number }
  /** A container ends. `how`: Docker's release arrives, arrives twice, or never. */
  | {
      readonly kind: 'end';
      readonly host: number;
      readonly which: number;
      readonly how: 'once' | 'twice' | 'never';
    }
  | { readonly kind: 'crash'; readonly host: number }
  | { readonly kind: 'weather'; readonly host: number; readonly to: 'fine' | 'down' | 'deaf' }
  | { readonly kind: 'wait'; readonly ms: number }
  | { readonly kind: 'reclaim'; readonly host: number };

const host = fc.nat({ max: HOSTS - 1 });
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 10, arbitrary: fc.record({ kind: fc.constant('request' as const), host }) },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('named' as const), host, offset: fc.nat(63) }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('end' as const),
      host,
      which: fc.nat(),
      how: fc.constantFrom('once' as const, 'once' as const, 'twice' as const, 'never' as const),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('crash' as const), host }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('weather' as const),
      host,
      to: fc.constantFrom('fine' as const, 'fine' as const, 'down' as const, 'deaf' as const),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.nat(2 * REST_MS) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('reclaim' as const), host }) },
);

/** Some hosts, their containers, and what must always hold. */
class Model implements AsyncDisposable {
  readonly shared = EmbeddedStore.memory();
  readonly clock = new Clock();
  readonly hosts: IpamHost[] = [];
  readonly poolIds: string[] = [];
  /** What containers have, and on which host. */
  readonly live = new Map<string, number>();
  /** libnetwork creates the endpoints of one network one after another. */
  readonly #locks = new KeyedMutex();
  readonly #up: boolean[] = [];
  readonly subnet: Prefix;

  constructor(prefixLength: number) {
    this.subnet = prefixOf(parseAddress('10.203.0.0'), prefixLength);
  }

  async open(): Promise<void> {
    for (let i = 0; i < HOSTS; i += 1) {
      const options = { now: this.clock.now, restMs: REST_MS, patienceMs: 30 };
      this.hosts.push(await IpamHost.open(this.shared, `h${i}`, options));
      this.poolIds.push(await this.hosts[i]!.network({ network: 'w', subnet: this.subnet }));
      this.#up.push(true);
    }
  }

  async run(one: Step): Promise<void> {
    if (one.kind === 'wait') this.clock.ms += one.ms;
    else if (one.kind === 'weather') this.hosts[one.host]!.store.weather = one.to;
    else if (!this.#up[one.host]) return;
    else if (one.kind === 'crash') await this.#crash(one.host);
    else if (one.kind === 'end') await this.#end(one.host, one.which, one.how);
    else if (one.kind === 'reclaim') await this.#reclaim(one.host).catch(() => undefined);
    else await this.#locks.run(`h${one.host}`, async () => this.#request(one));
  }

  async #request(one: Extract<Step, { kind: 'request' | 'named' }>): Promise<void> {
    const owner = this.hosts[one.host]!;
    const name = one.kind === 'named' ? `10.203.0.${one.offset}` : undefined;
    const incarnation = this.#up[one.host] && owner.ipam;
    if (!incarnation) return;
    const usedBefore = name === undefined ? undefined : this.live.get(name);
    let address: string;
    try {
      address = await owner.address(this.poolIds[one.host]!, name);
    } catch {
      return;
    }
    // The daemon died before it could answer Docker.
    if (!this.#up[one.host] || owner.ipam !== incarnation) return;
    const holder = this.live.get(address);
    if (holder !== undefined)
      throw new Error(`${address} given to h${one.host}, h${holder} has it`);
    if (usedBefore === undefined && name !== undefined && name !== address)
      throw new Error('named');
    this.live.set(address, one.host);
    await owner.ipam.attach(this.#id, parseAddress(address), `endpoint-${address}`);
  }

  async #end(index: number, which: number, how: 'once' | 'twice' | 'never'): Promise<void> {
    const mine = [...this.live].filter(([, holder]) => holder === index).map(([a]) => a);
    const address = mine[which % mine.length];
    if (address === undefined) return;
    this.live.delete(address);
    const { ipam } = this.hosts[index]!;
    await ipam.detach(this.#id, parseAddress(address), `endpoint-${address}`);
    if (how === 'never') return;
    const release = async (): Promise<void> =>
      this.hosts[index]!.releaseOnly(this.poolIds[index]!, address).catch(() => undefined);
    await release();
    // A release that comes late must not hit whoever has the address by then, or is about to.
    if (how === 'twice' && this.#up[index]) await release();
  }

  async #crash(index: number): Promise<void> {
    this.#up[index] = false;
    const crashed = this.hosts[index]!;
    await crashed.stop();
    await crashed.start();
    for (const [address, holder] of this.live) {
      if (holder !== index) continue;
      await crashed.ipam.attach(this.#id, parseAddress(address), `endpoint-${address}`);
    }
    this.#up[index] = true;
  }

  async #reclaim(index: number): Promise<void> {
    const mine = [...this.live].filter(([, holder]) => holder === index).map(([a]) => a);
    const report = await this.hosts[index]!.reclaim({ [this.subnet]: mine }, 10_000);
    if (report.conflicts.length > 0) throw new Error(`conflicts: ${report.conflicts.join(' ')}`);
  }

  /** The weather clears up. Nothing may be lost, nothing doubled, and full must mean full. */
  async settle(): Promise<void> {
    for (const one of this.hosts) one.store.weather = 'fine';
    this.clock.ms += 600_000; // until everything is compared anew
    for (const one of this.hosts) await one.ipam.idle();
    for (const index of this.hosts.keys()) await this.#reclaim(index);
    for (const one of this.hosts) await one.ipam.idle();
    this.clock.ms += 600_000; // what was handed over just now was too young
    for (const index of this.hosts.keys()) await this.#reclaim(index);
    for (const one of this.hosts) await one.ipam.idle();
    const stored = await this.#taken();
    const expected = [...this.live].map(([address, holder]) => `${address} h${holder}`).sort();
    if (stored.join() !== expected.join()) {
      throw new Error(`the store has ${stored.join(', ')}; alive are ${expected.join(', ')}`);
    }
    const room = 2 ** (32 - Number(this.subnet.split('/')[1])) - 3;
    for (let i = this.live.size; i < room; i += 1) await this.#more(i % HOSTS);
    for (const [i, one] of this.hosts.entries()) {
      const error = await one.address(this.poolIds[i]!).then(
        () => undefined,
        (e: unknown) => e,
      );
      if (!(error instanceof Error) || !error.message.includes('is full')) throw error;
    }
  }

  async #more(index: number): Promise<void> {
    // Asking others for their reserve takes its time on a busy machine.
    const deadline = performance.now() + 10_000;
    for (;;) {
      try {
        const address = await this.hosts[index]!.address(this.poolIds[index]!);
        if (this.live.has(address)) throw new Error(`${address} twice`);
        this.live.set(address, index);
        return;
      } catch (error) {
        if (performance.now() > deadline) throw error;
      }
    }
  }

  async #taken(): Promise<string[]> {
    const blocks = await this.shared.list('blocks/');
    return blocks
      .flatMap(({ value }) => {
        const { taken } = JSON.parse(value) as { taken: Record<Address, { host: string }> };
        return Object.entries(taken).map(([address, { host: holder }]) => `${address} ${holder}`);
      })
      .sort();
  }

  get #id(): string {
    return this.subnet.replace('/', '-');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const one of this.hosts) await one.stop();
    await this.shared[Symbol.asyncDispose]();
  }
}

for (const prefixLength of [28, 26]) {
  test(`model > /${prefixLength}: whatever happens, no address has two containers, none is lost, and full means full`, async (t) => {
    t.timeout(120_000);
    const batches = fc.array(fc.array(step, { minLength: 1, maxLength: 6, size: 'max' }), {
      maxLength: 30,
      size: 'max',
    });
    await fc.assert(
      fc.asyncProperty(batches, async (run) => {
        await using model = new Model(prefixLength);
        await model.open();
        for (const batch of run) await Promise.all(batch.map(async (one) => model.run(one)));
        await model.settle();
      }),
      {
        numRuns: 25,
        interruptAfterTimeLimit: 60_000,
        endOnFailure: true,
        includeErrorInReport: true,
      },
    );
    t.pass();
  });
}
