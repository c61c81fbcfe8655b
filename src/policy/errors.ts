import { AppError } from '../util/index.js';

/** Something wrong in a policy file; `line` and `column` count from 1. */
export interface Complaint {
  readonly line: number;
  readonly column: number;
  readonly text: string;
}

export type PolicyDetail = {
  readonly code: 'INVALID_POLICY';
  readonly source: string;
  /** In the order of the file, at least one. */
  readonly complaints: readonly Complaint[];
};

export class PolicyError extends AppError<PolicyDetail> {
  override readonly name = 'PolicyError';
}

/** One line per complaint, as compilers write them: editors jump to such places. */
export function invalidPolicy(source: string, complaints: readonly Complaint[]): PolicyError {
  const sorted = complaints.toSorted((a, b) => a.line - b.line || a.column - b.column);
  const message = sorted
    .map(({ line, column, text }) => `${source}:${line}:${column}: ${text}`)
    .join('\n');
  return new PolicyError({ code: 'INVALID_POLICY', source, complaints: sorted }, message);
}
