import { Command, InvalidArgumentError, Option } from 'commander';
import type { UpFlags } from '../daemon/index.js';
import type { Io } from './io.js';

/** `weft up`. What a setting may be is the daemon's to judge; here numbers become numbers. */
export function upCommand(io: Io, done: (code: number) => void): Command {
  return new Command('up')
    .description('run the daemon of this host, in the foreground')
    .option('--config <file>', CONFIG_HELP)
    .addOption(
      new Option('--store <kind>', 'where networks and addresses are kept').choices([
        'embedded',
        'consul',
      ]),
    )
    .option('--consul-address <url>', 'agent of Consul')
    .option('--underlay <select>', 'link, address or prefix that carries the tunnels')
    .option('--mtu <octets>', 'MTU of the underlay path', wholeNumber)
    .option('--port <number>', 'UDP port of VXLAN, the same on all hosts', wholeNumber)
    .option('--state-dir <directory>', 'what must survive a restart')
    .option('--run-dir <directory>', 'control socket')
    .option('--plugin-socket <path>', 'where Docker looks for the plugin')
    .option('--docker-socket <path>', "the engine's API")
    .addOption(logLevel())
    .addOption(logFormat())
    .option('--print-config', 'print the settings that would be used, and stop')
    .addHelpText(
      'after',
      `
A flag beats the environment (WEFT_…), which beats the configuration file.

Examples:
  weft up
  weft up --store consul --consul-address http://127.0.0.1:8500 --underlay eth1
  weft up --underlay 192.0.2.0/24 --print-config`,
    )
    .action(async (flags: UpFlags) => done(await io.runDaemon(flags)));
}

/** `weft names`. */
export function namesCommand(io: Io, done: (code: number) => void): Command {
  return new Command('names')
    .description('answer names while the daemon restarts, in the foreground')
    .option('--config <file>', CONFIG_HELP)
    .option('--run-dir <directory>', 'where the daemon finds it')
    .addOption(logLevel())
    .addOption(logFormat())
    .addHelpText(
      'after',
      `
Without it the daemon answers names itself, and while it restarts those of other hosts are not answered.

Example:
  weft names`,
    )
    .action(async (flags: UpFlags) => done(await io.runNames(flags)));
}

const CONFIG_HELP = 'configuration file (default: /etc/weft/weft.json, if it is there)';

function logLevel(): Option {
  const levels = ['error', 'warn', 'info', 'debug', 'trace'];
  return new Option('--log-level <level>', 'least important message that is logged').choices(
    levels,
  );
}

function logFormat(): Option {
  return new Option('--log-format <format>', 'for machines or for people').choices([
    'json',
    'text',
  ]);
}

function wholeNumber(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('It must be a whole number.');
  return Number(text);
}
