import { inspect } from 'node:util';
import test from 'ava';
import { defaultConfig } from '../../../src/daemon/config.js';
import { createLog } from '../../../src/daemon/log.js';
import { openEmbedded, openSharedStore } from '../../../src/daemon/shared-store.js';
import { tempDir } from '../../helpers/temp-dir.js';

const log = createLog({ level: 'error', format: 'text' });

test('shared store > a second daemon on one state directory hears that the first one runs, and as what', async (t) => {
  await using dir = await tempDir();
  await using first = await openEmbedded(dir.path, 'local', log);
  t.is(first.kind, 'embedded');
  await t.throwsAsync(openEmbedded(dir.path, 'local', log), {
    code: 'ALREADY_RUNNING',
    message: `a weft daemon with the state directory ${dir.path} runs already, as process ${process.pid}; stop it first, or give this one another --state-dir`,
  });
});

test('shared store > a file that is not there is named once', async (t) => {
  const config = defaultConfig('h1');
  const store = { ...config.store, kind: 'consul' as const, tokenFile: '/nonexistent/token' };
  await t.throwsAsync(openSharedStore({ ...config, store }, log), {
    code: 'INVALID_CONFIG',
    message: "store.tokenFile: /nonexistent/token can't be read: no such file or directory",
  });
});

test("shared store > a password in Consul's address is in no error of it", async (t) => {
  const config = defaultConfig('h1');
  // Port 9 is discard's; nobody has it on loopback.
  const address = 'http://me:hunter2@127.0.0.1:9';
  const store = { ...config.store, kind: 'consul' as const, address };
  await using consul = await openSharedStore({ ...config, store }, log);
  const away = await t.throwsAsync(consul.get('hosts/x'), { code: 'UNAVAILABLE' });
  t.false(inspect(away, { depth: 9 }).includes('hunter2'));
  t.regex(away?.message ?? '', /consul at http:\/\/127\.0\.0\.1:9/);
  await consul[Symbol.asyncDispose]();
  const closed = await t.throwsAsync(consul.get('hosts/x'), { code: 'STORE_CLOSED' });
  t.false(inspect(closed, { depth: 9 }).includes('hunter2'));
});
