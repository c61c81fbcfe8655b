import { readFileSync } from 'node:fs';
import path from 'node:path';
import test from 'ava';
import fc from 'fast-check';
import {
  type Policy,
  PolicyError,
  PolicySchema,
  type Selector,
  parsePolicies,
} from '../../../src/policy/index.js';
import { block } from './cluster.js';

const FILE = 'shop.yaml';
const head = 'name: db\nnetworks: [shop]\n';

/** What the text is refused with, a line each, without the file's name. */
function refusal(text: string): readonly string[] {
  try {
    parsePolicies(text, FILE);
  } catch (error) {
    if (!(error instanceof PolicyError)) throw error;
    return error.message.split('\n').map((line) => line.replace(`${FILE}:`, ''));
  }
  return [];
}

test('policy files > say everything that the model has, and where it stands', (t) => {
  const text = `# who reaches the database
name: db
networks: [shop, test]
tier: operator
comment: ours
endpoints: { project: shop, service: db }
ingress:
  - action: allow
    comment: the site
    from:
      - labels: { app: front, tier: { not-in: [old], exists: true }, debug: { exists: false } }
        names: [web-*]
      - hosts: [a, b]
    ports: [tcp/5432, udp/8000-8010, sctp/data, icmp/8, icmpv6, tcp]
  - action: log
egress:
  - { action: deny, to: [{ blocks: [{ prefix: 10.0.0.0/8, except: [10.9.0.0/16] }] }] }
---
name: rest
networks: [shop]
endpoints: {}
ingress: []
`;
  const db: Policy = {
    name: 'db',
    tier: 'operator',
    comment: 'ours',
    endpoints: { project: 'shop', service: 'db' },
    ingress: [
      {
        action: 'allow',
        comment: 'the site',
        peers: [
          {
            labels: [
              { key: 'app', op: 'in', values: ['front'] },
              { key: 'tier', op: 'not-in', values: ['old'] },
              { key: 'tier', op: 'exists' },
              { key: 'debug', op: 'absent' },
            ],
            names: ['web-*'],
          },
          { hosts: ['a', 'b'] },
        ],
        ports: [
          { protocol: 'tcp', ports: { first: 5432, last: 5432 } },
          { protocol: 'udp', ports: { first: 8000, last: 8010 } },
          { protocol: 'sctp', ports: { name: 'data' } },
          { protocol: 'icmp', types: [8] },
          { protocol: 'icmpv6' },
          { protocol: 'tcp' },
        ],
      },
      { action: 'log' },
    ],
    egress: [{ action: 'deny', peers: [{ blocks: [block('10.0.0.0/8', '10.9.0.0/16')] }] }],
  };
  const rest: Policy = { name: 'rest', tier: 'owner', endpoints: {}, ingress: [] };
  t.deepEqual(parsePolicies(text, FILE), [
    {
      policy: db,
      networks: ['shop', 'test'],
      source: FILE,
      text: text.slice(0, text.lastIndexOf('---')),
      textLine: 1,
      line: 2,
      ruleLines: { ingress: [8, 15], egress: [17] },
    },
    {
      policy: rest,
      networks: ['shop'],
      source: FILE,
      text: text.slice(text.lastIndexOf('---')),
      textLine: 18,
      line: 19,
      ruleLines: { ingress: [], egress: [] },
    },
  ]);
});

test('policy files > may be JSON, or say a thing once and name it', (t) => {
  const json = '{"name": "db", "networks": ["shop"], "endpoints": {"service": "db"}, "egress": []}';
  const yaml = 'name: db\nnetworks: [shop]\nendpoints: &db {service: db}\negress: []\n';
  t.deepEqual(parsePolicies(json, FILE)[0]?.policy, parsePolicies(yaml, FILE)[0]?.policy);
  const [named] = parsePolicies(`${yaml}ingress: [{action: deny, from: [*db]}]`, FILE);
  t.deepEqual(named?.policy.ingress, [{ action: 'deny', peers: [{ service: 'db' }] }]);
});

test('policy files > may hold nothing', (t) => {
  for (const text of ['', '# nothing yet\n', '---\n---\n'])
    t.deepEqual(parsePolicies(text, FILE), []);
});

