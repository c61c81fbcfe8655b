import type { Changes, Row, Table } from './embedded-table.js';

/**
 * A transaction on disk: what it set, what it deleted, and the version that it gave. A snapshot is made of the same
 * records, one a key, and a last one that carries only the latest version.
 */
interface DiskRecord {
  readonly version: number;
  readonly set?: readonly (readonly [key: string, value: string])[];
  readonly delete?: readonly string[];
}

/** The record of a transaction, or undefined when nothing of it belongs on disk. `before`: a key's row until now. */
export function recordOf(
  changes: Changes,
  version: number,
  before: (key: string) => Row | undefined,
): string | undefined {
  const set: [string, string][] = [];
  const gone: string[] = [];
  for (const [key, row] of changes) {
    if (row && row.lease === undefined) set.push([key, row.entry.value]);
    else if (isDurable(before(key))) gone.push(key);
  }
  if (set.length === 0 && gone.length === 0) return undefined;
  const record: DiskRecord = {
    version,
    ...(set.length > 0 ? { set } : {}),
    ...(gone.length > 0 ? { delete: gone } : {}),
  };
  return JSON.stringify(record);
}

/** Everything durable in the table, as records. */
export function snapshotRecords(table: Table, version: number): string[] {
  const records: string[] = [];
  for (const row of table.rows()) {
    if (!isDurable(row)) continue;
    const { key, value, version: given } = row.entry;
    records.push(JSON.stringify({ version: given, set: [[key, value]] } satisfies DiskRecord));
  }
  records.push(JSON.stringify({ version } satisfies DiskRecord));
  return records;
}

/** The inverse of {@link recordOf}. Throws on anything else. */
export function parseRecord(text: string): { readonly version: number; readonly changes: Changes } {
  const record: unknown = JSON.parse(text);
  if (typeof record !== 'object' || record === null) throw new TypeError('not an object');
  const { version, set = [], delete: gone = [] } = record as { [K in keyof DiskRecord]: unknown };
  if (!Number.isSafeInteger(version) || (version as number) < 0) throw new TypeError('no version');
  if (!Array.isArray(set) || !Array.isArray(gone)) throw new TypeError('no lists');
  const changes: Changes = new Map();
  for (const pair of set as unknown[]) {
    const [key, value] = pair as [unknown, unknown];
    if (typeof key !== 'string' || typeof value !== 'string') throw new TypeError('no text');
    changes.set(key, { entry: { key, value, version: version as number } });
  }
  for (const key of gone as unknown[]) {
    if (typeof key !== 'string') throw new TypeError('no key');
    changes.set(key, undefined);
  }
  return { version: version as number, changes };
}

function isDurable(row: Row | undefined): boolean {
  return row !== undefined && row.lease === undefined;
}
