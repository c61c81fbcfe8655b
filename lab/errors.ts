import { AppError } from '../src/util/index.js';

export type LabDetail =
  /** A package the lab needs could not be had: no mirror, no network, gone from the suite. */
  | { readonly code: 'PACKAGE_UNAVAILABLE'; readonly packages: readonly string[] }
  /** This machine lacks something the lab cannot bring along: root, a kernel feature. */
  | { readonly code: 'MACHINE_UNFIT'; readonly lacks: string }
  /** A command ended otherwise than it should have. */
  | { readonly code: 'COMMAND_FAILED'; readonly argv: readonly string[]; readonly stderr: string }
  /** Something that should have come true in time did not. */
  | { readonly code: 'TIMED_OUT'; readonly waitedFor: string }
  /** The lab was asked for something that makes no sense. */
  | { readonly code: 'BAD_REQUEST'; readonly asked: string };

export class LabError extends AppError<LabDetail> {
  override readonly name = 'LabError';
}
