import { hostname } from 'node:os';
import { Closer, messageOf } from '../util/index.js';
import { type Config, shownConfig } from './config.js';
import { openDaemon } from './daemon.js';
import { DaemonError } from './errors.js';
import { type UpFlags, settingsOf } from './flags.js';
import { loadConfig } from './load-config.js';
import { createLog } from './log.js';

/** A second signal, or this long after the first, ends the process however much is open. */
const CLOSE_MS = 10_000;

/** Runs the daemon until SIGTERM or SIGINT. Answers the exit code: 0 after a signal, 1 when it could not start. */
export async function runDaemon(flags: UpFlags): Promise<number> {
  let config: Config;
  try {
    config = readConfig(flags);
  } catch (error) {
    process.stderr.write(`weft: ${messageOf(error)}\n`);
    return 2;
  }
  if (flags.printConfig) {
    process.stdout.write(`${JSON.stringify(shownConfig(config), undefined, 2)}\n`);
    return 0;
  }
  return serve(config);
}

export function readConfig(flags: UpFlags): Config {
  return loadConfig({
    hostName: hostname(),
    ...(flags.config === undefined ? {} : { file: flags.config }),
    environment: process.env,
    flags: settingsOf(flags),
  });
}

async function serve(config: Config): Promise<number> {
  const log = createLog(config.log).child({ component: 'daemon' });
  const closer = new Closer();
  const stopped = untilSignal();
  try {
    assertRoot();
    await openDaemon(config, log, closer);
    log.info({ signal: await stopped }, 'stopping; networks and containers stay as they are');
    return 0;
  } catch (err) {
    log.error({ err }, 'weft can not start');
    return 1;
  } finally {
    setTimeout(() => process.exit(1), CLOSE_MS).unref();
    await closer.close().catch((err: unknown) => log.error({ err }, 'closing failed'));
  }
}

export function assertRoot(): void {
  if (process.geteuid?.() === 0) return;
  throw new DaemonError(
    { code: 'NOT_ROOT' },
    'the daemon changes the kernel and needs root; start it as root or with the systemd unit',
  );
}

export async function untilSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      process.once(signal, () => resolve(signal));
    }
  });
}
