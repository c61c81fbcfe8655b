import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { hasCode } from '../src/util/index.js';
import { jailDirectory, jailName } from './jail.js';
import { bootNamespaces, Machine, type MachineState } from './machine.js';
import { run, runOk } from './run.js';

export interface UnderlayState {
  /** Of this lab among the labs of the jail; also the name of the bridge, `u<index>`. */
  readonly index: number;
  readonly directory: string;
}

const maxLabs = 250;

/**
 * The network between machines: a bridge in the jail's own namespace, 198.18.<index>.0/24 (the range for
 * test beds, RFC 2544) and fd00:198:18:<index>::/64, where .1 is the jail itself, so that tests reach
 * every machine directly. Machines have their default route there.
 */
export class Underlay {
  readonly state: UnderlayState;

  constructor(state: UnderlayState) {
    this.state = state;
  }

  get bridge(): string {
    return `u${this.state.index}`;
  }

  static async create(mtu: number): Promise<Underlay> {
    const index = await claim();
    const directory = join(jailDirectory, String(index));
    await mkdir(directory, { recursive: true });
    const underlay = new Underlay({ index, directory });
    const { bridge } = underlay;
    await runOk(['ip', 'link', 'set', bridge, 'up', 'mtu', String(mtu)]);
    await runOk(['ip', 'address', 'add', `${underlay.address(1)}/24`, 'dev', bridge]);
    await runOk(['ip', 'address', 'add', `${underlay.address6(1)}/64`, 'dev', bridge, 'nodad']);
    // Otherwise every frame between machines would visit this namespace's netfilter.
    for (const family of ['ip', 'ip6', 'arp']) {
      await writeFile(`/proc/sys/net/bridge/bridge-nf-call-${family}tables`, '0').catch(() => {});
    }
    return underlay;
  }

  address(host: number): string {
    return `198.18.${this.state.index}.${host}`;
  }

  address6(host: number): string {
    return `fd00:198:18:${this.state.index}::${host}`;
  }

  /** Boots a machine, plugs it in and gives it the addresses of `number`. */
  async addMachine(name: string, number: number, mtu: number): Promise<MachineState> {
    const directory = join(this.state.directory, name);
    const state: MachineState = {
      name,
      pid: await bootNamespaces(directory, name),
      address: this.address(number),
      address6: this.address6(number),
      directory,
      port: `${this.bridge}.${name}`,
      cgroup: `/${jailName()}/${this.bridge}/${name}`,
    };
    const peer = ['peer', 'name', 'eth0', 'mtu', String(mtu), 'netns', String(state.pid)];
    const veth = ['link', 'add', state.port, 'mtu', String(mtu), 'type', 'veth', ...peer];
    await runOk(['ip', ...veth]);
    await runOk(['ip', 'link', 'set', state.port, 'master', this.bridge, 'up']);
    const machine = new Machine(state);
    const lines = [
      'link set eth0 up',
      `address add ${state.address}/24 dev eth0`,
      `address add ${state.address6}/64 dev eth0 nodad`,
      `route add default via ${this.address(1)}`,
      `route add default via ${this.address6(1)}`,
    ];
    await machine.execOk(['ip', '-batch', '-'], {
      input: lines.map((line) => `${line}\n`).join(''),
    });
    await machine.writeFile(
      '/etc/hosts',
      `127.0.0.1 localhost\n127.0.1.1 ${name}\n::1 localhost\n`,
    );
    await machine.execOk(['rm', '-f', '/etc/resolv.conf']);
    await machine.writeFile('/etc/resolv.conf', `nameserver ${this.address(1)}\n`);
    return state;
  }

  /** Drops every frame to and from a machine; its link stays up, as when a switch in between fails. */
  async cut(machine: MachineState): Promise<void> {
    // Only now, since every frame of every lab would pay for it.
    const { code } = await run(['nft', 'list', 'table', 'bridge', this.bridge]);
    if (code !== 0) await runOk(['nft', '-f', '-'], { input: cutTable(this.bridge) });
    await this.#editCut('add', machine);
  }

  /** Undoes `cut`; false, and nothing done, when the machine is not cut off. */
  async mend(machine: MachineState): Promise<boolean> {
    const { code, stdout } = await run(['nft', 'list', 'table', 'bridge', this.bridge]);
    if (code !== 0 || !stdout.includes(`"${machine.port}"`)) return false;
    await this.#editCut('delete', machine);
    return true;
  }

  async destroy(): Promise<void> {
    await run(['nft', 'delete', 'table', 'bridge', this.bridge]);
    await runOk(['ip', 'link', 'delete', this.bridge]);
  }

  async #editCut(verb: 'add' | 'delete', machine: MachineState): Promise<void> {
    const element = `{ "${machine.port}" }`;
    await runOk(['nft', verb, 'element', 'bridge', this.bridge, 'cut', element]);
  }
}

/** Takes the first free index; the bridge's name is the claim, so two processes never share one. */
async function claim(): Promise<number> {
  for (let index = 1; ; index += 1) {
    const bridge = ['type', 'bridge', 'forward_delay', '0', 'mcast_snooping', '0'];
    try {
      await runOk(['ip', 'link', 'add', `u${index}`, ...bridge]);
      return index;
    } catch (error) {
      if (index === maxLabs || !hasCode(error, 'COMMAND_FAILED')) throw error;
    }
  }
}

function cutTable(bridge: string): string {
  return `table bridge ${bridge} {
    set cut { type ifname; }
    chain in { type filter hook prerouting priority 0; iifname @cut drop; }
    chain out { type filter hook postrouting priority 0; oifname @cut drop; }
  }`;
}
