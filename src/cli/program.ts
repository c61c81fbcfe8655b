import { Command, CommanderError } from 'commander';
import { ControlClient } from '../control-api/index.js';
import { VERSION, hasCode, messageOf } from '../util/index.js';
import { type AskingOptions, asking, askingCommand } from './asking.js';
import { eventsCommand } from './events.js';
import { exitCode, exitCodeOf } from './exit-codes.js';
import type { Io } from './io.js';
import { endpointLists, endpointTable, hostTable, unknownEndpoints } from './lists.js';
import { networkCommand } from './network.js';
import { policyCommand } from './policy.js';
import { statusText } from './status.js';
import { namesCommand, upCommand } from './up.js';

/** Runs one command line (without node and script); answers the exit code and throws nothing. */
export async function run(args: readonly string[], io: Io): Promise<number> {
  let code: number = exitCode.ok;
  const program = programFor(io, (result) => (code = result));
  try {
    await program.parseAsync(args, { from: 'user' });
    return code;
  } catch (error) {
    if (error instanceof CommanderError) {
      // Help that was asked for is an answer; help for want of a command is a complaint.
      return error.exitCode === 0 ? exitCode.ok : exitCode.usage;
    }
    io.err(`weft: ${messageOf(error)}\n`);
    if (hasCode(error, 'DAEMON_UNREACHABLE')) io.err(START_HINT);
    if (hasCode(error, 'DAEMON_FORBIDDEN')) io.err('Ask as root, with sudo for example.\n');
    return exitCodeOf(error);
  }
}

const START_HINT = `Is the daemon of this host running? Start it with
  systemctl start weft
or in the foreground with
  weft up
`;

function programFor(io: Io, done: (code: number) => void): Command {
  const program = new Command('weft')
    .description('a network across plain Docker hosts')
    .version(`weft ${VERSION}`)
    .addHelpText(
      'after',
      `
Exit codes: 0 done, 1 failed, 2 wrong usage, 3 the daemon is not reachable.

Example:
  weft status`,
    )
    .addCommand(upCommand(io, done))
    .addCommand(namesCommand(io, done))
    .addCommand(
      asking(io, 'status', 'the daemon of this host, and what is wrong with it', {
        example: 'weft status --json',
        ask: async (client) => client.status(),
        show: (status) => statusText(status, io),
      }),
    )
    .addCommand(networkCommand(io))
    .addCommand(
      new Command('endpoint').description('attached containers').addCommand(
        asking(io, 'ls', 'containers attached to weft networks, on all hosts', {
          example: "weft endpoint ls --json | jq -r '.[].mac'",
          ask: endpointLists,
          show: endpointTable,
          json: ({ endpoints }) => endpoints,
          isShared: true,
          lacks: unknownEndpoints,
        }),
      ),
    )
    .addCommand(
      new Command('host')
        .description('hosts of the cluster')
        .addCommand(
          asking(io, 'ls', 'hosts of the cluster', {
            example: 'weft host ls',
            ask: async (client) => client.hosts(),
            show: hostTable,
            isShared: true,
          }),
        )
        .addCommand(removeHostCommand(io)),
    )
    .addCommand(policyCommand(io))
    .addCommand(eventsCommand(io))
    .addCommand(
      new Command('version')
        .description('version of this command')
        .action(() => io.out(`weft ${VERSION}\n`)),
    );
  return settle(program, io);
}

function removeHostCommand(io: Io): Command {
  const description = 'take a host that is away out of the cluster, and give back what it had';
  return askingCommand('rm', description, 'weft host rm h2')
    .argument('<host>', 'its name or id, as weft host ls shows it')
    .action(async (host: string, { controlSocket, json }: AskingOptions) => {
      await new ControlClient({ socketPath: controlSocket }).removeHost(host);
      io.out(json ? `${JSON.stringify({ removed: host })}\n` : `${host} removed\n`);
    });
}

/** Makes every command of the tree write through `io`, throw instead of exit, and refuse what it does not know. */
function settle(command: Command, io: Io): Command {
  command
    .exitOverride()
    .configureOutput({ writeOut: io.out, writeErr: io.err })
    .showHelpAfterError('(see --help)')
    .allowExcessArguments(false);
  for (const child of command.commands) settle(child, io);
  return command;
}
