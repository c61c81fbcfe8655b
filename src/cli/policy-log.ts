import type { Command } from 'commander';
import { ControlClient, type PolicyLogEntry } from '../control-api/index.js';
import { type AskingOptions, askingCommand } from './asking.js';
import { type Io, paint } from './io.js';
import { moment } from './status.js';
import { printable } from './table.js';

/** `weft policy log`: packets that were denied or logged on this host, and with --follow those that will be. */
export function logCommand(io: Io): Command {
  const description = 'packets that policies denied on this host, or that their rules log';
  return askingCommand('log', description, 'weft policy log --follow')
    .option('-f, --follow', 'go on with what comes from now on')
    .action(async (options: AskingOptions & { readonly follow?: boolean }) => {
      const client = new ControlClient({ socketPath: options.controlSocket });
      let last = 0;
      do {
        const wait = last > 0 || options.follow === true;
        const entries = await client.policyLog(last, { wait });
        for (const entry of entries) {
          io.out(options.json ? `${JSON.stringify(entry)}\n` : textLine(entry, io));
        }
        last = entries.at(-1)?.id ?? last;
      } while (options.follow && !io.ended.aborted);
    });
}

function textLine({ at, network, from, to, port, verdict, why }: PolicyLogEntry, io: Io): string {
  const word = verdict === 'deny' ? paint(io, 'red', 'denied') : 'logged';
  const words = printable(`${from} to ${to}, ${port}, on ${network}: ${why}`);
  return `${moment(at)}  ${word}  ${words}\n`;
}
