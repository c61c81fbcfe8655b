/** An endpoint's life as Docker asks for it, and when the kernel of another host has its row. */
import type { Host } from '../../lab/index.js';
import { type Mac, macFromAddress, parseAddress } from '../../src/net/index.js';
import { openRouteMonitor } from '../../src/netlink/index.js';
import { networkOn, poolId } from '../cluster/clustered.js';
import { PluginCaller } from '../cluster/plugin.js';
import { type Samples, percentile } from '../samples.js';

const ROW_TIMEOUT_MS = 10_000;

export interface CallsOptions {
  /** Where the endpoints are made. */
  readonly here: Host;
  /** Whose kernel is to hear of them; on one host there is nobody. */
  readonly elsewhere?: Host;
  readonly samples: Samples;
  readonly lives: number;
  /** Ends the names of the metrics. */
  readonly at: string;
}

/** Each endpoint lives alone: an engine asks for one after another on a network. */
export async function measureCalls(options: CallsOptions): Promise<void> {
  const { here, elsewhere, samples, lives, at } = options;
  const { id, dockerNetworkId } = await networkOn(here);
  await using rows =
    elsewhere === undefined ? undefined : await Rows.open(elsewhere.path(`/run/netns/weft-${id}`));
  using plugin = new PluginCaller(here.path('/run/docker/plugins/weft.sock'));
  const times = new Map<string, number[]>();
  for (let n = 0; n < lives; n += 1) {
    const endpointId = n.toString(16).padStart(8, '0').repeat(8);
    const endpoint = { NetworkID: dockerNetworkId!, EndpointID: endpointId };
    for (const [name, ms] of await lifeOf(plugin, endpoint, rows)) {
      times.set(name, [...(times.get(name) ?? []), ms]);
    }
  }
  for (const [name, all] of times) {
    for (const percent of [50, 99]) {
      samples.add('weft', `${name} p${percent}, ${at}`, 'ms', percentile(all, percent));
    }
  }
}

async function lifeOf(
  plugin: PluginCaller,
  endpoint: object,
  rows: Rows | undefined,
): Promise<(readonly [name: string, ms: number])[]> {
  const pool = { PoolID: poolId };
  const requested = await plugin.call('IpamDriver.RequestAddress', pool);
  const withLength = String(requested.body['Address']);
  const [address = ''] = withLength.split('/');
  const row = rows?.first(macFromAddress(parseAddress(address)));
  const begin = performance.now();
  const created = await plugin.call('NetworkDriver.CreateEndpoint', {
    ...endpoint,
    Interface: { Address: withLength },
  });
  const joined = await plugin.call('NetworkDriver.Join', { ...endpoint, SandboxKey: '/bench' });
  const returned = performance.now();
  const there = await row;
  const left = await plugin.call('NetworkDriver.Leave', endpoint);
  const deleted = await plugin.call('NetworkDriver.DeleteEndpoint', endpoint);
  const released = await plugin.call('IpamDriver.ReleaseAddress', { ...pool, Address: address });
  return [
    ['RequestAddress', requested.ms],
    ['CreateEndpoint', created.ms],
    ['Join', joined.ms],
    ['CreateEndpoint and Join', created.ms + joined.ms],
    ...(there === undefined ? [] : rowTimes(there, begin, returned)),
    ['Leave', left.ms],
    ['DeleteEndpoint', deleted.ms],
    ['ReleaseAddress', released.ms],
  ];
}

function rowTimes(there: number, begin: number, returned: number) {
  return [
    ['row elsewhere after Join', Math.max(0, there - returned)],
    ['row elsewhere after CreateEndpoint was asked for', there - begin],
  ] as const;
}

/** Hears from a kernel which MACs get a tunnel, when it happens. */
class Rows implements AsyncDisposable {
  readonly #waiting = new Map<Mac, (at: number) => void>();
  #close = (): void => undefined;

  static async open(netns: string): Promise<Rows> {
    const rows = new Rows();
    const monitor = await openRouteMonitor({
      netns,
      groups: ['neighbor'],
      onEvent: (event) => {
        if (event.type !== 'fdb' || event.isGone || event.entry.owner !== 'self') return;
        rows.#waiting.get(event.entry.mac)?.(performance.now());
      },
      onError: () => undefined,
    });
    rows.#close = () => monitor.close();
    return rows;
  }

  /** When it came. */
  async first(mac: Mac): Promise<number> {
    return new Promise((resolve, reject) => {
      const late = new Error(`no row of ${mac} within ${ROW_TIMEOUT_MS / 1000} s`);
      const timer = setTimeout(() => reject(late), ROW_TIMEOUT_MS);
      this.#waiting.set(mac, (at) => {
        clearTimeout(timer);
        this.#waiting.delete(mac);
        resolve(at);
      });
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#close();
  }
}
