import { LabError } from './errors.js';

/** The one of `known` that a command line option names; throws BAD_REQUEST with the choice. */
export function oneOf<T extends string>(option: string, value: string, known: readonly T[]): T {
  const found = known.find((each) => each === value);
  if (found !== undefined) return found;
  throw new LabError(
    { code: 'BAD_REQUEST', asked: `--${option} ${value}` },
    `--${option} is one of ${known.join(', ')}, not "${value}"`,
  );
}

/** A whole number from a command line option; throws BAD_REQUEST. */
export function wholeNumber(option: string, value: string): number {
  if (/^\d+$/.test(value)) return Number(value);
  throw new LabError(
    { code: 'BAD_REQUEST', asked: `--${option} ${value}` },
    `--${option} is a whole number, not "${value}"`,
  );
}
