import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import test from 'ava';
import { ConsulStore, type ConsulTls } from '../../../src/store/index.js';
import { Authority } from '../../helpers/certificates.js';
import { Follower, calls, failure } from '../../helpers/consul-world.js';
import { type ConsulServer, startConsul, until } from '../../helpers/consul.js';
import { LEASE, put, set, textOf } from '../../helpers/store-contract-tools.js';
import { tempDir } from '../../helpers/temp-dir.js';

// Tokens and certificates, on real Consuls.

const master = randomUUID();
const acl = { enabled: true, default_policy: 'deny', tokens: { master } };
let guarded: ConsulServer;

test.before(async () => {
  guarded = await startConsul({ config: { acl } });
  const ready = async (): Promise<boolean> =>
    (await ask('PUT', 'acl/policy', { Name: randomUUID(), Rules: '' })) !== undefined;
  await until(ready, 'access control');
});
test.after.always(async () => guarded?.[Symbol.asyncDispose]());

/** A call of the API with all rights; undefined when it fails. */
async function ask(method: string, path: string, body: unknown): Promise<unknown> {
  const headers = { 'x-consul-token': master };
  const url = `${guarded.address}/v1/${path}`;
  const response = await fetch(url, { method, headers, body: JSON.stringify(body) });
  return response.ok ? response.json() : undefined;
}

/** A token with these rules, and a way to change them. */
async function tokenWith(rules: string) {
  const Name = `test-${randomUUID()}`;
  const policy = (await ask('PUT', 'acl/policy', { Name, Rules: rules })) as { ID: string };
  const made = await ask('PUT', 'acl/token', { Policies: [{ ID: policy.ID }] });
  const change = async (Rules: string): Promise<unknown> =>
    ask('PUT', `acl/policy/${policy.ID}`, { ID: policy.ID, Name, Rules });
  return { token: (made as { SecretID: string }).SecretID, change };
}

function storeWith(token?: string, prefix = 'weft/v1/'): ConsulStore {
  return new ConsulStore({ address: guarded.address, prefix, ...(token ? { token } : {}) });
}

const readOnly = 'key_prefix "weft/v1/" { policy = "read" }';
const enough = 'key_prefix "weft/v1/" { policy = "write" } session_prefix "" { policy = "write" }';

test('consul token > none at all: every call says that none was given and what is lacking', async (t) => {
  await using store = storeWith();
  for (const [name, run] of calls(store)) {
    const { error } = await failure(run);
    t.like(error.detail, { code: 'STORE_REFUSED', status: 403 }, name);
    const right = name === 'lease' ? 'session write' : 'key (read|write) on "weft/v1/';
    t.regex(error.message, new RegExp(`permission denied: no token was given.*${right}`), name);
  }
});

test('consul token > one that may only read reads, and hears what it lacks to write', async (t) => {
  await using store = storeWith((await tokenWith(readOnly)).token);
  t.is(await store.get('none'), undefined);
  t.deepEqual(await store.list('none/'), []);
  const write = await failure(async () => store.transact([set('k', '1')]));
  t.regex(write.error.message, /the token lacks key write on "weft\/v1\/"/);
  const lease = await failure(async () => store.lease(LEASE));
  t.regex(lease.error.message, /the token lacks session write/);
});

test('consul token > one with the documented rights does everything', async (t) => {
  await using store = storeWith((await tokenWith(enough)).token);
  await using follower = new Follower(store, 'all/');
  await using lease = await store.lease(LEASE);
  t.true((await store.transact([set('all/k', '1', { lease, ifVersion: 0 })])).ok);
  await until(() => follower.latest.includes('all/k=1'), 'the key');
  await lease[Symbol.asyncDispose]();
  await until(() => follower.latest.length === 0, 'the end of the key');
  await using elsewhere = storeWith((await tokenWith(enough)).token, 'other/');
  const { error } = await failure(async () => elsewhere.list(''));
  t.is(error.code, 'STORE_REFUSED');
});

