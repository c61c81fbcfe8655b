/**
 * What happens in a run, made of the seed alone. Knows which containers and networks there would be if every action went
 * well; whether it does is the executor's affair.
 */
import { Random } from './random.js';

/** What a user does. */
export type Action =
  | { readonly do: 'create network' | 'remove network'; readonly network: string }
  | {
      readonly do: 'run';
      readonly container: string;
      readonly network: string;
      readonly restart: 'no' | 'always';
    }
  | { readonly do: 'remove' | 'stop' | 'start' | 'restart'; readonly container: string }
  | {
      readonly do: 'connect' | 'disconnect';
      readonly container: string;
      readonly network: string;
    };

/** Parts of a network on a host that somebody deletes. */
export const kernelParts = [
  'bridge',
  'tunnel',
  'port',
  'rows',
  'neighbors',
  'namespace file',
  'sender filter',
  'guard table',
] as const;
export type KernelPart = (typeof kernelParts)[number];

/** What befalls one host. What has `forMs` is undone after so many milliseconds. */
export type HostFault =
  | { readonly do: 'kill daemon' | 'freeze daemon' | 'kill engine'; readonly forMs: number }
  | { readonly do: 'cut host off' | 'lose host' | 'fill disk'; readonly forMs: number }
  | { readonly do: 'jump clock'; readonly forMs: number; readonly bySec: number }
  | { readonly do: 'restart daemon' | 'restart engine' }
  /** `nth`: of the networks that the host has then. */
  | { readonly do: 'delete from kernel'; readonly part: KernelPart; readonly nth: number }
  | { readonly do: 'delete keys'; readonly of: 'host' | 'endpoints' };

/** What befalls one server of the store. */
export type StoreFault = {
  readonly do: 'kill store' | 'freeze store' | 'cut store off' | 'restart store';
  readonly forMs: number;
};

export type Step = { readonly atMs: number } & (
  | ({ readonly kind: 'action'; readonly host: number } & Action)
  | ({ readonly kind: 'fault'; readonly host: number } & HostFault)
  | ({ readonly kind: 'fault'; readonly server: number } & StoreFault)
);

export interface PlanOptions {
  readonly seed: number;
  readonly seconds: number;
  readonly hosts: number;
  /** Servers of the store. */
  readonly servers: number;
}

export interface Plan {
  readonly options: PlanOptions;
  readonly steps: readonly Step[];
}

const MAX_CONTAINERS = 4;
const MAX_NETWORKS = 3;
/** Users are quick, faults come one in three seconds: about as much as the engines of a small machine can do. */
const ACTION_MS = { min: 300, max: 900 };
const FAULT_MS = { min: 1500, max: 4500 };
/** The hosts get their first networks and containers before anything breaks. */
const CALM_MS = 12_000;

interface PlannedContainer {
  readonly name: string;
  readonly host: number;
  readonly networks: Set<string>;
  isRunning: boolean;
}

export function makePlan(options: PlanOptions): Plan {
  const random = new Random(options.seed);
  const endMs = options.seconds * 1000;
  const actions = new Users(options, random).act(endMs);
  const faults = makeFaults(options, random, endMs);
  return { options, steps: [...actions, ...faults].toSorted((a, b) => a.atMs - b.atMs) };
}

/** Networks that a container is ever on by the plan: who shares none of them must never answer the other. */
export function networksEver({ steps }: Plan): ReadonlyMap<string, ReadonlySet<string>> {
  const ever = new Map<string, Set<string>>();
  for (const step of steps) {
    if (step.do !== 'run' && step.do !== 'connect') continue;
    const networks = ever.get(step.container) ?? new Set();
    ever.set(step.container, networks.add(step.network));
  }
  return ever;
}

class Users {
  readonly #options: PlanOptions;
  readonly #random: Random;
  readonly #steps: Step[] = [];
  /** Which hosts have which networks. */
  readonly #networks = new Map<string, Set<number>>();
  #containers: PlannedContainer[] = [];
  #count = 0;

  constructor(options: PlanOptions, random: Random) {
    this.#options = options;
    this.#random = random;
  }

  act(endMs: number): Step[] {
    for (let host = 0; host < this.#options.hosts; host += 1) {
      for (const network of ['net1', 'net2']) {
        this.#createNetwork(0, host, network);
        this.#run(0, host, network);
      }
    }
    const { min, max } = ACTION_MS;
    for (let at = CALM_MS / 2; at < endMs; at += this.#random.between(min, max)) this.#any(at);
    return this.#steps;
  }

  #any(atMs: number): void {
    const random = this.#random;
    const host = random.between(0, this.#options.hosts - 1);
    const own = this.#containers.filter((container) => container.host === host);
    const here = [...this.#networks].filter(([, on]) => on.has(host)).map(([name]) => name);
    const what = random.weighted({ network: 1, run: 4, remove: 3, turn: 4, connect: 3 });
    if (what === 'network') this.#anyNetwork(atMs, host, here);
    else if (what === 'run') {
      const network = random.pick(here);
      if (network !== undefined && own.length < MAX_CONTAINERS) this.#run(atMs, host, network);
    } else {
      const container = random.pick(own);
      if (container === undefined) return;
      if (what === 'remove') this.#remove(atMs, container);
      else if (what === 'turn') this.#turn(atMs, container);
      else this.#connect(atMs, container, here);
    }
  }

  #anyNetwork(atMs: number, host: number, here: readonly string[]): void {
    const all = Array.from({ length: MAX_NETWORKS }, (_, i) => `net${i + 1}`);
    const missing = all.filter((name) => !here.includes(name));
    const unused = here.filter(
      (name) => !this.#containers.some((c) => c.host === host && c.networks.has(name)),
    );
    const network = this.#random.pick([...missing, ...unused]);
    if (network === undefined) return;
    if (missing.includes(network)) this.#createNetwork(atMs, host, network);
    else {
      this.#networks.get(network)?.delete(host);
      this.#push(atMs, host, { do: 'remove network', network });
    }
  }

  #createNetwork(atMs: number, host: number, network: string): void {
    const on = this.#networks.get(network) ?? new Set();
    this.#networks.set(network, on.add(host));
    this.#push(atMs, host, { do: 'create network', network });
  }

