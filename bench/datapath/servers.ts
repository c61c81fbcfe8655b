import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { projectDirectory, run, waitFor } from '../../lab/index.js';
import { messageOf } from '../../src/util/index.js';
import { type Place, inPlace } from './place.js';

export const ports = { iperf: 5201, sockperf: 11_111, script: 7000 } as const;
export const trafficScript = join(projectDirectory, 'bench/datapath/traffic.py');

const lifetimeMs = 3_600_000;

interface ServerSpec {
  readonly argv: readonly string[];
  readonly listens: readonly (readonly [table: 'tcp' | 'udp' | 'tcp6' | 'udp6', port: number])[];
}

/** sockperf 3.7 knows no IPv6. */
const sockperf = ['sockperf', 'server', '-i', '0.0.0.0', '-p', String(ports.sockperf)];

const specs: readonly ServerSpec[] = [
  { argv: ['iperf3', '--server'], listens: [['tcp6', ports.iperf]] },
  { argv: sockperf, listens: [['udp', ports.sockperf]] },
  { argv: [...sockperf, '--tcp'], listens: [['tcp', ports.sockperf]] },
  {
    argv: ['python3', trafficScript, 'serve', String(ports.script)],
    listens: [
      ['tcp6', ports.script],
      ['udp6', ports.script],
    ],
  },
];

/** What answers the tools in one place, on one core, until it is disposed of. */
export class Servers implements AsyncDisposable {
  readonly #aborter = new AbortController();
  readonly #running: Promise<unknown>[] = [];

  static async start(place: Place, core: number): Promise<Servers> {
    const servers = new Servers();
    try {
      for (const spec of specs) await servers.#start(spec, place, core);
    } catch (error) {
      await servers[Symbol.asyncDispose]();
      throw error;
    }
    return servers;
  }

  async #start({ argv, listens }: ServerSpec, place: Place, core: number): Promise<void> {
    const { signal } = this.#aborter;
    let last = '';
    const running = run(inPlace(place, core, argv), {
      signal,
      timeoutMs: lifetimeMs,
    }).then(
      ({ stdout, stderr }) => (last = `${stdout}${stderr}`),
      (error: unknown) => (last = messageOf(error)),
    );
    this.#running.push(running);
    for (const [table, port] of listens) {
      await waitFor(`${argv.slice(0, 2).join(' ')} listening`, async () => {
        if (last !== '') throw new Error(last);
        return (await boundPorts(place, table)).has(port);
      });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#aborter.abort();
    await Promise.all(this.#running);
  }
}

/** Ports of a namespace's sockets that have no peer, out of the kernel's table. */
async function boundPorts({ pid }: Place, tableName: string): Promise<Set<number>> {
  const text = await readFile(`/proc/${pid}/net/${tableName}`, 'utf8');
  return new Set(
    [...text.matchAll(/^\s*\d+: [0-9A-F]+:([0-9A-F]{4}) [0-9A-F]+:0000 /gm)].map(([, port]) =>
      parseInt(port!, 16),
    ),
  );
}
