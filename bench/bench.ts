import type { EngineRelease } from '../lab/index.js';

/**
 * How much of itself a bench runs: 'smoke' proves within seconds that all of it works and measures nothing worth keeping,
 * 'headline' is what the project promises, 'full' every combination it knows.
 */
export type Scope = 'smoke' | 'headline' | 'full';

export interface BenchContext {
  readonly scope: Scope;
  /** How often each subject is measured. */
  readonly runs: number;
  readonly engine: EngineRelease;
  /** False for a metric that nobody asked for: a bench of many leaves it out. */
  readonly wants: (metric: string) => boolean;
  /** Tells people how far it is. */
  readonly progress: (text: string) => void;
}

/** One subject's figures for one metric. */
export interface Result {
  /** "weft", or what it is measured against. */
  readonly subject: string;
  readonly metric: string;
  readonly unit: string;
  readonly median: number;
  readonly min: number;
  readonly max: number;
  readonly runs: number;
}

/** Something to measure: `npm run bench -- NAME`. */
export interface Bench {
  readonly name: string;
  /** One line for the list of benches. */
  readonly summary: string;
  /** How often each subject is measured unless told otherwise. */
  readonly defaultRuns: number;
  /** True when it makes labs, and so runs in a jail as root. */
  readonly needsLab: boolean;
  /** The subject that the printed table compares the others with. */
  readonly peer?: string;
  /** The event loop may be blocked: nothing else runs in this process. */
  readonly run: (context: BenchContext) => Promise<readonly Result[]>;
}
