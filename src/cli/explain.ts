import type { Command } from 'commander';
import { ControlClient, type ExplainedSide, type Explanation } from '../control-api/index.js';
import { type AskingOptions, askingCommand } from './asking.js';
import { type Io, paint } from './io.js';
import { printable } from './table.js';

/** `weft policy explain`: what becomes of a flow, and which rule of which file says so, on both sides. */
export function explainCommand(io: Io): Command {
  const description = 'what becomes of a flow between two containers, and which rules say so';
  return askingCommand('explain', description, 'weft policy explain web-1 db-1:tcp/5432')
    .argument('<from>', 'a container by name or endpoint id, or an address')
    .argument('<to:port>', 'the same, and the port: tcp/80, 80 for short, udp/53, icmp/8')
    .option('--network <name>', 'where they share several')
    .action(
      async (
        from: string,
        target: string,
        { controlSocket, json, network }: AskingOptions & { readonly network?: string },
      ) => {
        const [to, port] = targetOf(target);
        const client = new ControlClient({ socketPath: controlSocket });
        const answer = await client.explain({
          from,
          to,
          port,
          ...(network !== undefined && { network }),
        });
        if (json) io.out(`${JSON.stringify(answer, null, 2)}\n`);
        else io.out(explanationText(answer, io));
      },
    );
}

/** `db:tcp/80`, `db:80`, `[fd00::1]:80`: the last colon parts the two. */
function targetOf(text: string): [string, string] {
  const at = text.lastIndexOf(':');
  if (at < 1) throw new Error(`"${text}" has no port: write NAME:tcp/80`);
  const to = text.slice(0, at).replace(/^\[(.*)\]$/, '$1');
  const port = text.slice(at + 1);
  return [to, /^\d+$/.test(port) ? `tcp/${port}` : port];
}

function explanationText(
  { network, from, to, port, verdict, egress, ingress }: Explanation,
  io: Io,
): string {
  const word = verdict === 'allow' ? paint(io, 'green', 'allowed') : paint(io, 'red', 'denied');
  return (
    `${word}: ${printable(from)} to ${printable(to)}, ${port}, on ${printable(network)}\n` +
    `  sender's side:   ${sideText(egress)}\n` +
    `  receiver's side: ${sideText(ingress)}\n`
  );
}

function sideText({ verdict, why, source, line, comment, logs }: ExplainedSide): string {
  const place = source === undefined ? '' : `, ${source}${line === undefined ? '' : `:${line}`}`;
  const words = comment === undefined ? '' : ` (${comment})`;
  const logged = logs.length === 0 ? '' : `; logged by ${logs.join(', ')}`;
  return printable(`${verdict}, ${why}${words}${place}${logged}`);
}
