/** Carries out a plan on a lab, and mends what it broke. Judges nothing. */
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import {
  type ConsulServer,
  type Host,
  type Lab,
  imageName,
  projectDirectory,
} from '../../lab/index.js';
import { KeyedMutex, messageOf } from '../../src/util/index.js';
import { createArgs } from '../helpers/weft-lab.js';
import * as damage from './damage.js';
import type { Action, HostFault, Plan, Step, StoreFault } from './plan.js';
import { probeDirectory } from './probes.js';

/** How one user action ended. */
export interface Outcome {
  readonly step: Step;
  readonly host: string;
  readonly ok: boolean;
  readonly tookMs: number;
  /** What the user saw; empty when it went well. */
  readonly said: string;
  readonly timedOut: boolean;
  /** The command itself was killed, as when its host lost power: nobody was there to be told. */
  readonly killed: boolean;
}

/** A command of a user who has much patience. */
const COMMAND_MS = 120_000;
/** How a shell tells of SIGKILL. */
const SIGKILLED = 137;

export class Stage {
  readonly outcomes: Outcome[] = [];
  /** Faults that took place. */
  faults = 0;
  /** What went wrong with the faults themselves: a lab that does not do as told. */
  readonly troubles: string[] = [];
  readonly #lab: Lab;
  readonly #tell: (line: string) => void;
  readonly #users: Promise<void>[];
  readonly #running = new Set<Promise<void>>();
  readonly #began = performance.now();
  /** What one fault takes down it also brings back, before another one comes for it. */
  readonly #services = new KeyedMutex();

  constructor(lab: Lab, tell: (line: string) => void) {
    this.#lab = lab;
    this.#tell = tell;
    this.#users = lab.hosts.map(async () => Promise.resolve());
  }

  /** Each step at its moment, or as soon after it as the host's user has finished what came before. */
  async play({ steps }: Plan, signal: AbortSignal): Promise<void> {
    for (const step of steps) {
      const wait = step.atMs - (performance.now() - this.#began);
      if (wait > 0) await delay(wait, undefined, { signal }).catch(() => undefined);
      if (signal.aborted) break;
      this.#begin(step, signal);
    }
    await Promise.all([...this.#users, ...this.#running]);
  }

  /** Undoes every fault and starts whatever is down. */
  async mend(): Promise<void> {
    const lab = this.#lab;
    for (const machine of lab.machines) await lab.heal(machine);
    for (const service of lab.services) await service.thaw();
    for (const { server } of lab.consul)
      if (!(await server.pid())) await server.start({ wait: false });
    await Promise.all(lab.consul.map(async ({ server }) => server.ready()));
    await Promise.all(
      lab.hosts.map(async (host) => {
        await damage.freeDisk(host);
        await damage.setClock(host, 0);
        await Promise.all([damage.startDaemon(host), damage.startEngine(host)]);
      }),
    );
  }

  #begin(step: Step, signal: AbortSignal): void {
    if (step.kind === 'action') {
      this.#users[step.host] = this.#after(this.#users[step.host]!, step, signal);
      return;
    }
    const fault = this.#fault(step).catch((error: unknown) => {
      this.troubles.push(`${describe(step)}: ${messageOf(error)}`);
    });
    this.#running.add(fault);
    void fault.then(() => this.#running.delete(fault));
  }

  async #after(before: Promise<void>, step: Step & Action & { host: number }, signal: AbortSignal) {
    await before;
    if (!signal.aborted) await this.#act(step, this.#lab.host(step.host));
  }