const rule = (text: string): string => `${head}endpoints: {}\ningress:\n  - action: allow\n${text}`;
const refused: readonly (readonly [title: string, text: string, ...complaints: RegExp[]])[] = [
  ['text that is no YAML', 'name: "db\n', /^2:1: missing closing "quote$/],
  ['a key that comes twice', 'name: a\nname: b\n', /^2:1: map keys must be unique$/],
  ['a tag that nobody knows', 'name: !foo a\n', /^1:7: unresolved tag: !foo$/],
  [
    'an alias of nothing',
    `${head}endpoints: *no\n`,
    /^3:12: there is nothing called &no before this$/,
  ],
  ['a list', '- 1\n', /^1:1: a policy must be object$/],
  [
    'a policy without a name and whom it is about',
    'networks: [shop]\ningress: []\n',
    /^1:1: a policy lacks "name"$/,
    /^1:1: a policy lacks "endpoints"$/,
  ],
  [
    'words that a policy does not have',
    `${head}endpoints: {}\ningress:\n  - action: allow\n    to: []\n`,
    /^6:5: there is no "to" in "ingress\.0"$/,
  ],
  [
    'an action that there is not',
    `${head}endpoints: {}\negress:\n- action: pass\n`,
    /^5:3: "egress\.0\.action" must be one of allow, deny, log$/,
  ],
  [
    'a demand on a label that is none',
    `${head}endpoints:\n  labels:\n    app/x:\n      is: [a]\ningress: []\n`,
    /^5:5: "endpoints\.labels\.app\/x" must be a text, or have in, not-in or exists$/,
    /^6:7: there is no "is" in "endpoints\.labels\.app\/x"$/,
  ],
  [
    'a label whose value is a number to YAML',
    `${head}endpoints: {labels: {version: 2}}\ningress: []\n`,
    /^3:22: "endpoints\.labels\.version" must be a text/,
  ],
  ['neither direction', `${head}endpoints: {}\n`, /^1:1: policy "db" has neither ingress nor/],
  [
    'a prefix with host bits',
    rule('    from: [{blocks: [{prefix: 10.0.0.1/8}]}]'),
    /^6:\d+: 10\.0\.0\.1\/8 has host bits set, did you mean 10\.0\.0\.0\/8\?$/,
  ],
  [
    'what is no prefix',
    rule('    from: [{blocks: [{prefix: ten}]}]'),
    /^6:\d+: "ten" is not an address\/length$/,
  ],
  [
    'an exception that is outside of its block',
    rule(
      '    from:\n      - blocks:\n        - prefix: 10.0.0.0/8\n          except: [11.0.0.0/16]',
    ),
    /^9:20: 11\.0\.0\.0\/16 is not within 10\.0\.0\.0\/8$/,
  ],
  [
    'all that is wrong, in the order of the file',
    rule('    ports: [tcp/0, sctp/9-8, icmp/256, http, tcp/65536, udp/1-2-3]'),
    /^6:13: "tcp\/0" has no port from 1 to 65535$/,
    /^6:20: "sctp\/9-8" ends before it begins$/,
    /^6:30: "icmp\/256" has no type of icmp/,
    /^6:40: "http" is not PROTOCOL/,
    /^6:46: "tcp\/65536" is not PROTOCOL/,
    /^6:57: "udp\/1-2-3" is not PROTOCOL/,
  ],
  [
    'two policies of one name for one network',
    `${head}endpoints: {}\ningress: []\n---\nname: db\nnetworks: [test, shop]\nendpoints: {}\negress: []\n`,
    /^6:1: there is a policy "db" already, on line 1$/,
  ],
  [
    'aliases that grow without end',
    `${head}endpoints: {}\na: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\n`,
    /^1:1: excessive alias count/,
  ],
  ['a file that is too large', `#${'x'.repeat(1 << 20)}`, /^1:1: the file is larger than 1 MiB$/],
];
for (const [title, text, ...expected] of refused) {
  test(`policy files > ${title}: refused`, (t) => {
    const complaints = refusal(text);
    t.is(complaints.length, expected.length, complaints.join('\n'));
    for (const [i, pattern] of expected.entries()) t.regex(complaints[i]!, pattern);
  });
}

test('policy files > whatever the text, there are policies or complaints with places', (t) => {
  const words = fc.constantFrom(
    ...'name networks endpoints ingress labels blocks __proto__ in a'.split(' '),
    ...': |\n|\n  |- |[|]|{|}|, |*a|&a |---\n|"|? |!'.split('|'),
  );
  const text = fc.oneof(
    fc.string(),
    fc.array(words).map((all) => all.join('')),
  );
  fc.assert(
    fc.property(text, (each) => {
      const complaints = refusal(each);
      for (const complaint of complaints.slice(0, 1)) t.regex(complaint, /^[1-9]\d*:[1-9]\d*: /);
    }),
  );
  t.pass();
});

test('policy files > a label may be called as what every object has', (t) => {
  const text = `${head}endpoints: {labels: {__proto__: x, constructor: y}}\ningress: []\n`;
  const expected: Selector = {
    labels: [
      { key: '__proto__', op: 'in', values: ['x'] },
      { key: 'constructor', op: 'in', values: ['y'] },
    ],
  };
  t.deepEqual(parsePolicies(text, FILE)[0]?.policy.endpoints, expected);
});

test('policy files > the published schema is the one that files are held against', (t) => {
  const file = path.resolve(import.meta.dirname, '../../../../docs/policy.schema.json');
  const { $schema, ...published } = JSON.parse(readFileSync(file, 'utf8')) as { $schema: string };
  t.is($schema, 'https://json-schema.org/draft/2020-12/schema');
  t.deepEqual(published, JSON.parse(JSON.stringify(PolicySchema)));
});
