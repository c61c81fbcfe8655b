import { join } from 'node:path';
import {
  cacheDirectory,
  engineReleases,
  ensureBenchTools,
  ensureLabPackages,
  ensureTestTools,
  projectDirectory,
  run,
  runInJail,
  runOk,
  type EngineRelease,
  type StoreKind,
} from '../../lab/index.js';
import { exists } from '../../lab/files.js';

export const layerNames = ['unit', 'kernel', 'e2e', 'long'] as const;
export type LayerName = (typeof layerNames)[number];
/** Those of `npm test`. What is long is run before a release, or by who works on it. */
export const defaultLayers: readonly LayerName[] = ['unit', 'kernel', 'e2e'];

export interface Selection {
  readonly layers: readonly LayerName[];
  /** Only this engine in e2e; none: the whole matrix. */
  readonly engine: EngineRelease | undefined;
  readonly store: StoreKind | undefined;
  /** Patterns on titles, as AVA understands them; none: all tests. */
  readonly match: readonly string[];
  /** Files or patterns below dist/test; none: all of a layer. */
  readonly files: readonly string[];
}

/** One run of AVA. */
export interface Step {
  readonly name: string;
  /** True when each test is worth a line of its own. */
  readonly slow: boolean;
  /** True for what mostly waits, for engines say: another such step may run beside it. */
  readonly beside: boolean;
  /** Installs what it needs. Never runs beside anything: installers lock each other out. */
  readonly prepare?: () => Promise<void>;
  /** Runs it, or only the tests with these titles, telling what it writes; resolves to the exit code. */
  readonly run: (onOutput: (text: string) => void, titles?: readonly string[]) => Promise<number>;
}

const stepTimeoutMs = 20 * 60_000;
const nodeLts = '26';
const ava = join(projectDirectory, 'node_modules/ava/entrypoints/cli.mjs');
const c8 = join(projectDirectory, 'node_modules/c8/bin/c8.js');
/** Of lines, by the unit tests alone; the kernel and e2e layers cover what needs a kernel or an engine. */
const coveredPercent = 60;

/** The steps a selection asks for, in order. */
export function steps(selection: Selection): Step[] {
  const all: Step[] = [];
  if (selection.layers.includes('unit')) all.push(...unitSteps(selection));
  if (selection.layers.includes('kernel')) all.push(kernelStep(selection));
  if (selection.layers.includes('e2e')) all.push(...e2eSteps(selection));
  if (selection.layers.includes('long')) all.push(ownStep('long', 'ava.long.config.js', selection));
  return all;
}

function unitSteps(selection: Selection): Step[] {
  const argv = avaArgv('ava.unit.config.js', selection);
  const isPartial = selection.match.length > 0 || selection.files.length > 0;
  // Sources that no test loads count too, hence --all with the paths that source maps give.
  const coverage = ['--all', '--src=.', '--include=src/**', '--exclude-after-remap'];
  const report = ['--reporter=text-summary', '--temp-directory=dist/.v8'];
  const threshold = ['--check-coverage', `--lines=${coveredPercent}`];
  const covered = [
    process.execPath,
    c8,
    ...coverage,
    ...report,
    ...threshold,
    process.execPath,
    ...argv,
  ];
  return [
    {
      name: `unit, Node ${process.versions.node}`,
      slow: false,
      beside: false,
      run: async (onOutput) => runHere(isPartial ? [process.execPath, ...argv] : covered, onOutput),
    },
    {
      name: `unit, Node ${nodeLts}`,
      slow: false,
      beside: false,
      run: async (onOutput) => runHere([await ensureNode(), ...argv], onOutput),
    },
  ];
}

function kernelStep(selection: Selection): Step {
  return {
    name: 'kernel',
    slow: true,
    beside: false,
    prepare: ensureTestTools,
    run: async (onOutput) =>
      runInJail([process.execPath, ...avaArgv('ava.kernel.config.js', selection)], { onOutput }),
  };
}

function e2eSteps(selection: Selection): Step[] {
  const isAlone = (file: string): boolean => file.includes('/alone/');
  const onLab = only(selection, (file) => !isAlone(file));
  const alone = only(selection, (file) => isAlone(file) || file.includes('**'));
  // The longest first: what runs beside it ends at about the same time.
  return [
    ...(alone ? [ownStep('e2e, once', 'ava.alone.config.js', alone)] : []),
    ...(onLab ? labSteps(onLab).toReversed() : []),
  ];
}

/** The selection with those of its files that match; undefined when it names files and none does. */
function only(selection: Selection, matches: (file: string) => boolean): Selection | undefined {
  if (selection.files.length === 0) return selection;
  const files = selection.files.filter(matches);
  return files.length === 0 ? undefined : { ...selection, files };
}

/** AVA on a lab that its tests share, for each engine and store. */
function labSteps(selection: Selection): Step[] {
  const matrix: (readonly [EngineRelease, StoreKind])[] = [
    ...engineReleases.map((engine) => [engine, 'consul'] as const),
    ['28.5', 'embedded'],
  ];
  const wanted = matrix.filter(
    ([engine, store]) =>
      (selection.engine ?? engine) === engine && (selection.store ?? store) === store,
  );
  return wanted.map(([engine, store]) => ({
    name: `e2e, ${engine} with ${store}`,
    slow: true,
    beside: true,
    prepare: async () => {
      await ensureLabPackages(engine);
      await ensureTestTools();
    },
    run: async (onOutput, titles) => {
      const session = join(projectDirectory, 'dist/test/runner/e2e-session.js');
      const argv = avaArgv('ava.e2e.config.js', narrowed(selection, titles));
      return runInJail([process.execPath, session, engine, store, ...argv], { onOutput });
    },
  }));
}

/** AVA on tests that each start what they need. */
function ownStep(name: string, config: string, selection: Selection): Step {
  return {
    name,
    slow: true,
    beside: true,
    prepare: async () => {
      await ensureLabPackages('28.5');
      await ensureBenchTools();
    },
    run: async (onOutput, titles) =>
      runInJail([process.execPath, ...avaArgv(config, narrowed(selection, titles))], { onOutput }),
  };
}

function narrowed(selection: Selection, titles: readonly string[] | undefined): Selection {
  return titles === undefined ? selection : { ...selection, match: titles };
}

function avaArgv(config: string, { match, files }: Selection): string[] {
  const title = match.flatMap((pattern) => ['--match', pattern]);
  return [ava, '--config', config, '--tap', ...title, ...files];
}

async function runHere(argv: readonly string[], onOutput: (text: string) => void): Promise<number> {
  const options = { cwd: projectDirectory, env: process.env, timeoutMs: stepTimeoutMs, onOutput };
  return (await run(argv, options)).code ?? 1;
}

/** The current long-term release of Node, whose binary the npm registry carries; kept in the lab's cache. */
async function ensureNode(): Promise<string> {
  const name = `node-linux-${process.arch}`;
  const directory = join(cacheDirectory(), `node-${nodeLts}`);
  const binary = join(directory, 'node_modules', name, 'bin/node');
  if (!(await exists(binary))) {
    const quiet = ['--no-audit', '--no-fund', '--no-package-lock', '--loglevel=error'];
    await runOk(['npm', 'install', '--prefix', directory, ...quiet, `${name}@${nodeLts}`], {
      timeoutMs: stepTimeoutMs,
    });
  }
  return binary;
}