  #run(atMs: number, host: number, network: string): void {
    this.#count += 1;
    const name = `c${this.#count}`;
    this.#containers.push({ name, host, networks: new Set([network]), isRunning: true });
    const restart = this.#random.chance(0.5) ? 'always' : 'no';
    this.#push(atMs, host, { do: 'run', container: name, network, restart });
  }

  #remove(atMs: number, { name, host }: PlannedContainer): void {
    this.#containers = this.#containers.filter((container) => container.name !== name);
    this.#push(atMs, host, { do: 'remove', container: name });
  }

  #turn(atMs: number, container: PlannedContainer): void {
    const deed = container.isRunning ? this.#random.pick(['stop', 'restart'] as const)! : 'start';
    container.isRunning = deed !== 'stop';
    this.#push(atMs, container.host, { do: deed, container: container.name });
  }

  #connect(atMs: number, container: PlannedContainer, here: readonly string[]): void {
    const { name, host, networks } = container;
    const network = this.#random.pick(here);
    if (network === undefined) return;
    if (!networks.has(network)) {
      networks.add(network);
      this.#push(atMs, host, { do: 'connect', container: name, network });
    } else if (networks.size > 1) {
      networks.delete(network);
      this.#push(atMs, host, { do: 'disconnect', container: name, network });
    }
  }

  #push(atMs: number, host: number, action: Action): void {
    this.#steps.push({ atMs, kind: 'action', host, ...action });
  }
}

const faultWeights = {
  'kill daemon': 5,
  'restart daemon': 3,
  'freeze daemon': 2,
  'kill engine': 2,
  'restart engine': 2,
  'cut host off': 3,
  'lose host': 1,
  'fill disk': 2,
  'jump clock': 1,
  'delete from kernel': 6,
  'delete keys': 2,
  'kill store': 2,
  'freeze store': 2,
  'cut store off': 2,
  'restart store': 1,
} as const;
type FaultName = keyof typeof faultWeights;

/** What a fault takes hold of; nothing else befalls that until it is undone. */
const holds: Readonly<Record<FaultName, string>> = {
  'kill daemon': 'daemon',
  'restart daemon': 'daemon',
  'freeze daemon': 'daemon',
  'jump clock': 'daemon',
  'kill engine': 'engine',
  'restart engine': 'engine',
  'cut host off': 'link',
  'lose host': 'host',
  'fill disk': 'disk',
  'delete from kernel': 'kernel',
  'delete keys': 'keys',
  'kill store': 'store',
  'freeze store': 'store',
  'cut store off': 'store',
  'restart store': 'store',
};

function makeFaults({ hosts, servers }: PlanOptions, random: Random, endMs: number): Step[] {
  const steps: Step[] = [];
  const busyUntil = new Map<string, number>();
  const { min, max } = FAULT_MS;
  for (let at = CALM_MS; at < endMs; at += random.between(min, max)) {
    const name = random.weighted(faultWeights);
    const isStore = holds[name] === 'store';
    const machine = random.between(0, (isStore ? servers : hosts) - 1);
    const what = `${holds[name]} ${isStore ? 'any' : machine}`;
    const whole = `host ${machine}`;
    const forMs = Math.min(durationOf(name, random), Math.max(500, endMs - at));
    const parts = Object.values(holds).map((hold) => `${hold} ${machine}`);
    const inTheWay = holds[name] === 'host' ? parts : [what, whole];
    if (inTheWay.some((part) => (busyUntil.get(part) ?? 0) > at)) continue;
    // What is undone takes its time to be as before.
    busyUntil.set(what, at + forMs + 2000);
    steps.push(faultOf(name, at, machine, forMs, random));
  }
  return steps;
}

function durationOf(name: FaultName, random: Random): number {
  // Longer than a lease now and then, so that others take the host for dead.
  if (name === 'cut host off' || name === 'lose host') return random.between(2_000, 25_000);
  if (name.endsWith('store') || name.endsWith('store off')) return random.between(1_000, 15_000);
  if (name === 'fill disk' || name === 'jump clock') return random.between(3_000, 10_000);
  return random.between(200, 6_000);
}

function faultOf(
  name: FaultName,
  atMs: number,
  machine: number,
  forMs: number,
  random: Random,
): Step {
  const at = { atMs, kind: 'fault', host: machine } as const;
  switch (name) {
    case 'kill store':
    case 'freeze store':
    case 'cut store off':
    case 'restart store':
      return { atMs, kind: 'fault', server: machine, do: name, forMs };
    case 'restart daemon':
    case 'restart engine':
      return { ...at, do: name };
    case 'delete from kernel':
      return { ...at, do: name, part: random.pick(kernelParts)!, nth: random.between(0, 5) };
    case 'delete keys':
      return { ...at, do: name, of: random.pick(['host', 'endpoints'] as const)! };
    case 'jump clock':
      return { ...at, do: name, forMs, bySec: random.pick([-86_400, -60, 60, 86_400])! };
    case 'kill daemon':
    case 'freeze daemon':
    case 'kill engine':
    case 'cut host off':
    case 'lose host':
    case 'fill disk':
    default:
      return { ...at, do: name, forMs };
  }
}