  async #act(step: Step & Action, host: Host): Promise<void> {
    const started = performance.now();
    const result = await host.exec(['docker', ...commandOf(step)], { timeoutMs: COMMAND_MS });
    const ok = result.code === 0;
    const tookMs = Math.round(performance.now() - started);
    const said = ok ? '' : result.stderr.trim();
    const { timedOut } = result;
    const killed = !timedOut && (result.code === null || result.code === SIGKILLED);
    this.outcomes.push({ step, host: host.name, ok, tookMs, said, timedOut, killed });
    this.#say(`${host.name}: ${describe(step)}${ok ? '' : `: ${said.replaceAll('\n', ' ')}`}`);
  }

  async #fault(step: Step & { kind: 'fault' }): Promise<void> {
    this.faults += 1;
    this.#say(`FAULT ${describe(step)}`);
    if ('server' in step) {
      const work = async () => this.#storeFault(step, this.#lab.consul[step.server]!);
      await this.#services.run(`store ${step.server}`, work);
    } else await this.#alone(step, async () => this.#hostFault(step, this.#lab.host(step.host)));
    this.#say(`over: ${describe(step)}`);
  }

  async #alone(fault: HostFault & { readonly host: number }, work: () => Promise<void>) {
    const daemon = `daemon ${fault.host}`;
    const engine = `engine ${fault.host}`;
    if (fault.do === 'lose host') {
      await this.#services.run(daemon, async () => this.#services.run(engine, work));
    } else if (fault.do.endsWith('daemon') || fault.do === 'delete from kernel') {
      // A namespace whose file goes while no daemon holds it is gone with its containers' links; only a reconnect helps then.
      await this.#services.run(daemon, work);
    } else if (fault.do.endsWith('engine')) await this.#services.run(engine, work);
    else await work();
  }

  async #hostFault(fault: HostFault, host: Host): Promise<void> {
    const lab = this.#lab;
    const { daemon, engine } = host;
    switch (fault.do) {
      case 'kill daemon':
        await daemon.kill();
        await delay(fault.forMs);
        return damage.startDaemon(host);
      case 'restart daemon':
        await daemon.stop();
        return damage.startDaemon(host);
      case 'freeze daemon':
        await daemon.freeze();
        await delay(fault.forMs);
        return daemon.thaw();
      case 'kill engine':
        await engine.kill();
        await delay(fault.forMs);
        return damage.startEngine(host);
      case 'restart engine':
        await engine.stop();
        return damage.startEngine(host);
      case 'cut host off':
        await lab.partition(host);
        await delay(fault.forMs);
        return lab.heal(host);
      case 'lose host':
        await damage.loseHost(lab, host);
        await delay(fault.forMs);
        return damage.bootHost(lab, host);
      case 'fill disk':
        await damage.fillDisk(host);
        await delay(fault.forMs);
        return damage.freeDisk(host);
      case 'jump clock':
        await damage.setClock(host, fault.bySec);
        await delay(fault.forMs);
        return damage.setClock(host, 0);
      case 'delete from kernel':
        await damage.deleteFromKernel(host, fault.part, fault.nth);
        return undefined;
      case 'delete keys':
        return this.#deleteKeys(host, fault.of);
    }
  }

  async #storeFault(fault: StoreFault, machine: ConsulServer): Promise<void> {
    const { server } = machine;
    switch (fault.do) {
      case 'kill store':
        await server.kill();
        await delay(fault.forMs);
        return server.start();
      case 'freeze store':
        await server.freeze();
        await delay(fault.forMs);
        return server.thaw();
      case 'cut store off':
        await this.#lab.partition(machine);
        await delay(fault.forMs);
        return this.#lab.heal(machine);
      case 'restart store':
        return server.restart();
    }
  }

  /** As somebody does who tidies up in Consul. A store that is away keeps its keys. */
  async #deleteKeys(host: Host, of: 'host' | 'endpoints'): Promise<void> {
    const url = `${this.#lab.consul[0]!.url}/v1/kv/weft/v1/`;
    const signal = AbortSignal.timeout(3000);
    try {
      const hosts = (await (await fetch(`${url}hosts/?recurse`, { signal })).json()) as {
        Key: string;
        Value: string;
      }[];
      const own = hosts.find(({ Value }) => atob(Value).includes(`"name":"${host.name}"`));
      const id = own?.Key.split('/').at(-1);
      if (id === undefined) return;
      if (of === 'host') {
        await fetch(`${url}hosts/${id}`, { method: 'DELETE', signal });
        return;
      }
      const reply = await fetch(`${url}endpoints/?keys`, { signal });
      for (const key of (await reply.json()) as string[]) {
        if (!key.endsWith(`/${id}`)) continue;
        const path = key.slice('weft/v1/'.length);
        await fetch(`${url}${path}`, { method: 'DELETE', signal });
      }
    } catch {
      // Out of reach, or nothing there.
    }
  }

  #say(line: string): void {
    const seconds = ((performance.now() - this.#began) / 1000).toFixed(1);
    this.#tell(`${seconds.padStart(6)} ${line}`);
  }
}

function commandOf(action: Action): string[] {
  switch (action.do) {
    case 'create network':
      return createArgs(action.network);
    case 'remove network':
      return ['network', 'rm', action.network];
    case 'run':
      return runArgs(action.container, action.network, action.restart);
    case 'remove':
      return ['rm', '--force', action.container];
    case 'stop':
    case 'start':
    case 'restart':
      return [action.do, ...(action.do === 'start' ? [] : ['-t', '1']), action.container];
    case 'connect':
    case 'disconnect':
    default:
      return ['network', action.do, action.network, action.container];
  }
}

/** The image has no Python: the prober brings the machine's own. */
function runArgs(name: string, network: string, restart: string): string[] {
  const code = join(projectDirectory, 'test/chaos');
  const binds = ['/usr:/usr:ro', '/lib:/lib:ro', '/lib64:/lib64:ro', `${code}:/chaos:ro`];
  return [
    'run',
    '--detach',
    `--name=${name}`,
    `--network=${network}`,
    `--restart=${restart}`,
    ...[...binds, `${probeDirectory}:/probe`].map((bind) => `--volume=${bind}`),
    imageName,
    'python3',
    '/chaos/prober.py',
    name,
    '/probe',
  ];
}

export function describe(step: Step): string {
  const { atMs: _, kind: _kind, do: what, ...rest } = step;
  return `${what} ${Object.entries(rest)
    .map(([name, value]) => `${name}=${value}`)
    .join(' ')}`;
}
