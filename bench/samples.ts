import type { Result } from './bench.js';

/** What was measured, by metric and subject, in the order it first came. */
export class Samples {
  readonly #series = new Map<string, { head: Head; values: number[] }>();

  add(subject: string, metric: string, unit: string, value: number): void {
    if (!Number.isFinite(value)) throw new TypeError(`${metric} of ${subject} is ${value}`);
    const key = JSON.stringify([metric, subject]);
    const known = this.#series.get(key);
    if (known === undefined) {
      this.#series.set(key, { head: { subject, metric, unit }, values: [value] });
    } else known.values.push(value);
  }

  results(): Result[] {
    return [...this.#series.values()].map(({ head, values }) => ({
      ...head,
      median: rounded(percentile(values, 50)),
      min: rounded(Math.min(...values)),
      max: rounded(Math.max(...values)),
      runs: values.length,
    }));
  }
}

type Head = Pick<Result, 'subject' | 'metric' | 'unit'>;

/** The value that `percent` of the values do not exceed; the middle between two neighbors where it falls between. */
export function percentile(values: readonly number[], percent: number): number {
  if (values.length === 0) throw new TypeError('nothing was measured');
  const sorted = [...values].sort((a, b) => a - b);
  const place = ((sorted.length - 1) * percent) / 100;
  const below = sorted[Math.floor(place)]!;
  const above = sorted[Math.ceil(place)]!;
  return below + (above - below) * (place - Math.floor(place));
}

/**
 * Measures every subject once a run, each run beginning with another: what disturbs the machine for a while, and what one
 * subject leaves to its successor, hits all alike.
 */
export async function alternate<S>(
  runs: number,
  subjects: readonly S[],
  measure: (subject: S, run: number) => void | Promise<void>,
): Promise<void> {
  for (let run = 0; run < runs; run += 1) {
    for (const subject of rotated(subjects, run)) await measure(subject, run);
  }
}

/** The same, beginning with the one at `by`, or wherever that is after going round. */
export function rotated<T>(list: readonly T[], by: number): T[] {
  const start = by % list.length;
  return [...list.slice(start), ...list.slice(0, start)];
}

/** To six digits: more is noise, and makes files of figures hard to compare. */
function rounded(value: number): number {
  return Number(value.toPrecision(6));
}
