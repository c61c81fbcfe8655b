import test from 'ava';
import { PolicyError, parseExpectations } from '../../../src/policy/index.js';

test('expectations > are read with their lines', (t) => {
  const text = `network: shop
expect:
  - { from: web-1, to: db-1, port: tcp/5432, verdict: allow }
  # nobody else
  - { from: job-1, to: db-1, port: tcp/5432, verdict: deny, comment: never }
---
expect: [{ from: a, to: 10.0.0.1, port: icmp/8, verdict: deny }]
`;
  const found = parseExpectations(text, 'shop.test.yaml');
  t.deepEqual(
    found.map(({ network, from, verdict, line }) => [network, from, verdict, line]),
    [
      ['shop', 'web-1', 'allow', 3],
      ['shop', 'job-1', 'deny', 5],
      [undefined, 'a', 'deny', 7],
    ],
  );
});

test('expectations > are refused with all that is wrong in them', (t) => {
  const text = 'expect:\n  - { from: a, to: b, verdict: maybe }\nmore: 1\n';
  const error = t.throws(() => parseExpectations(text, 'x.yaml'), { instanceOf: PolicyError });
  t.regex(error.message, /x\.yaml:2:5: "expect\.0" lacks "port"/);
  t.regex(error.message, /must be one of allow, deny/);
  t.regex(error.message, /x\.yaml:3:1: there is no "more" in a file of expectations/);
});
