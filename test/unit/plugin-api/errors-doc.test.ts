import { readFileSync } from 'node:fs';
import path from 'node:path';
import test from 'ava';
import { kindOfCode } from '../../../src/plugin-api/status.js';

test('errors > the page has every code that Docker may show, and no other', (t) => {
  const page = path.resolve(import.meta.dirname, '../../../../docs/errors.md');
  const codes = [...readFileSync(page, 'utf8').matchAll(/^\| `([A-Z_]+)` /gm)].map(
    (row) => row[1]!,
  );
  t.deepEqual(codes, Object.keys(kindOfCode).toSorted());
});
