export interface Column<T> {
  readonly title: string;
  readonly value: (row: T) => string;
  /** For numbers. */
  readonly alignRight?: boolean;
}

const GAP = '  ';

/** Rows under aligned titles, as plain text with a line end each. The last column is not padded. */
export function table<T>(columns: readonly Column<T>[], rows: readonly T[]): string {
  const cells = [
    columns.map((column) => column.title),
    ...rows.map((row) => columns.map((column) => printable(column.value(row)))),
  ];
  const widths = columns.map((_, i) => Math.max(...cells.map((line) => line[i]!.length)));
  const pad = (text: string, i: number): string =>
    columns[i]?.alignRight ? text.padStart(widths[i]!) : text.padEnd(widths[i]!);
  return cells.map((line) => `${line.map(pad).join(GAP).trimEnd()}\n`).join('');
}

/** Names come from other hosts: a control character among them must not reach the terminal as one. */
export function printable(text: string): string {
  // oxlint-disable-next-line no-control-regex
  return text.replaceAll(/[\u0000-\u001f\u007f-\u009f]/g, '?');
}
