import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { run } from '../../../src/cli/program.js';
import {
  type ApplyPolicies,
  type Explain,
  type PolicySource,
  type PolicySummary,
  openControlServer,
} from '../../../src/control-api/index.js';
import { sourceOf } from '../../helpers/control-source.js';

const db: PolicySummary = {
  id: 'db',
  networks: ['shop'],
  tier: 'owner',
  comment: 'who reaches the database',
  source: 'shop.yaml',
  line: 3,
  text: '# ours\nname: db\ningress: []\n',
  ingress: 0,
};

/** Runs `weft policy …` against a daemon that answers so; `{file}` in an argument is a file that is there. */
async function policy(
  t: ExecutionContext,
  args: readonly string[],
  over: Partial<PolicySource> = {},
) {
  const directory = await mkdtemp(path.join(tmpdir(), 'weft-cli-'));
  t.teardown(async () => rm(directory, { recursive: true, force: true }));
  const socketPath = path.join(directory, 'control.sock');
  const file = path.join(directory, 'shop.yaml');
  await writeFile(file, 'name: db\n');
  const policies = { ...sourceOf().policies, list: () => [db], ...over };
  await using server = await openControlServer({ socketPath, source: sourceOf({ policies }) });
  t.truthy(server);
  let [out, err] = ['', ''];
  const named = args.map((arg) => arg.replace('{file}', file));
  const code = await run(['policy', ...named, '--control-socket', socketPath], {
    out: (text) => (out += text),
    err: (text) => (err += text),
    ended: new AbortController().signal,
    color: false,
    runDaemon: async () => 0,
    runNames: async () => 0,
  });
  return { code, out: out.replaceAll(file, '{file}'), err, file };
}

const applied = { version: 7, added: ['db'], changed: ['web'], unchanged: [], unknownNetworks: [] };

test('weft policy apply > sends the files and says what came of it', async (t) => {
  const asked: ApplyPolicies[] = [];
  const { code, out, file } = await policy(t, ['apply', '-f', '{file}', '-f', '{file}'], {
    apply: async (wanted) => {
      asked.push(wanted);
      return { ...applied, unknownNetworks: ['later'] };
    },
  });
  t.is(code, 0);
  t.is(
    out,
    '1 added (db), 1 changed (web); version 7\nNo network is called later, yet: it is judged by them once it is there.\n',
  );
  const text = { source: file, text: 'name: db\n' };
  t.deepEqual(asked, [{ files: [text, text], dryRun: false }]);
});

test('weft policy apply --wait > asks until every live host enforces it', async (t) => {
  let asked = 0;
  const { out } = await policy(t, ['apply', '-f', '{file}', '--wait'], {
    apply: async () => applied,
    enforced: async ({ version }) => {
      asked += 1;
      t.is(version, 7);
      const hosts = [{ id: 'h1', name: 'alpha', version: asked === 3 ? 7 : 6 }];
      return { version: 7, isEnforced: asked === 3, hosts };
    },
  });
  t.regex(out, /version 7\nenforced on one host\n$/);
});

test('weft policy apply --dry-run > shows flows that would change', async (t) => {
  const flow = { network: 'shop', from: 'web-1', to: 'db-1', port: 'tcp/80' } as const;
  const { out } = await policy(t, ['apply', '-f', '{file}', '--dry-run'], {
    apply: async () => ({
      ...applied,
      flows: [{ ...flow, before: 'allow', after: 'deny', why: 'no rule allows it in "db"' }],
      notLookedAt: 3,
      connections: {
        ending: [{ ...flow, count: 12, why: 'no rule allows it in "db"' }],
        goOn: 30,
        more: 4,
        notLookedAt: 5,
      },
    }),
  });
  t.is(
    out,
    'Would be: 1 added (db), 1 changed (web)\n' +
      'NETWORK  FROM   TO    PORT    NOW    THEN  WHY\n' +
      'shop     web-1  db-1  tcp/80  allow  deny  no rule allows it in "db"\n' +
      '3 pairs of containers were not looked at.\n' +
      'Of the connections open on this host now, 16 would end and 30 go on.\n' +
      'NETWORK  FROM   TO    PORT    CONNECTIONS  WHY\n' +
      'shop     web-1  db-1  tcp/80  12           no rule allows it in "db"\n' +
      '… and 4 more.\n' +
      '5 were not looked at: too many.\n',
  );
});

test('weft policy diff > shows lines that go and come', async (t) => {
  const { out } = await policy(t, ['diff', '-f', '{file}'], {
    apply: async ({ dryRun }) => {
      t.true(dryRun);
      const texts = { db: 'name: db\ningress: [{ action: allow }]\n' };
      return { ...applied, added: [], changed: ['db'], texts };
    },
  });
  t.is(
    out,
    'policy db, from shop.yaml\n  - # ours\n  - ingress: []\n  + ingress: [{ action: allow }]\n',
  );
});

