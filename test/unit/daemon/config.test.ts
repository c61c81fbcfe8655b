import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'ava';
import { loadConfig } from '../../../src/daemon/config.js';

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
    message: /missing\.json can't be read/,
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
] as const) {
  test(`config > ${content} is refused with file and setting`, (t) => {
    const file = write(`bad-${content.replaceAll(/\W/g, '')}.json`, content);
    const error = t.throws(() => loadConfig({ ...base, file }), { code: 'INVALID_CONFIG' });
    t.regex(error.message, message);
    t.true(error.message.startsWith(file), error.message);
  });
}
