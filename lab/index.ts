/**
 * The lab: hosts as network namespaces with real Docker engines, a real Consul and a real kernel.
 *
 * Promises: what it needs it fetches once into a cache outside the clone; what it starts is gone when it
 * ends, however it ends. Does not: simulate anything, or touch what the machine already runs.
 */
export { LabError } from './errors.js';
export { ConsulServer } from './consul-server.js';
export { Host } from './host.js';
export { imageName } from './image.js';
export { isJailed, jailDirectory, runInJail, type JailOptions } from './jail.js';
export { Lab, storeKinds, type LabOptions, type StoreKind } from './lab.js';
export { Machine, projectDirectory } from './machine.js';
export { oneOf, wholeNumber } from './options.js';
export { Service, type ServiceSpec, type StartOptions } from './service.js';
export { hasNetwork, lacksNetwork, networkNames } from './networks.js';
export { waitFor, type WaitOptions } from './wait.js';
export { run, runOk, type RunOptions, type RunResult } from './run.js';
export {
  cacheDirectory,
  engineReleases,
  ensureBenchTools,
  ensureConsul,
  ensureEngine,
  ensureLabPackages,
  ensureTestTools,
  ensureTools,
  ensureUnbound,
  type Engine,
  type EngineRelease,
} from './packages.js';
