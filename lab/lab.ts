import { existsSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ConsulServer } from './consul-server.js';
import { LabError } from './errors.js';
import { Host, weftMain } from './host.js';
import { ensureImage } from './image.js';
import type { Machine, MachineState } from './machine.js';
import { ensureConsul, ensureEngine, type EngineRelease } from './packages.js';
import { run } from './run.js';
import type { Service } from './service.js';
import { Underlay, type UnderlayState } from './underlay.js';

export const storeKinds = ['consul', 'embedded'] as const;
export type StoreKind = (typeof storeKinds)[number];

export interface LabOptions {
  readonly hosts: number;
  readonly engine: EngineRelease;
  readonly store: StoreKind;
  readonly consulServers?: 1 | 3;
  /** Of the underlay, in octets. */
  readonly mtu?: number;
  /** False leaves weftd installed and configured but not started. */
  readonly startWeft?: boolean;
  /** Added to every engine's daemon.json. */
  readonly daemonJson?: Readonly<Record<string, unknown>>;
  /** Added to every weft.json. */
  readonly weftJson?: Readonly<Record<string, unknown>>;
}

interface LabState {
  readonly underlay: UnderlayState;
  readonly engine: EngineRelease;
  readonly store: StoreKind;
  readonly consulBinary: string;
  readonly hosts: readonly MachineState[];
  readonly consul: readonly MachineState[];
}

const defaultMtu = 1500;
const firstConsulNumber = 2;
const firstHostNumber = 11;
const maxHosts = 200;

/**
 * Hosts with real engines, weftd on each and a Consul cluster, on one underlay. Lives in a jail; ends with it
 * or by `close`. `attach` gives another process of the jail the same lab.
 */
export class Lab implements AsyncDisposable {
  readonly hosts: readonly Host[];
  readonly consul: readonly ConsulServer[];
  readonly #state: LabState;
  readonly #underlay: Underlay;

  private constructor(state: LabState) {
    this.#state = state;
    this.#underlay = new Underlay(state.underlay);
    this.hosts = state.hosts.map((host) => new Host(host));
    const peers = state.consul.map((server) => server.address);
    this.consul = state.consul.map((server) => new ConsulServer(server, state.consulBinary, peers));
  }

  /** Makes the machines, starts everything on them and returns when all of it is ready. */
  static async create(options: LabOptions): Promise<Lab> {
    checkOptions(options);
    const consulServers = options.store === 'consul' ? (options.consulServers ?? 1) : 0;
    const [engine, consulBinary, image] = await Promise.all([
      ensureEngine(options.engine),
      consulServers === 0 ? '' : ensureConsul(),
      ensureImage(),
    ]);
    const mtu = options.mtu ?? defaultMtu;
    const underlay = await Underlay.create(mtu);
    const boot = (count: number, name: string, first: number): Promise<MachineState[]> =>
      Promise.all(
        Array.from({ length: count }, (_, i) =>
          underlay.addMachine(`${name}${i + 1}`, first + i, mtu),
        ),
      );
    const [hosts, consul] = await Promise.all([
      boot(options.hosts, 'h', firstHostNumber),
      boot(consulServers, 'consul', firstConsulNumber),
    ]);
    const lab = new Lab({
      underlay: underlay.state,
      engine: options.engine,
      store: options.store,
      consulBinary,
      hosts,
      consul,
    });
    await writeFile(join(underlay.state.directory, 'lab.json'), JSON.stringify(lab.#state));
    await Promise.all([
      ...lab.consul.map(async ({ server }) => server.start()),
      ...lab.hosts.map(async (host) => {
        await host.install(engine, options.daemonJson);
        await host.configureWeft({ ...lab.weftConfig(), ...options.weftJson });
        await host.engine.start();
        await host.loadImage(image);
      }),
    ]);
    if (options.startWeft !== false) {
      await Promise.all(lab.hosts.map(async ({ daemon }) => daemon.start()));
    }
    return lab;
  }

  /** The lab that another process of this jail made in `directory`. */
  static async attach(directory: string): Promise<Lab> {
    const text = await readFile(join(directory, 'lab.json'), 'utf8');
    return new Lab(JSON.parse(text) as LabState);
  }

  /** What `attach` needs. */
  get directory(): string {
    return this.#state.underlay.directory;
  }

  get engine(): EngineRelease {
    return this.#state.engine;
  }

  get store(): StoreKind {
    return this.#state.store;
  }

  get machines(): readonly Machine[] {
    return [...this.hosts, ...this.consul];
  }

  get services(): readonly Service[] {
    return [
      ...this.hosts.flatMap(({ engine, daemon }) => [engine, daemon]),
      ...this.consul.map(({ server }) => server),
    ];
  }

  /** The jail's own address on the underlay, which every host reaches. */
  get address(): string {
    return this.#underlay.address(1);
  }

  /** What every host's weft.json says. */
  weftConfig(): Readonly<Record<string, unknown>> {
    if (this.store === 'embedded') return { store: { kind: 'embedded' } };
    return { store: { kind: 'consul', address: this.consul[0]?.url } };
  }

  /** The n-th host, counted from 0; throws when there are fewer. */
  host(index: number): Host {
    const host = this.hosts[index];
    if (host !== undefined) return host;
    throw new LabError(
      { code: 'BAD_REQUEST', asked: `host ${index}` },
      `the lab has ${this.hosts.length} hosts, not ${index + 1}`,
    );
  }

  /** Cuts a machine off the underlay without taking its link down. */
  async partition(machine: Machine): Promise<void> {
    await this.#underlay.cut(machine.state);
  }

  /** Undoes `partition`. */
  async heal(machine: Machine): Promise<void> {
    const wasCut = await this.#underlay.mend(machine.state);
    if (wasCut) await this.consul.find((server) => server.name === machine.name)?.rejoin();
  }

  /** Ends every process and removes the underlay and every disk: the next lab of this jail begins with nothing. */
  async close(): Promise<void> {
    await Promise.all(this.machines.map(async (machine) => machine.destroy()));
    // A network namespace takes its time to go, and its links with it; a next lab wants their names.
    for (const { state } of this.machines) await run(['ip', 'link', 'delete', state.port]);
    await this.#underlay.destroy();
    await rm(this.directory, { recursive: true, force: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

function checkOptions({ hosts, store, startWeft }: LabOptions): void {
  if (!Number.isInteger(hosts) || hosts < 1 || hosts > maxHosts) {
    throw refusal(`${hosts} hosts`, `a lab has 1 to ${maxHosts} hosts, not ${hosts}`);
  }
  if (store === 'embedded' && hosts > 1) {
    const message = 'the embedded store serves one host; use one host or the store consul';
    throw refusal('embedded store', message);
  }
  if (startWeft !== false && !existsSync(weftMain)) {
    throw refusal('weftd', 'weft is not built; run "npm run build" first');
  }
}

function refusal(asked: string, message: string): LabError {
  return new LabError({ code: 'BAD_REQUEST', asked }, message);
}
