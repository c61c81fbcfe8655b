import { readFileSync } from 'node:fs';
import path from 'node:path';
import test from 'ava';
import { ConfigSchema, ENVIRONMENT } from '../../../src/daemon/index.js';

interface Schema {
  readonly properties?: Readonly<Record<string, Schema>>;
}

function leaves({ properties }: Schema, at: readonly string[] = []): string[] {
  if (!properties) return [at.join('.')];
  return Object.entries(properties).flatMap(([key, child]) => leaves(child, [...at, key]));
}

test('configuration > the page names every setting and its variable, and no other', (t) => {
  const page = path.resolve(import.meta.dirname, '../../../../docs/configuration.md');
  const rows = [
    ...readFileSync(page, 'utf8').matchAll(/^\| `([\w.]+)` *\|[^|]*\| *(?:`(\w+)`|-)/gm),
  ];
  const variables = new Map(Object.entries(ENVIRONMENT).map(([name, at]) => [at.join('.'), name]));
  t.deepEqual(
    rows.map(([, setting]) => setting!).toSorted(),
    leaves(ConfigSchema as Schema).toSorted(),
  );
  for (const [, setting, variable] of rows) t.is(variable, variables.get(setting!), setting);
});
