/**
 * The daemon: configuration, wiring, lifetimes, signals.
 *
 * Promises: everything it opened is closed, last first; it stops without touching traffic. Does not: decide what a call means.
 */
export { type Config, ConfigSchema, defaultConfig } from './config.js';
export { DaemonError, type DaemonDetail } from './errors.js';
export { type UpFlags, settingsOf } from './flags.js';
export { ENVIRONMENT, loadConfig } from './load-config.js';
export { type UnderlayChoice, chooseUnderlay } from './underlay.js';
export { runDaemon } from './run.js';
export { runNames } from './run-names.js';
