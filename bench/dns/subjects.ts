/** Who answers in namespaces of their own: weft, and what a user would run instead. Docker's own resolver is in docker.ts. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ensureUnbound, projectDirectory } from '../../lab/index.js';
import { inNetns } from '../datapath/place.js';
import { NETWORK, NOWHERE, type Kind, addressesOf, kinds, nameOf } from './names.js';
import { Server } from './process.js';

/** One server with names, and the namespaces in which it is asked. */
export interface Running extends AsyncDisposable {
  readonly subject: string;
  readonly address: string;
  /** Files; a client in each. */
  readonly places: readonly string[];
  readonly kinds: readonly Kind[];
  /** Whose CPU counts. */
  readonly pid: number;
}

export interface Setting {
  readonly names: number;
  /** Namespaces with nothing but loopback. */
  readonly places: readonly string[];
  readonly core: number;
  /** For files. */
  readonly directory: string;
}

/** A listener in each namespace, as in containers. */
export async function startWeft({ names, places, core }: Setting): Promise<Running> {
  const main = join(projectDirectory, 'dist/bench/dns/weft-server.js');
  const node = [process.execPath, main, String(names), ...places];
  const argv = inNetns('/proc/self/ns/net', core, node);
  const server = await Server.start(argv, (_pid, said) => said.includes('ready'));
  return running('weft', '127.0.0.11', places, server);
}

/** In the first namespace; all clients are in it too, so that no network lies between, as none does for weft. */
export async function startUnbound(setting: Setting): Promise<Running> {
  const { names, places, core, directory } = setting;
  const lines = [
    'server:',
    'username: ""',
    'chroot: ""',
    'pidfile: ""',
    `directory: "${directory}"`,
    'use-syslog: no',
    'do-daemonize: no',
    'num-threads: 1',
    'interface: 127.0.0.1',
    ...[NETWORK, NOWHERE].map((zone) => `local-zone: "${zone}." static`),
  ];
  for (let i = 0; i < names; i += 1) {
    const { v4, v6 } = addressesOf(i);
    const owner = `${nameOf(i)}.${NETWORK}. 5`;
    lines.push(`local-data: "${owner} A ${v4}"`, `local-data: "${owner} AAAA ${v6}"`);
  }
  const config = join(directory, `unbound-${names}.conf`);
  await writeFile(config, `${lines.join('\n')}\n`);
  const bin = await ensureUnbound();
  const argv = inNetns(places[0]!, core, [join(bin, 'unbound'), '-d', '-c', config]);
  const server = await Server.start(argv, serves, { LD_LIBRARY_PATH: bin });
  return running('unbound', '127.0.0.1', alike(places), server);
}

export async function startDnsmasq(setting: Setting): Promise<Running> {
  const { names, places, core, directory } = setting;
  const hosts = join(directory, `hosts-${names}`);
  const lines = Array.from({ length: names }, (_, i) => {
    const { v4, v6 } = addressesOf(i);
    const name = `${nameOf(i)}.${NETWORK}`;
    return `${v4} ${name}\n${v6} ${name}\n`;
  });
  await writeFile(hosts, lines.join(''));
  const zones = [NETWORK, NOWHERE].map((zone) => `--local=/${zone}/`);
  const only = ['--conf-file=/dev/null', '--no-resolv', '--no-hosts', '--user=root', '--pid-file='];
  const where = ['--listen-address=127.0.0.1', '--bind-interfaces', '--local-ttl=5'];
  const options = ['--keep-in-foreground', ...only, ...where, ...zones, `--addn-hosts=${hosts}`];
  // Second, so that neither is in the other's way.
  const own = alike(places, 1);
  const server = await Server.start(inNetns(own[0]!, core, ['dnsmasq', ...options]), serves);
  return running('dnsmasq', '127.0.0.1', own, server);
}

function alike(places: readonly string[], which = 0): string[] {
  return places.map(() => places[which]!);
}

function running(
  subject: string,
  address: string,
  places: readonly string[],
  server: Server,
): Running {
  const { pid } = server;
  const dispose = async (): Promise<void> => server[Symbol.asyncDispose]();
  return { subject, address, places, kinds, pid, [Symbol.asyncDispose]: dispose };
}

/** Somebody has port 53 of the process's namespace. */
async function serves(pid: number): Promise<boolean> {
  return /^\s*\d+: [0-9A-F]+:0035 /m.test(await readFile(`/proc/${pid}/net/udp`, 'utf8'));
}