test('consul token > an unknown one is called that', async (t) => {
  const token = randomUUID();
  await using store = storeWith(token);
  for (const [name, run] of calls(store)) {
    const { error } = await failure(run);
    t.is(error.code, 'STORE_REFUSED', name);
    t.regex(error.message, /does not know the token/, name);
    t.false(error.message.includes(token), name);
  }
});

test('consul token > what it may not read never passes for empty', async (t) => {
  await using all = storeWith(master);
  await put(all, { 'hosts/a': '1', 'networks/a': '1' });
  const hosts = 'key_prefix "weft/v1/hosts/" { policy = "read" }';
  await using store = storeWith((await tokenWith(hosts)).token);
  t.deepEqual(await textOf(store, 'hosts/'), ['hosts/a=1']);
  const { error } = await failure(async () => store.list('networks/'));
  t.regex(error.message, /the token lacks key read on "weft\/v1\/networks\/"/);
});

test('consul token > losing its rights is word of an outage to a watch, not an empty snapshot', async (t) => {
  await using all = storeWith(master);
  await put(all, { 'lost/a': '1' });
  const { token, change } = await tokenWith(enough);
  await using store = storeWith(token);
  await using follower = new Follower(store, 'lost/');
  await until(() => follower.latest.length === 1, 'the first snapshot');
  await change('');
  // A query that waits keeps the rights it began with.
  for (let i = 0; follower.states.at(-1) !== false && i < 100; i += 1) {
    await put(all, { 'lost/a': `${i}` });
    await delay(50);
  }
  t.deepEqual(follower.states, [true, false]);
  t.is(follower.causes[0]?.code, 'STORE_REFUSED');
  t.is(follower.latest.length, 1);
  await put(all, { 'lost/b': '1' });
  await change(enough);
  await until(() => follower.latest.length === 2, 'the change', 60_000);
  t.deepEqual(follower.states, [true, false, true]);
});

test('consul tls > trusts whom it is told to, and says why it does not', async (t) => {
  await using dir = await tempDir();
  const authority = await Authority.make(dir.path, 'authority');
  const stranger = await Authority.make(dir.path, 'stranger');
  const server = await authority.issue('consul', ['DNS:consul.test']);
  const { cert, key } = await authority.issue('weft', []);
  await using consul = await startConsul({
    config: {
      ca_file: authority.certFile,
      cert_file: server.certFile,
      key_file: server.keyFile,
      verify_incoming_https: true,
    },
  });
  const storeTo = (tls?: ConsulTls, address = consul.httpsAddress): ConsulStore =>
    new ConsulStore({ address, timeoutMs: 20_000, ...(tls ? { tls } : {}) });
  const ca = authority.cert;
  const serverName = 'consul.test';

  for (const good of [
    { ca, cert, key, serverName },
    { cert, key, verify: false },
  ]) {
    await using store = storeTo(good);
    await using follower = new Follower(store, '');
    await put(store, { k: Object.keys(good).join(' ') });
    t.is((await store.get('k'))?.value, Object.keys(good).join(' '));
    await until(() => follower.latest.length === 1, 'the key');
  }

  const bad: readonly [ConsulTls | undefined, RegExp][] = [
    [{ ca, cert, key }, /certificate for another name; set its server name/],
    [{ cert, key, serverName }, /no given CA signed; set its CA/],
    [{ ca: stranger.cert, cert, key, serverName }, /no given CA signed; set its CA/],
    [undefined, /no given CA signed/],
    [{ ca, serverName }, /wants a client certificate/],
  ];
  for (const [tls, message] of bad) {
    await using store = storeTo(tls);
    const { error, ms } = await failure(async () => store.get('k'));
    t.is(error.code, 'UNAVAILABLE');
    t.regex(error.message, message);
    t.true(ms < 10_000, `${ms} ms`);
    t.log(error.message);
  }

  await using plain = storeTo(undefined, consul.httpsAddress.replace('https', 'http'));
  const { error } = await failure(async () => plain.get('k'));
  t.regex(error.message, /answered 400: .*HTTPS/);
});