test('weft policy ls and show > what there is, and one as it was written', async (t) => {
  const list = await policy(t, ['ls']);
  t.is(
    list.out,
    'NAME  NETWORKS  TIER   INGRESS  EGRESS  FROM         COMMENT\n' +
      'db    shop      owner  0        -       shop.yaml:3  who reaches the database\n',
  );
  const none = await policy(t, ['ls'], { list: () => [] });
  t.regex(none.out, /^No policies: all containers of a network reach each other/);
  const shown = await policy(t, ['show', 'db']);
  t.is(shown.out, '# shop.yaml, line 3\n# ours\nname: db\ningress: []\n');
  const unknown = await policy(t, ['show', 'dbb']);
  t.is(unknown.code, 1);
  t.regex(unknown.err, /the cluster has no policy "dbb"; "weft policy ls"/);
});

test('weft policy rm > removes one', async (t) => {
  const removed: string[] = [];
  const { out } = await policy(t, ['rm', 'db', '--json'], {
    remove: async (name) => removed.push(name) + 6,
  });
  t.deepEqual(removed, ['db']);
  t.deepEqual(JSON.parse(out), { removed: 'db', version: 7 });
});

const explanation = {
  network: 'shop',
  from: 'web-1 (10.1.0.2, on alpha)',
  to: 'db-1 (10.1.0.3, on beta)',
  verdict: 'deny',
  egress: { verdict: 'allow', why: 'no policy is about it: the default of the network', logs: [] },
  ingress: {
    verdict: 'deny',
    why: 'rule 2 of policy "db"',
    policy: 'db',
    rule: 2,
    source: 'shop.yaml',
    line: 9,
    comment: 'not from the site',
    logs: ['rule 1 of policy "audit"'],
  },
} as const;

test('weft policy explain > names the rule, its file and line, on both sides', async (t) => {
  const asked: Explain[] = [];
  const explain = (question: Explain) => {
    asked.push(question);
    return {
      ...explanation,
      port: question.port,
      egress: { ...explanation.egress, logs: [] },
      ingress: { ...explanation.ingress, logs: [...explanation.ingress.logs] },
    };
  };
  const { out } = await policy(t, ['explain', 'web-1', 'db-1:5432'], { explain });
  t.is(
    out,
    'denied: web-1 (10.1.0.2, on alpha) to db-1 (10.1.0.3, on beta), tcp/5432, on shop\n' +
      "  sender's side:   allow, no policy is about it: the default of the network\n" +
      '  receiver\'s side: deny, rule 2 of policy "db" (not from the site), shop.yaml:9; logged by rule 1 of policy "audit"\n',
  );
  await policy(t, ['explain', 'web-1', '[fd00::3]:udp/53', '--network', 'shop'], { explain });
  t.deepEqual(asked, [
    { from: 'web-1', to: 'db-1', port: 'tcp/5432' },
    { from: 'web-1', to: 'fd00::3', port: 'udp/53', network: 'shop' },
  ]);
  const bad = await policy(t, ['explain', 'web-1', 'db-1'], { explain });
  t.is(bad.code, 1);
  t.regex(bad.err, /"db-1" has no port: write NAME:tcp\/80/);
});

test('weft policy test > fails with each flow that is not as expected', async (t) => {
  const item = { source: 'shop.test.yaml', line: 4, flow: 'web-1 to db-1 tcp/80', why: 'none' };
  const items = [
    { ...item, expected: 'allow', verdict: 'allow' },
    { ...item, line: 5, expected: 'deny', verdict: 'allow' },
    { ...item, line: 6, expected: 'deny', verdict: null, why: 'nobody is called db-1' },
  ] as const;
  const { code, out } = await policy(t, ['test', '-t', '{file}'], {
    test: () => ({ items: [...items] }),
  });
  t.is(code, 1);
  t.is(
    out,
    'shop.test.yaml:5: web-1 to db-1 tcp/80: expected deny, is allow: none\n' +
      'shop.test.yaml:6: web-1 to db-1 tcp/80: expected deny, is no such flow: nobody is called db-1\n' +
      '1 as expected, 2 not\n',
  );
  const good = await policy(t, ['test', '-t', '{file}'], { test: () => ({ items: [items[0]] }) });
  t.is(good.code, 0);
});

test('weft policy status > which host enforces which version', async (t) => {
  const { out } = await policy(t, ['status'], {
    enforced: async () => ({
      version: 7,
      isEnforced: false,
      hosts: [
        { id: 'h2', name: 'beta', version: null },
        { id: 'h1', name: 'alpha', version: 7 },
      ],
    }),
  });
  t.is(out, 'version 7\nHOST   ENFORCES\nalpha  7\nbeta   -\n');
});

test('weft policy log > tells of packets with names', async (t) => {
  const entry = {
    id: 5,
    at: '2026-05-04T08:00:00.000Z',
    network: 'shop',
    from: 'web-1 (10.1.0.2)',
    to: '10.1.0.9',
    port: 'tcp/80',
    verdict: 'deny',
    why: 'receiver\'s side: no rule allows it in "db"',
  } as const;
  const asked: number[] = [];
  const log = (after: number) => {
    asked.push(after);
    return [entry];
  };
  const { out } = await policy(t, ['log'], { log });
  t.regex(
    out,
    /  denied  web-1 \(10\.1\.0\.2\) to 10\.1\.0\.9, tcp\/80, on shop: receiver's side: no rule allows it in "db"\n$/,
  );
  const json = await policy(t, ['log', '--json'], { log });
  t.deepEqual(JSON.parse(json.out), entry);
  t.deepEqual(asked, [0, 0]);
});
