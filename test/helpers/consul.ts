import { type ChildProcess, spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { ensureConsul } from '../../lab/index.js';

const START_MS = 60_000;

export interface ConsulServerOptions {
  readonly name?: string;
  /** Merged over the configuration file. */
  readonly config?: Readonly<Record<string, unknown>>;
}

interface Ports {
  readonly http: number;
  readonly https: number;
  readonly server: number;
  readonly serf_lan: number;
  readonly serf_wan: number;
}

/**
 * A real Consul server on loopback with ports and a directory of its own; goes away with the block that has it, and with this
 * process however that ends. Nobody looks at its elections but its own tests, so they are as quick as Consul allows.
 */
export class ConsulServer implements AsyncDisposable {
  readonly ports: Ports;
  readonly address: string;
  /** Answers when the configuration has a certificate. */
  readonly httpsAddress: string;
  readonly #dir: string;
  #process: ChildProcess | undefined;

  private constructor(dir: string, ports: Ports) {
    this.#dir = dir;
    this.ports = ports;
    this.address = `http://127.0.0.1:${ports.http}`;
    this.httpsAddress = `https://127.0.0.1:${ports.https}`;
  }

  /** Starts one, not waiting for a leader. */
  static async start(options: ConsulServerOptions = {}): Promise<ConsulServer> {
    const { name = 'server', config = {} } = options;
    const [http = 0, https = 0, server = 0, serf_lan = 0, serf_wan = 0] = await freePorts(5);
    const ports = { http, https, server, serf_lan, serf_wan };
    const dir = await mkdtemp(join(tmpdir(), 'weft-consul-'));
    const started = new ConsulServer(dir, ports);
    const file = {
      node_name: name,
      server: true,
      bind_addr: '127.0.0.1',
      client_addr: '127.0.0.1',
      data_dir: join(dir, 'data'),
      ports: { ...ports, https: 'cert_file' in config ? https : -1, dns: -1, grpc: -1 },
      performance: { raft_multiplier: 1 },
      skip_leave_on_interrupt: true,
      disable_update_check: true,
      log_level: 'WARN',
      ...config,
    };
    await writeFile(join(dir, 'config.json'), JSON.stringify(file));
    await started.run();
    return started;
  }

  /** Starts the process again after {@link kill}; its state is kept unless {@link wipe} took it. */
  async run(): Promise<void> {
    const binary = await ensureConsul();
    const log = await open(join(this.#dir, 'log'), 'a');
    const command = [binary, 'agent', `-config-file=${join(this.#dir, 'config.json')}`];
    // The kernel ends it with us, should we be killed.
    this.#process = spawn('setpriv', ['--pdeathsig', 'KILL', ...command], {
      stdio: ['ignore', log.fd, log.fd],
    });
    await once(this.#process, 'spawn');
    await log.close();
  }

  /** Stops it where it stands: connections are accepted by the kernel, and nothing answers. */
  async pause(): Promise<void> {
    const pid = this.#process?.pid;
    this.#process?.kill('SIGSTOP');
    const stopped = async (): Promise<boolean> =>
      /^State:\tT/mu.test(await readFile(`/proc/${pid}/status`, 'utf8'));
    await until(stopped, 'stop of the process');
  }

  resume(): void {
    this.#process?.kill('SIGCONT');
  }

  /** Ends the process at once, as a power cut would. */
  async kill(): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const exit = once(child, 'exit');
    child.kill('SIGKILL');
    await exit;
  }

  async wipe(): Promise<void> {
    await rm(join(this.#dir, 'data'), { recursive: true, force: true });
  }

  async log(): Promise<string> {
    return readFile(join(this.#dir, 'log'), 'utf8');
  }

  /** The server address of the leader, or '' while there is none or this one does not answer. */
  async leader(): Promise<string> {
    try {
      const signal = AbortSignal.timeout(2_000);
      const response = await fetch(`${this.address}/v1/status/leader`, { signal });
      const leader: unknown = await response.json();
      return response.ok && typeof leader === 'string' ? leader : '';
    } catch {
      return '';
    }
  }

  /** How many servers it believes to have failed. */
  async failedMembers(): Promise<number> {
    const members: unknown = await (await fetch(`${this.address}/v1/agent/members`)).json();
    const SERF_FAILED = 4;
    return (members as { Status: number }[]).filter(({ Status }) => Status === SERF_FAILED).length;
  }

  /** How many nodes its catalog has. */
  async nodes(): Promise<number> {
    const reply = await fetch(`${this.address}/v1/catalog/nodes`);
    return reply.ok ? ((await reply.json()) as unknown[]).length : 0;
  }

  /** Resolves when it can read and write. */
  async ready(): Promise<this> {
    await until(async () => {
      if (this.#process?.exitCode !== null) throw new Error(`consul ended: ${await this.log()}`);
      if ((await this.leader()) === '') return false;
      const url = `${this.address}/v1/kv/ready`;
      const response = await fetch(url, { method: 'PUT', body: 'x' }).catch(() => undefined);
      return response?.status === 200 || response?.status === 403;
    }, 'a consul leader');
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    await rm(this.#dir, { recursive: true, force: true });
  }
}

/** Three servers that elect a leader. */
export class ConsulCluster implements AsyncDisposable {
  readonly servers: readonly ConsulServer[];

  private constructor(servers: readonly ConsulServer[]) {
    this.servers = servers;
  }

  static async start(): Promise<ConsulCluster> {
    const servers: ConsulServer[] = [];
    for (const name of ['one', 'two', 'three']) {
      const retry_join = servers.map(({ ports }) => `127.0.0.1:${ports.serf_lan}`);
      const config = { bootstrap_expect: 3, retry_join, retry_interval: '1s' };
      servers.push(await ConsulServer.start({ name, config }));
    }
    const cluster = new ConsulCluster(servers);
    await Promise.all(servers.map(async (server) => server.ready()));
    // The leader registers them one after another; who is not yet can't make a session.
    await until(async () => (await servers[0]!.nodes()) === servers.length, 'all servers known');
    return cluster;
  }

  /** The server that leads now, as the others see it. */
  async leader(): Promise<ConsulServer> {
    let found: ConsulServer | undefined;
    await until(async () => {
      for (const server of this.servers) {
        const leader = await server.leader();
        found = this.servers.find(({ ports }) => leader === `127.0.0.1:${ports.server}`);
        if (found) return true;
      }
      return false;
    }, 'a consul leader');
    return found!;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const server of this.servers) await server[Symbol.asyncDispose]();
  }
}

/** One server that leads alone. */
export async function startConsul(options: ConsulServerOptions = {}): Promise<ConsulServer> {
  const config = { bootstrap_expect: 1, ...options.config };
  const server = await ConsulServer.start({ ...options, config });
  try {
    return await server.ready();
  } catch (error) {
    await server[Symbol.asyncDispose]();
    throw error;
  }
}

/** Waits until `holds`, asking every 20 ms. */
export async function until(
  holds: () => boolean | Promise<boolean>,
  what: string,
  deadlineMs = START_MS,
): Promise<void> {
  const end = performance.now() + deadlineMs;
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`no ${what} within ${deadlineMs} ms`);
    await delay(20);
  }
}

/** Below the range the kernel takes ports of outgoing connections from, so that a server finds its own again. */
async function freePorts(count: number): Promise<number[]> {
  const ports: number[] = [];
  while (ports.length < count) {
    const port = randomInt(15_000, 32_000);
    if (!ports.includes(port) && (await isFree(port))) ports.push(port);
  }
  return ports;
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  try {
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
  } catch {
    return false;
  }
  server.close();
  await once(server, 'close');
  return true;
}
