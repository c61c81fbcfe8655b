/** What faults do to one host, and how it is undone. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type Host, type Lab, projectDirectory } from '../../lab/index.js';
import { processesOf, sendSignal } from '../../lab/processes.js';
import type { KernelPart } from './plan.js';

const clockFile = '/run/weft-chaos-clock';
const stateDirectory = '/var/lib/weft';
const filler = join(stateDirectory, 'filler');
const netnsDirectory = '/run/netns';

const daemonEnv = {
  CHAOS_CLOCK_FILE: clockFile,
  NODE_OPTIONS: `--import=${join(projectDirectory, 'dist/test/chaos/shifted-clock.js')}`,
};

/** A state directory small enough to be filled; before weftd first starts. */
export async function prepare(host: Host): Promise<void> {
  await host.execOk(['mkdir', '-p', stateDirectory]);
  await host.execOk(['mount', '-t', 'tmpfs', '-o', 'size=16m,mode=700', 'tmpfs', stateDirectory]);
}

export async function startDaemon({ daemon }: Host): Promise<void> {
  if ((await daemon.pid()) === undefined) await daemon.start({ env: daemonEnv });
}

export async function startEngine({ engine }: Host): Promise<void> {
  if ((await engine.pid()) === undefined) await engine.start();
}

export async function fillDisk(host: Host): Promise<void> {
  await host.exec(['dd', 'if=/dev/zero', `of=${filler}`, 'bs=64k']);
}

export async function freeDisk(host: Host): Promise<void> {
  await host.execOk(['rm', '-f', filler]);
}

export async function setClock(host: Host, bySec: number): Promise<void> {
  await host.writeFile(clockFile, String(bySec));
}

/** weft's namespaces on a host, in order of their names. */
export async function namespacesOf(host: Host): Promise<string[]> {
  const names = await readdir(host.path(netnsDirectory)).catch(() => []);
  return names.filter((name) => name.startsWith('weft-')).toSorted();
}

/** Deletes one part of one network from the kernel; false when the host has no network. */
export async function deleteFromKernel(
  host: Host,
  part: KernelPart,
  nth: number,
): Promise<boolean> {
  const namespaces = await namespacesOf(host);
  const namespace = namespaces[nth % Math.max(1, namespaces.length)];
  if (namespace === undefined) return false;
  const path = join(netnsDirectory, namespace);
  const inside = ['nsenter', `--net=${path}`];
  const ports = await portsIn(host, inside);
  const port = ports[nth % Math.max(1, ports.length)];
  const commands: Readonly<Record<KernelPart, readonly (readonly string[])[]>> = {
    bridge: [[...inside, 'ip', 'link', 'delete', 'br0']],
    tunnel: [[...inside, 'ip', 'link', 'delete', 'vxlan0']],
    port: port === undefined ? [] : [[...inside, 'ip', 'link', 'delete', port]],
    rows: [[...inside, 'bridge', 'fdb', 'flush', 'dev', 'vxlan0']],
    neighbors: [[...inside, 'ip', 'neighbor', 'flush', 'dev', 'br0', 'nud', 'permanent']],
    'namespace file': [
      ['umount', '-l', path],
      ['rm', '-f', path],
    ],
    'sender filter': [[...inside, 'nft', 'delete', 'table', 'bridge', 'weft']],
    'guard table': [['nft', 'delete', 'table', 'inet', 'weft']],
  };
  // What is gone already, by another fault, can't be deleted again.
  for (const argv of commands[part]) await host.exec(argv);
  return true;
}

/** The host's ends of its containers' links in a network. */
async function portsIn(host: Host, inside: readonly string[]): Promise<string[]> {
  const { stdout } = await host.exec([...inside, 'ip', '-o', 'link', 'show', 'type', 'veth']);
  return [...stdout.matchAll(/^\d+: ([^@:]+)/gm)].map(([, name]) => name!);
}

/** As when the power goes: no process ends politely, and nothing that lives in memory outlasts it. */
export async function loseHost(lab: Lab, host: Host): Promise<void> {
  await lab.partition(host);
  const { pid: holder, cgroup } = host.state;
  for (;;) {
    const pids = (await processesOf(holder, cgroup)).filter((pid) => pid !== holder);
    if (pids.length === 0) break;
    for (const pid of pids) sendSignal(pid, 'SIGKILL');
  }
  const forget = `
    for file in /run/docker/netns/* /run/netns/*; do umount -l "$file"; rm -f "$file"; done
    for link in $(ls /sys/class/net); do
      case "$link" in lo | eth0) ;; *) ip link delete "$link" ;; esac
    done
    nft flush ruleset
    rm -rf /run/docker /run/docker.sock /run/docker.pid /run/containerd /run/weft /run/runc
  `;
  await host.exec(['sh', '-c', forget]);
}

/** Power again: both start at once, as at boot. */
export async function bootHost(lab: Lab, host: Host): Promise<void> {
  await lab.heal(host);
  await Promise.all([startEngine(host), startDaemon(host)]);
}
