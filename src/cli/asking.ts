import { Command, Option } from 'commander';
import { ControlClient, DEFAULT_CONTROL_SOCKET } from '../control-api/index.js';
import type { Io } from './io.js';
import { moment } from './status.js';

/** What every command has that asks the daemon. */
export interface AskingOptions {
  readonly controlSocket: string;
  readonly json?: boolean;
}

interface Asking<T> {
  readonly example: string;
  readonly ask: (client: ControlClient) => Promise<T>;
  readonly show: (answer: T) => string;
  /** What --json prints, if not the whole answer. */
  readonly json?: (answer: T) => unknown;
  /** The answer is about other hosts too, and so may be old while the store is away. */
  readonly isShared?: true;
  /** What is missing in this answer, for people. */
  readonly lacks?: (answer: T) => string | undefined;
}

/** A command with the options of those that ask the daemon. */
export function askingCommand(name: string, description: string, example: string): Command {
  const socket = new Option('--control-socket <path>', "the daemon's control socket")
    .env('WEFT_CONTROL_SOCKET')
    .default(DEFAULT_CONTROL_SOCKET);
  return new Command(name)
    .description(description)
    .addOption(socket)
    .option('--json', 'JSON for programs')
    .addHelpText('after', `\nExample:\n  ${example}`);
}

/** A command that asks the daemon once and shows what it said. */
export function asking<T>(io: Io, name: string, description: string, what: Asking<T>): Command {
  return askingCommand(name, description, what.example).action(
    async ({ controlSocket, json }: AskingOptions) => {
      const client = new ControlClient({ socketPath: controlSocket });
      const answer = await what.ask(client);
      const store = what.isShared && (await client.status()).store;
      if (store && !store.reachable) io.err(awayNote(store.since));
      const lacking = what.lacks?.(answer);
      if (lacking !== undefined) io.err(`weft: ${lacking}\n`);
      if (json) io.out(`${JSON.stringify(what.json?.(answer) ?? answer, null, 2)}\n`);
      else io.out(what.show(answer));
    },
  );
}

/** Beside the answer, not in it: programs read only that. */
function awayNote(since: string): string {
  return `weft: the store has not answered since ${moment(since)}; this is what the daemon knows without it\n`;
}
