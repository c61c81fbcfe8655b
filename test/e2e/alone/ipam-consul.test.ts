import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { ConsulStore } from '../../../src/store/index.js';
import { ConsulCluster, until } from '../../helpers/consul.js';
import type { FromWorker, ToWorker, WorkerOptions } from '../../helpers/ipam-worker.js';
import { tempDir } from '../../helpers/temp-dir.js';

const HOSTS = 8;
/** 253 for containers: eight hosts fill it again and again. */
const SUBNET = '10.203.0.0/24';
const CONTAINERS = 253;

const program = fileURLToPath(new URL('../../helpers/ipam-worker.js', import.meta.url));

/** Who has which address, as the hosts' containers would see it. */
class Books {
  readonly holders = new Map<string, string>();
  readonly problems: string[] = [];
  readonly missed: string[] = [];
  grants = 0;

  got(host: string, address: string): void {
    const holder = this.holders.get(address);
    if (holder !== undefined) this.problems.push(`${address} given to ${host}, ${holder} has it`);
    this.holders.set(address, host);
    this.grants += 1;
  }

  forget(host: string): void {
    for (const [address, holder] of this.holders) if (holder === host) this.holders.delete(address);
  }
}

class WorkerProcess {
  readonly options: WorkerOptions;
  readonly #books: Books;
  #child: ChildProcess | undefined;
  #poolId: string | undefined;
  readonly #heard = new Map<FromWorker['kind'], FromWorker>();

  constructor(options: WorkerOptions, books: Books) {
    this.options = options;
    this.#books = books;
  }

  async start(): Promise<void> {
    this.#heard.clear();
    const options = { ...this.options, ...(this.#poolId ? { poolId: this.#poolId } : {}) };
    const child = fork(program, [JSON.stringify(options)]);
    this.#child = child;
    child.on('message', (message) => this.#hear(child, message as FromWorker));
    await this.heard('ready');
  }

  tell(message: ToWorker): void {
    this.#child?.send(message);
  }

  async heard(kind: FromWorker['kind']): Promise<FromWorker> {
    await until(() => this.#heard.has(kind), `"${kind}" from ${this.options.host}`, 90_000);
    const message = this.#heard.get(kind)!;
    this.#heard.delete(kind);
    return message;
  }

  /** The host loses power: its containers are gone, and nobody heard of it. */
  async kill(): Promise<void> {
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
    this.#books.forget(this.options.host);
  }

  #hear(child: ChildProcess, message: FromWorker): void {
    if (child !== this.#child) return;
    const { host } = this.options;
    this.#heard.set(message.kind, message);
    if (message.kind === 'ready') this.#poolId = message.poolId;
    else if (message.kind === 'got') this.#books.got(host, message.address);
    else if (message.kind === 'failed') this.#books.problems.push(`${host}: ${message.why}`);
    else if (message.kind === 'missed') this.#books.missed.push(`${host}: ${message.why}`);
    else if (message.kind === 'drop') {
      this.#books.holders.delete(message.address);
      this.tell({ kind: 'dropped', address: message.address });
    }
  }
}

test('ipam on consul > D5: eight hosts allocate while the leader is killed, and no address is given twice', async (t) => {
  await using cluster = await ConsulCluster.start();
  await using directory = await tempDir();
  const books = new Books();
  const workers = Array.from({ length: HOSTS }, (_, i) => {
    const consul = cluster.servers[i % cluster.servers.length]!.address;
    const host = `host-${i}`;
    const dir = join(directory.path, host);
    return new WorkerProcess({ host, consul, dir, subnet: SUBNET }, books);
  });
  t.teardown(async () => {
    for (const worker of workers) await worker.kill();
  });
  await Promise.all(workers.map(async (worker) => worker.start()));
  for (const worker of workers) worker.tell({ kind: 'run' });

  for (let round = 0; round < 3; round += 1) {
    await progress(books, 100);
    const leader = await cluster.leader();
    await leader.kill();
    await progress(books, 50);
    if (round === 1) {
      const [victim] = workers;
      await victim!.kill();
      await victim!.start();
      victim!.tell({ kind: 'run' });
    }
    await leader.run();
    await leader.ready();
  }
  await progress(books, 100);
  for (const worker of workers) worker.tell({ kind: 'stop' });
  for (const worker of workers) await worker.heard('stopped');
  t.deepEqual(books.problems, []);
  t.log(`${books.grants} grants, ${books.missed.length} refused while the store was away or full`);

  await using store = new ConsulStore({ address: cluster.servers[0]!.address });
  t.deepEqual(await taken(store), lines(books.holders), 'nothing is lost');

  for (const worker of workers) worker.tell({ kind: 'fill' });
  for (const worker of workers) await worker.heard('full');
  t.deepEqual(books.problems, []);
  t.is(books.holders.size, CONTAINERS, 'full means full');
});

/** Waits until so many more addresses were given. */
async function progress(books: Books, grants: number): Promise<void> {
  const goal = books.grants + grants;
  await until(() => books.grants >= goal || books.problems.length > 0, `${grants} grants`, 90_000);
  await delay(0);
}

/** "address host" for each address that the store has as taken. */
async function taken(store: ConsulStore): Promise<string[]> {
  const blocks = await store.list('blocks/');
  const pairs = blocks.flatMap(({ value }) => {
    const block = JSON.parse(value) as { taken: Record<string, { host: string }> };
    return Object.entries(block.taken).map(([a, { host }]): [string, string] => [a, host]);
  });
  return lines(pairs);
}

function lines(pairs: Iterable<readonly [string, string]>): string[] {
  return Array.from(pairs, ([address, host]) => `${address} ${host}`).toSorted();
}
