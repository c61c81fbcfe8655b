import { Command } from 'commander';
import { ControlClient, type NewNetwork } from '../control-api/index.js';
import { type AskingOptions, asking, askingCommand } from './asking.js';
import type { Io } from './io.js';
import { networkTable } from './lists.js';
import { pair } from './pairs.js';

/** `weft network`. */
export function networkCommand(io: Io): Command {
  return new Command('network')
    .description('weft networks')
    .addCommand(
      asking(io, 'ls', 'networks of the cluster', {
        example: 'weft network ls',
        ask: async (client) => client.networks(),
        show: networkTable,
        isShared: true,
      }),
    )
    .addCommand(createCommand(io))
    .addCommand(removeCommand(io));
}

interface CreateOptions extends AskingOptions {
  readonly subnet?: string[];
  readonly ipRange?: string[];
  readonly gateway?: string[];
  readonly auxAddress?: Record<string, string>;
  readonly label?: Record<string, string>;
  readonly opt?: Record<string, string>;
  readonly internal?: boolean;
  readonly ipv6?: boolean;
}

function createCommand(io: Io): Command {
  const description = 'make a network; every host gets it, as with docker network create';
  const again = (value: string, before: readonly string[] = []): string[] => [...before, value];
  return askingCommand('create', description, 'weft network create --subnet 10.87.0.0/24 web')
    .argument('<name>', 'letters, digits, "_", "." and "-"')
    .option('--subnet <prefix>', 'its addresses; again for another (weft chooses)', again)
    .option('--ip-range <prefix>', 'what weft chooses addresses from, in a subnet', again)
    .option('--gateway <address>', 'an address to set aside, in a subnet', again)
    .option('--aux-address <name=address>', 'an address that something else has', pair())
    .option('--ipv6', 'with IPv6 addresses')
    .option('--internal', 'no way out but through other networks')
    .option('--label <key=value>', "one of Docker's labels", pair({ bare: true }))
    .option('-o, --opt <key=value>', 'a driver option, as for docker network create', pair())
    .action(async (name: string, options: CreateOptions) => {
      const client = new ControlClient({ socketPath: options.controlSocket });
      const made = await client.createNetwork(wantedOf(name, options));
      if (options.json) io.out(`${JSON.stringify(made, null, 2)}\n`);
      else io.out(`${name} created, ${made.pools.join(' and ')}\n`);
    });
}

function wantedOf(name: string, options: CreateOptions): NewNetwork {
  const { subnet = [], ipRange = [], gateway = [], internal = false, ipv6 = false } = options;
  const { auxAddress = {}, label = {}, opt = {} } = options;
  return {
    name,
    internal,
    ipv6,
    subnets: subnet,
    ranges: ipRange,
    gateways: gateway,
    auxAddresses: auxAddress,
    labels: label,
    options: opt,
  };
}

function removeCommand(io: Io): Command {
  const description = 'remove a network from every host; refused while a container uses it';
  return askingCommand('rm', description, 'weft network rm web')
    .argument('<network>', 'its name or id, as weft network ls shows it')
    .action(async (network: string, { controlSocket, json }: AskingOptions) => {
      await new ControlClient({ socketPath: controlSocket }).removeNetwork(network);
      io.out(json ? `${JSON.stringify({ removed: network })}\n` : `${network} removed\n`);
    });
}
