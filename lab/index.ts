/**
 * The lab: hosts as network namespaces with real Docker engines, a real Consul and a real kernel.
 *
 * Promises: what it needs it fetches once into a cache outside the clone; what it starts is gone when it
 * ends, however it ends. Does not: simulate anything, or touch what the machine already runs.
 */
export { LabError } from './errors.js';
export { run, runOk, type RunOptions, type RunResult } from './run.js';
export {
  cacheDirectory,
  engineReleases,
  ensureBuildTools,
  ensureConsul,
  ensureEngine,
  ensureTools,
  type Engine,
  type EngineRelease,
} from './packages.js';
