import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import test from 'ava';
import { kindOfCode } from '../../../src/plugin-api/status.js';

const root = path.resolve(import.meta.dirname, '../../../..');
const [shown = '', elsewhere = ''] = readFileSync(path.join(root, 'docs/errors.md'), 'utf8').split(
  '## Elsewhere',
);
const rowsOf = (section: string): string[] =>
  [...section.matchAll(/^\| `([A-Z_]+)` /gm)].map((row) => row[1]!);

test('errors > the page has every code that Docker may show, and no other', (t) => {
  t.deepEqual(rowsOf(shown), Object.keys(kindOfCode).toSorted());
});

test('errors > the page has every other code of every folder, and no other', (t) => {
  const files = readdirSync(path.join(root, 'src'), { recursive: true, encoding: 'utf8' });
  const codes = files
    .filter((file) => file.endsWith('errors.ts'))
    .flatMap((file) => {
      const source = readFileSync(path.join(root, 'src', file), 'utf8');
      return [...source.matchAll(/readonly code: '([A-Z_]+)'/g)].map(([, code]) => code!);
    });
  const others = new Set(codes.filter((code) => !Object.hasOwn(kindOfCode, code)));
  t.deepEqual(rowsOf(elsewhere), [...others].toSorted());
});
