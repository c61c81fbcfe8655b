/** A container's namespace as far as names go: loopback, Docker's resolver with its rule, and somebody who asks. */
import { execFileSync } from 'node:child_process';
import dgram from 'node:dgram';
import { once } from 'node:events';
import net from 'node:net';
import { basename } from 'node:path';
import type { ExecutionContext } from 'ava';
import dnsPacket, { type DecodedPacket, type RecordType } from 'dns-packet';
import { parseAddress } from '../../src/net/index.js';
import { type InetAddress, closeFd, openInet, openNetns } from '../../src/netlink/index.js';
import { nodeEnv, testNetns } from './native.js';

const LOOPBACK = parseAddress('127.0.0.1');
const RESOLVER = parseAddress('127.0.0.11');
const to = { address: RESOLVER, port: 53 };

export interface TestSandbox {
  readonly path: string;
  readonly fd: number;
  /** Runs a command line inside. */
  run(command: string): string;
  /** Asks 127.0.0.11; rejects when no answer comes in time. */
  ask(name: string, type: string, transport?: 'udp' | 'tcp'): Promise<DecodedPacket>;
  /** Sends octets and does not wait. */
  send(octets: Uint8Array): Promise<void>;
}

/** `at`: a namespace that is there already; default: one that is made for this test. */
export async function testSandbox(t: ExecutionContext, at?: string): Promise<TestSandbox> {
  const path = at ?? (await testNetns(t)).path;
  const name = basename(path);
  const fd = openNetns(path);
  t.teardown(() => {
    closeFd(fd);
  });
  execFileSync('ip', ['-n', name, 'link', 'set', 'lo', 'up']);
  const run = (command: string): string => {
    const args = ['netns', 'exec', name, ...command.replace(/^nft /, '/usr/sbin/nft ').split(' ')];
    return execFileSync('ip', args, { encoding: 'utf8', env: nodeEnv });
  };
  const ask: TestSandbox['ask'] = async (asked, type, transport = 'udp') => {
    const query = queryOctets(asked, type);
    const octets = transport === 'udp' ? await askUdp(fd, query) : await askTcp(fd, query);
    return dnsPacket.decode(octets);
  };
  const send: TestSandbox['send'] = async (octets) => {
    const socket = udpFrom(fd);
    await new Promise((resolve) => socket.send(octets, 53, RESOLVER, resolve));
    socket.close();
  };
  return { path, fd, run, ask, send };
}

export function queryOctets(name: string, type: string): Buffer {
  const questions = [{ name, type: type as RecordType, class: 'IN' as const }];
  const id = Math.floor(Math.random() * 65_536);
  return dnsPacket.encode({ type: 'query', id, flags: dnsPacket.RECURSION_DESIRED, questions });
}

export function udpFrom(netnsFd: number): dgram.Socket {
  const fd = openInet(netnsFd, { transport: 'udp', local: { address: LOOPBACK, port: 0 } });
  const socket = dgram.createSocket('udp4');
  socket.bind({ fd });
  return socket;
}

const WAIT_MS = 60_000;

async function askUdp(netnsFd: number, query: Uint8Array): Promise<Buffer> {
  const socket = udpFrom(netnsFd);
  try {
    const answer = once(socket, 'message', { signal: AbortSignal.timeout(WAIT_MS) });
    socket.send(query, 53, RESOLVER);
    return ((await answer) as [Buffer])[0];
  } finally {
    socket.close();
  }
}

async function askTcp(netnsFd: number, query: Uint8Array): Promise<Buffer> {
  const local = { address: LOOPBACK, port: 0 };
  const fd = openInet(netnsFd, { transport: 'tcp', local, remote: to });
  const socket = new net.Socket({ fd, readable: true, writable: true });
  try {
    const length = Buffer.alloc(2);
    length.writeUInt16BE(query.length);
    // In pieces, as a stream may come.
    socket.write(Buffer.concat([length, query.subarray(0, 5)]));
    setImmediate(() => socket.write(query.subarray(5)));
    let all = Buffer.alloc(0);
    while (all.length < 2 || all.length < 2 + all.readUInt16BE(0)) {
      const signal = AbortSignal.timeout(WAIT_MS);
      const [piece] = (await once(socket, 'data', { signal })) as [Buffer];
      all = Buffer.concat([all, piece]);
    }
    return all.subarray(2, 2 + all.readUInt16BE(0));
  } finally {
    socket.destroy();
  }
}

/** Answers every A with one address by UDP, with another one by TCP, or all with a code; and keeps the names that it was asked for. */
export class UpstreamServer {
  readonly asked: string[] = [];
  readonly #ttlSec: number;
  readonly #rcode: number;
  #udp: dgram.Socket | undefined;
  #server: net.Server | undefined;

  constructor(ttlSec: number, rcode = 0) {
    this.#ttlSec = ttlSec;
    this.#rcode = rcode;
  }

  /** In a namespace; port 0: the kernel chooses. Resolves with the ports. */
  async listen(netnsFd: number, local: InetAddress): Promise<{ udp: number; tcp: number }> {
    const udp = (this.#udp = dgram.createSocket('udp4'));
    udp.bind({ fd: openInet(netnsFd, { transport: 'udp', local }) });
    udp.on('message', (query, from) =>
      udp.send(this.#answer(query, '192.0.2.1'), from.port, from.address),
    );
    const server = (this.#server = net.createServer((socket) => {
      socket.on('data', (frame) => {
        const reply = this.#answer(frame.subarray(2), '192.0.2.2');
        const length = Buffer.alloc(2);
        length.writeUInt16BE(reply.length);
        socket.end(Buffer.concat([length, reply]));
      });
    }));
    server.listen({ fd: openInet(netnsFd, { transport: 'tcp', local }) });
    if (!server.listening) await once(server, 'listening');
    return { udp: udp.address().port, tcp: (server.address() as net.AddressInfo).port };
  }

  stop(): void {
    this.#udp?.close();
    this.#server?.close();
  }

  #answer(query: Buffer, data: string): Buffer {
    const { id = 0, questions = [] } = dnsPacket.decode(query);
    const [{ name } = { name: '' }] = questions;
    this.asked.push(name);
    const answers = [{ type: 'A' as const, name, ttl: this.#ttlSec, data }];
    const rest = this.#rcode === 0 ? { answers } : { flags: this.#rcode };
    return dnsPacket.encode({ type: 'response', id, questions, ...rest });
  }
}

/** What Docker has in a container: a resolver on 127.0.0.11 at ports of its own choice, and a rule at -100 that leads to it. */
export class DockerResolver extends UpstreamServer {
  readonly #sandbox: TestSandbox;

  /** `ttlSec`: Docker's own for its own names, or of an upstream server. */
  constructor(sandbox: TestSandbox, ttlSec = 600) {
    super(ttlSec);
    this.#sandbox = sandbox;
  }

  async start(): Promise<void> {
    const ports = await this.listen(this.#sandbox.fd, { address: RESOLVER, port: 0 });
    const run = (command: string): string => this.#sandbox.run(command);
    run('nft add table ip docker');
    run('nft delete table ip docker');
    run('nft add table ip docker');
    run('nft add chain ip docker out { type nat hook output priority -100 ; }');
    for (const [transport, port] of Object.entries(ports)) {
      const match = `ip daddr 127.0.0.11 ${transport} dport 53`;
      run(`nft add rule ip docker out ${match} dnat to 127.0.0.11:${port}`);
    }
  }
}
