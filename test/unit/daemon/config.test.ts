import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'ava';
import { shownConfig } from '../../../src/daemon/config.js';
import { loadConfig } from '../../../src/daemon/load-config.js';

const directory = mkdtempSync(path.join(tmpdir(), 'weft-config-'));
test.after.always(() => rmSync(directory, { recursive: true }));

function write(name: string, content: string): string {
  const file = path.join(directory, name);
  writeFileSync(file, content);
  return file;
}

const base = { hostName: 'h1', environment: {}, flags: {} };

test('config > flags beat the environment, which beats the file, which beats the defaults', (t) => {
  const file = write(
    'a.json',
    '{"store":{"kind":"consul","address":"http://a:1"},"underlay":{"port":1,"mtu":1400},"hostName":"f"}',
  );
  const config = loadConfig({
    ...base,
    file,
    environment: { WEFT_CONSUL_ADDRESS: 'http://b:2', WEFT_UNDERLAY_PORT: '2', WEFT_LOG_LEVEL: '' },
    flags: { underlay: { port: 3, select: undefined } },
  });
  t.like(config, {
    hostName: 'f',
    store: { kind: 'consul', address: 'http://b:2', prefix: 'weft/v1/' },
    underlay: { port: 3, mtu: 1400 },
    log: { level: 'info' },
  });
});

test('config > a file named by the environment must be there, the usual one need not', (t) => {
  t.is(loadConfig(base).hostName, 'h1');
  const missing = path.join(directory, 'missing.json');
  t.throws(() => loadConfig({ ...base, environment: { WEFT_CONFIG: missing } }), {
    code: 'INVALID_CONFIG',
    message: `${missing}: can't be read: no such file or directory`,
  });
});

for (const [content, message] of [
  ['{', /is not JSON/],
  ['[]', /must hold one JSON object/],
  ['{"nope":1}', /there is no setting nope/],
  ['{"store":{"kind":"etcd"}}', /store\.kind must be one of embedded, consul/],
  ['{"underlay":{"port":"x"}}', /underlay\.port must be integer/],
  ['{"underlay":{"mtu":500}}', /underlay\.mtu must be >= 1280/],
  ['{"ipam":{"ranges":[]}}', /ipam\.ranges/],
  ['{"store":{"address":"http://"}}', /store\.address is not a URL$/],
  ['{"store":{"address":"http://a/?token=b"}}', /a token belongs into store\.tokenFile$/],
  ['{"a":secret}', /is not JSON: Unexpected token 's'$/],
  ['{"a":1\n "b":2}', /is not JSON: Expected .+ at line 2, column 2$/],
] as const) {
  test(`config > ${content} is refused with file and setting`, (t) => {
    const file = write(`bad-${content.replaceAll(/\W/g, '')}.json`, content);
    const error = t.throws(() => loadConfig({ ...base, file }), { code: 'INVALID_CONFIG' });
    t.regex(error.message, message);
    t.true(error.message.startsWith(file), error.message);
  });
}

test('config > names all that is wrong in one place, and what was probably meant', (t) => {
  const file = write(
    'many.json',
    '{"stroe":{"kind":"consul"},"log":{"lvel":"info"},"port":1,"x":2,"underlay":{"mtu":1}}',
  );
  const error = t.throws(() => loadConfig({ ...base, file }));
  t.is(
    error.message,
    `${file}: ${[
      'there is no setting log.lvel, did you mean log.level?',
      'there is no setting stroe, did you mean store?',
      'there is no setting port, did you mean underlay.port?',
      'there is no setting x',
      'underlay.mtu must be >= 1280',
    ].join('; ')}`,
  );
});

for (const [ranges, complaint] of [
  [['10.0.0.0/33'], '"10.0.0.0/33" is not an address/length'],
  [['hello'], '"hello" is not an address/length'],
  [['10.1.2.3/8'], '10.1.2.3/8 has host bits set, did you mean 10.0.0.0/8?'],
  [['fd00::1/48'], 'fd00::1/48 has host bits set, did you mean fd00::/48?'],
  [['10.0.0.0/8', 'fd00::/48', '10.9.0.0/16'], '10.9.0.0/16 overlaps 10.0.0.0/8'],
  [
    ['no', '10.0.0.1/8'],
    '"no" is not an address/length; ipam.ranges: 10.0.0.1/8 has host bits set, did you mean 10.0.0.0/8?',
  ],
] as const) {
  test(`config > ipam.ranges ${ranges.join(' ')} are refused in words`, (t) => {
    const flags = { ipam: { ranges } };
    const message = `the command line: ipam.ranges: ${complaint}`;
    t.throws(() => loadConfig({ ...base, flags }), { code: 'INVALID_CONFIG', message });
  });
}

test('config > a server that is no address is refused in words', (t) => {
  for (const [dns, setting] of [
    [{ upstream: ['10.0.0.53', 'dns.example'] }, 'dns.upstream'],
    [{ listen: 'dns.example' }, 'dns.listen'],
  ] as const) {
    const message = `the command line: ${setting}: "dns.example" is no server: an address, or ADDRESS:PORT, or [IPV6]:PORT`;
    const settings = { ...base, flags: { dns } };
    t.throws(() => loadConfig(settings), { code: 'INVALID_CONFIG', message });
  }
});

test('config > ranges side by side are fine, in any spelling', (t) => {
  const ranges = ['10.0.0.0/9', '10.128.0.0/9', 'FD00:0::/48'];
  t.deepEqual(loadConfig({ ...base, flags: { ipam: { ranges } } }).ipam.ranges, ranges);
});

test('config > variables that weft does not know are refused, all of them', (t) => {
  const environment = {
    WEFT_CONSUL_ADRESS: 'http://a',
    WEFT_FROBNICATE: '1',
    WEFT_UNUSED: '',
    WEFT_CONTROL_SOCKET: '/c',
    WEFTY: '1',
    CONSUL_HTTP_ADDR: 'x',
  };
  t.throws(() => loadConfig({ ...base, environment }), {
    code: 'INVALID_CONFIG',
    message:
      'the environment: there is no variable WEFT_CONSUL_ADRESS, did you mean WEFT_CONSUL_ADDRESS?; there is no variable WEFT_FROBNICATE',
  });
});

test('config > a password in the address of Consul is not shown, and all else is', (t) => {
  const of = (address: string) => loadConfig({ ...base, flags: { store: { address } } });
  const config = of('https://me:hunter2@consul.example.org:8501/proxy');
  t.is(shownConfig(config).store.address, 'https://me:***@consul.example.org:8501/proxy');
  t.deepEqual(shownConfig(of('http://a:8500')), of('http://a:8500'));
});
