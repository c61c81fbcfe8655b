import type { Command } from 'commander';
import { ControlClient, type Event } from '../control-api/index.js';
import { type AskingOptions, askingCommand } from './asking.js';
import { type Io, paint } from './io.js';
import { moment } from './status.js';
import { printable } from './table.js';

/** `weft events`: what happened, and with --follow what happens, until the reader goes or the daemon does. */
export function eventsCommand(io: Io): Command {
  const description = 'what happened on this host since its daemon started';
  return askingCommand('events', description, 'weft events --follow')
    .option('-f, --follow', 'go on with what happens from now on')
    .action(async (options: AskingOptions & { readonly follow?: boolean }) => {
      const client = new ControlClient({ socketPath: options.controlSocket });
      let last = 0;
      do {
        const events = await client.events(last, { wait: last > 0 || options.follow === true });
        for (const event of events) io.out(options.json ? jsonLine(event) : textLine(event, io));
        last = events.at(-1)?.id ?? last;
      } while (options.follow && !io.ended.aborted);
    });
}

/** One object a line, so that a program can read them as they come. */
function jsonLine(event: Event): string {
  return `${JSON.stringify(event)}\n`;
}

function textLine({ at, level, code, text }: Event, io: Io): string {
  const words = printable(text);
  return `${moment(at)}  ${level === 'warn' ? paint(io, 'yellow', words) : words} (${code})\n`;
}
