/** Names for the host itself: a namespace that stands for it, and a real dnsmasq that people would point at weft. */
import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import { type TestSandbox, testSandbox } from '../helpers/dns-sandbox.js';
import { nodeEnv, until } from '../helpers/native.js';

const helper = fileURLToPath(new URL('../helpers/dns-host.js', import.meta.url));
const weft = '127.0.0.153';

interface Running {
  readonly child: ChildProcess;
  /** All that it said. */
  readonly said: () => string;
}

function start(t: ExecutionContext, { path }: TestSandbox, ...argv: readonly string[]): Running {
  const child = spawn('nsenter', [`--net=${path}`, ...argv], { env: nodeEnv, stdio: 'pipe' });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (text) => (said += String(text)));
  }
  t.teardown(() => child.kill('SIGKILL'));
  return { child, said: () => said };
}

/** What BusyBox's nslookup says. */
function lookup(host: TestSandbox, name: string, server: string, type = 'a'): string {
  try {
    return host.run(`busybox nslookup -type=${type} ${name} ${server}`);
  } catch (error) {
    return String((error as { stdout?: string }).stdout);
  }
}

function untilSaid(t: ExecutionContext, { child, said }: Running, what: string): Promise<void> {
  return until(what, () => {
    if (child.exitCode !== null) t.fail(said());
    return said().includes(what) || child.exitCode !== null;
  });
}

test('dns host > a dnsmasq that is pointed at weft answers its names, and weft nothing else', async (t) => {
  const host = await testSandbox(t);
  await untilSaid(t, start(t, host, process.execPath, helper, weft), 'serving');
  t.regex(lookup(host, 'api.web.weft', weft), /Address: 10\.0\.0\.1$/m);
  t.regex(lookup(host, 'www.example.com', weft), /REFUSED/);
  const options = ['--keep-in-foreground', '--conf-file=/dev/null', '--no-resolv', '--no-hosts'];
  const where = ['--listen-address=127.0.0.1', '--bind-interfaces', '--user=root', '--pid-file='];
  const dnsmasq = ['dnsmasq', ...options, ...where, `--server=/weft/${weft}`, '--log-facility=-'];
  await untilSaid(t, start(t, host, ...dnsmasq), 'started');
  await until('dnsmasq to answer', () =>
    lookup(host, 'api.weft', '127.0.0.1').includes('10.0.0.1'),
  );
  t.regex(lookup(host, 'nobody.weft', '127.0.0.1'), /NXDOMAIN/);
  t.regex(lookup(host, '_80._tcp.api.weft', '127.0.0.1', 'srv'), /NXDOMAIN/);
});

test('dns host > an address that comes later is answered on once it is there', async (t) => {
  const host = await testSandbox(t);
  const daemon = start(t, host, process.execPath, helper, '10.9.9.53');
  await untilSaid(t, daemon, 'waiting');
  t.regex(daemon.said(), /EADDRNOTAVAIL/);
  host.run('ip address add 10.9.9.53/32 dev lo');
  await untilSaid(t, daemon, 'serving');
  t.regex(lookup(host, 'api.web.weft', '10.9.9.53'), /Address: 10\.0\.0\.1$/m);
});
