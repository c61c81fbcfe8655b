import path from 'node:path';
import { openNamesProcess } from '../dns/index.js';
import { Closer, messageOf } from '../util/index.js';
import type { Config } from './config.js';
import { NAMES_SOCKET } from './daemon.js';
import type { UpFlags } from './flags.js';
import { createLog } from './log.js';
import { assertRoot, readConfig, untilSignal } from './run.js';

/** A second signal, or this long after the first, ends the process however much is open. */
const CLOSE_MS = 10_000;

const WORDS = {
  used: 'the daemon has come',
  alone: 'the daemon has gone; containers are answered what it said last',
  released: "the daemon stayed away; containers have Docker's resolver",
} as const;

/** Answers names beside the daemon until SIGTERM or SIGINT. Answers the exit code: 0 after a signal, 1 when it could not start or go on. */
export async function runNames(flags: UpFlags): Promise<number> {
  let config: Config;
  try {
    config = readConfig(flags);
  } catch (error) {
    process.stderr.write(`weft: ${messageOf(error)}\n`);
    return 2;
  }
  const log = createLog(config.log).child({ component: 'names' });
  const stopped = untilSignal();
  const closer = new Closer();
  let end: (error: Error) => void = () => undefined;
  const ended = new Promise<Error>((resolve) => (end = resolve));
  try {
    assertRoot();
    closer.use(
      await openNamesProcess({
        socketPath: path.join(config.runDir, NAMES_SOCKET),
        onState: (state) => log.info(WORDS[state]),
        onEnd: end,
      }),
    );
    log.info('ready');
    const why = await Promise.race([stopped, ended]);
    if (typeof why !== 'string') throw why;
    log.info({ signal: why }, "stopping; containers have Docker's resolver");
    return 0;
  } catch (err) {
    log.error({ err }, 'names are not answered by this process');
    return 1;
  } finally {
    setTimeout(() => process.exit(1), CLOSE_MS).unref();
    await closer.close().catch((err: unknown) => log.error({ err }, 'closing failed'));
  }
}
