/**
 * Writes test/fixtures/netlink anew: what iproute2 sends for each golden case, by strace, and what the kernel answers to
 * dumps of the same namespace. Needs root, iproute2 and strace; run by hand:
 *
 *     node dist/test/kernel/netlink/capture-golden.js
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NETLINK } from '../../../src/netlink/index.js';
import {
  closeFd,
  closeSocket,
  execute,
  openNetns,
  openSocket,
} from '../../../src/netlink/native.js';
import { cases, setup } from '../../unit/netlink/golden-cases.js';

const fixtures = new URL('../../../../test/fixtures/netlink/', import.meta.url);
const netns = `weft-golden-${process.pid}`;

function run(command: string): void {
  const [program, ...args] = command.split(' ');
  execFileSync(program!, ['-n', netns, ...args], { stdio: ['ignore', 'ignore', 'inherit'] });
}

/** The octets of every sendmsg call. */
function sentBy(command: string): Buffer[] {
  const folder = mkdtempSync(join(tmpdir(), 'weft-golden-'));
  const log = join(folder, 'strace');
  const [program, ...args] = command.replace('NETNS', netns).split(' ');
  const traced = ['-o', log, '-e', 'trace=sendmsg', '-e', 'write=all'];
  // What iproute2 answers does not matter, what it sends does: some cases refer to things that are not there.
  spawnSync('strace', [...traced, program!, '-n', netns, ...args], { stdio: 'ignore' });
  const sent: string[] = [];
  for (const line of readFileSync(log, 'utf8').split('\n')) {
    if (line.startsWith('sendmsg')) sent.push('');
    const dump = /^ \| [0-9a-f]+ {2}([0-9a-f ]{48}) /.exec(line);
    if (dump) sent.push(sent.pop()! + dump[1]!);
  }
  rmSync(folder, { recursive: true });
  return sent.map((hex) => Buffer.from(hex.replaceAll(' ', ''), 'hex'));
}

function write(name: string, title: string, octets: Uint8Array): void {
  const lines = [`# ${title}`];
  for (let at = 0; at < octets.length; at += 16) {
    const part = Buffer.from(octets.subarray(at, at + 16));
    lines.push(part.toString('hex').replaceAll(/(..)(?!$)/g, '$1 '));
  }
  writeFileSync(new URL(`${name}.hex`, fixtures), `${lines.join('\n')}\n`);
}

function captureRequests(): void {
  for (const c of cases) {
    execFileSync('ip', ['netns', 'add', netns]);
    try {
      for (const command of setup) run(command);
      const sent = sentBy(c.command).findLast((m) => m.readUInt16LE(4) === c.message.kind.type);
      if (!sent) throw new Error(`${c.name}: iproute2 sent no such message`);
      write(c.name, c.command, sent);
    } finally {
      execFileSync('ip', ['netns', 'del', netns]);
    }
  }
}

/** Dump requests: type, family, octets of the struct. */
const dumps = [
  { name: 'reply-links', title: 'RTM_GETLINK dump', type: 18, family: 0, head: 16 },
  { name: 'reply-fdb', title: 'RTM_GETNEIGH dump, AF_BRIDGE', type: 30, family: 7, head: 12 },
  { name: 'reply-neighbors', title: 'RTM_GETNEIGH dump', type: 30, family: 0, head: 12 },
  { name: 'reply-addresses', title: 'RTM_GETADDR dump', type: 22, family: 0, head: 8 },
  { name: 'reply-routes', title: 'RTM_GETROUTE dump, AF_INET', type: 26, family: 2, head: 12 },
];

async function captureReplies(): Promise<void> {
  execFileSync('ip', ['netns', 'add', netns]);
  const netnsFd = openNetns(`/run/netns/${netns}`);
  try {
    for (const command of setup) run(command);
    for (const name of ['fdb-replace', 'fdb-append-flood', 'neighbor-replace', 'route-multipath']) {
      const { command } = cases.find((c) => c.name === name)!;
      run(command.replace('fd01::2', '10.1.1.3'));
    }
    const socket = await openSocket(NETLINK.ROUTE, { netnsFd });
    for (const d of dumps) {
      const request = Buffer.alloc(16 + d.head);
      request.writeUInt32LE(request.length, 0);
      request.writeUInt16LE(d.type, 4);
      request.writeUInt16LE(0x301, 6);
      request.writeUInt8(d.family, 16);
      write(d.name, d.title, Buffer.concat(await execute(socket, request)));
    }
    closeSocket(socket);
  } finally {
    closeFd(netnsFd);
    execFileSync('ip', ['netns', 'del', netns]);
  }
}

captureRequests();
await captureReplies();
