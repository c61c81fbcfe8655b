/** One host's allocator in a process of its own: takes and gives back addresses as fast as it is told, until it is stopped. */
import { setTimeout as delay } from 'node:timers/promises';
import { Ipam, type ReclaimReport } from '../../src/ipam/index.js';
import { type Address, type Prefix, parsePrefix } from '../../src/net/index.js';
import { ConsulStore, EmbeddedStore } from '../../src/store/index.js';
import { hasCode, messageOf } from '../../src/util/index.js';
import { context } from './ipam-host.js';

/** Argument of the process, as JSON. */
export interface WorkerOptions {
  readonly host: string;
  readonly consul: string;
  /** Of its local state; survives the process. */
  readonly dir: string;
  readonly subnet: string;
  /** The pool's id towards Docker, when the network is there from an earlier life. */
  readonly poolId?: string;
}

export type ToWorker =
  | { readonly kind: 'run' | 'stop' | 'fill' | 'quit' }
  /** The address is off the books: it may be released. */
  | { readonly kind: 'dropped'; readonly address: string };

export type FromWorker =
  | { readonly kind: 'ready'; readonly poolId: string }
  | { readonly kind: 'got' | 'drop'; readonly address: string }
  | { readonly kind: 'missed' | 'failed'; readonly why: string }
  | { readonly kind: 'stopped' }
  | { readonly kind: 'full'; readonly why: string };

function tell(message: FromWorker): void {
  process.send?.(message);
}

class Host {
  readonly #ipam: Ipam;
  readonly #poolId: string;
  readonly #prefix: Prefix;
  readonly #mine: Address[] = [];
  #running = false;
  #dropped: (() => void) | undefined;

  constructor(ipam: Ipam, poolId: string, prefix: Prefix) {
    this.#ipam = ipam;
    this.#poolId = poolId;
    this.#prefix = prefix;
  }

  async hear(message: ToWorker): Promise<void> {
    if (message.kind === 'run') await this.#run();
    else if (message.kind === 'stop') this.#running = false;
    else if (message.kind === 'fill') await this.#fill();
    else if (message.kind === 'dropped') this.#dropped?.();
    else process.disconnect();
  }

  async #run(): Promise<void> {
    this.#running = true;
    // What ran here in an earlier life is gone, and nothing was released.
    await this.#compare();
    while (this.#running) {
      try {
        if (Math.random() < 0.55 || this.#mine.length === 0) await this.#take();
        else await this.#drop();
      } catch (error) {
        const expected = hasCode(error, 'STORE_UNAVAILABLE') || hasCode(error, 'POOL_FULL');
        tell({ kind: expected ? 'missed' : 'failed', why: messageOf(error) });
        if (hasCode(error, 'POOL_FULL')) await this.#drop();
      }
      await delay(Math.random() * 10);
    }
    await this.#ipam.idle();
    await this.#compare();
    tell({ kind: 'stopped' });
  }

  async #compare(): Promise<void> {
    const live = new Map([[this.#prefix, new Set(this.#mine)]]);
    const { conflicts } = await reclaim(this.#ipam, live);
    for (const address of conflicts) tell({ kind: 'failed', why: `${address} is another's` });
  }

  async #fill(): Promise<void> {
    for (;;) {
      try {
        await this.#take();
      } catch (error) {
        if (!hasCode(error, 'POOL_FULL')) throw error;
        tell({ kind: 'full', why: messageOf(error) });
        return;
      }
    }
  }

  async #take(): Promise<void> {
    const { address } = await this.#ipam.requestAddress(
      { poolId: this.#poolId, gateway: false },
      context(),
    );
    await this.#ipam.attach(this.#id, address, address);
    this.#mine.push(address);
    tell({ kind: 'got', address });
  }

  async #drop(): Promise<void> {
    const [address] = this.#mine.splice(Math.floor(Math.random() * this.#mine.length), 1);
    if (address === undefined) return;
    const off = new Promise<void>((resolve) => {
      this.#dropped = resolve;
    });
    tell({ kind: 'drop', address });
    await off;
    await this.#ipam.detach(this.#id, address, address);
    await this.#ipam.releaseAddress(this.#poolId, address, context());
  }

  /** The pool's own id, as the driver says it; an endpoint's is its address here. */
  get #id(): string {
    return this.#poolId.split('~')[0]!;
  }
}

/** Again while the store is away, for a minute, as the daemon does each round. */
async function reclaim(
  ipam: Ipam,
  live: ReadonlyMap<Prefix, ReadonlySet<Address>>,
): Promise<ReclaimReport> {
  const signal = AbortSignal.timeout(60_000);
  for (;;) {
    try {
      return await ipam.reclaim(live, { olderThanMs: 0, signal });
    } catch (error) {
      if (!hasCode(error, 'STORE_UNAVAILABLE') || signal.aborted) throw error;
      await delay(200);
    }
  }
}

async function main(options: WorkerOptions): Promise<void> {
  const prefix = parsePrefix(options.subnet);
  const ipam = await Ipam.open({
    host: options.host,
    store: new ConsulStore({ address: options.consul, timeoutMs: 2000 }),
    local: await EmbeddedStore.open({ dir: options.dir }),
    ranges: [],
    occupied: async () => [],
    restMs: 200,
    report: (error) => tell({ kind: 'missed', why: error.message }),
  });
  let { poolId } = options;
  if (poolId === undefined) {
    const wish = { addressSpace: 'weft', prefix, ipv6: false, options: { 'weft.network': 'web' } };
    ({ poolId } = await ipam.requestPool(wish, context()));
    await ipam.requestAddress({ poolId, gateway: true }, context());
    const [description] = await ipam.describe([prefix]);
    await ipam.networkCreated([description?.id ?? '']);
  }
  const host = new Host(ipam, poolId, prefix);
  process.on('message', (message) => {
    host.hear(message as ToWorker).catch((error: unknown) => {
      tell({ kind: 'failed', why: messageOf(error) });
    });
  });
  process.on('disconnect', () => process.exit(0));
  tell({ kind: 'ready', poolId });
}

await main(JSON.parse(process.argv[2] ?? '{}') as WorkerOptions);
