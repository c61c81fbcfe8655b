/** Nine containers on three hosts, an agent in each, and what passes among them. */
import type { Host, Lab } from '../../lab/index.js';
import { PolicyAgent } from './policy-agents.js';
import type { Probe } from './policy-cases.js';
import { listed, runIdle } from './weft-lab.js';

export async function removePolicies(host: Host): Promise<void> {
  for (const { id } of await listed<{ id: string }>(host, 'policy')) {
    await host.weft('policy', 'rm', id, '--wait');
  }
}

const PORTS = [80, 81];

export interface Party {
  readonly project: string;
  readonly service: string;
  readonly host: Host;
  readonly address: string;
  readonly name: string;
}

/** Projects x, y and z, each on a host of its own. */
function partiesOf({ hosts }: Lab): Party[] {
  return ['x', 'y', 'z'].flatMap((project, i) =>
    ['a', 'b', 'c'].map((service, j) => ({
      project,
      service,
      host: hosts[i]!,
      address: `10.83.${i}.${11 + j}`,
      name: `${project}-${service}`,
    })),
  );
}

export type Agents = ReadonlyMap<Party, PolicyAgent>;

const questions = (
  parties: Iterable<Party>,
  from: Party,
): readonly (Probe & { readonly to: Party })[] =>
  [...parties]
    .filter((to) => to !== from)
    .flatMap((to) => [
      ...PORTS.flatMap((port) =>
        ['tcp', 'udp', 'sctp'].map((protocol) => ({ from, to, port, protocol })),
      ),
      { from, to, port: 0, protocol: 'icmp' },
    ]);

/** Runs the nine containers, with an agent in each. */
export async function startParties(lab: Lab): Promise<Agents> {
  const agents = await Promise.all(
    partiesOf(lab).map(async (party): Promise<[Party, PolicyAgent]> => {
      const { host, name, project, service, address } = party;
      const labels = [
        `com.docker.compose.project=${project}`,
        `com.docker.compose.service=${service}`,
        `pod=${service}`,
        'weft.port.serve-80=80/tcp',
        'weft.port.serve-81=81/udp',
      ];
      const flags = labels.flatMap((label) => ['--label', label]);
      await runIdle(host, name, '--network', 'web', '--ip', address, ...flags);
      return [party, await PolicyAgent.start(host, name, PORTS)];
    }),
  );
  return new Map(agents);
}

/** Asks all at once, everybody; answers who is reached otherwise than `passes` says. */
export async function wrong(
  agents: Agents,
  passes: (probe: Probe) => boolean,
): Promise<{ readonly wrong: string[]; readonly passed: number; readonly asked: number }> {
  const found: string[] = [];
  let [passed, asked] = [0, 0];
  await Promise.all(
    [...agents].map(async ([from, agent]) => {
      const own = questions(agents.keys(), from);
      const answers = await agent.ask(
        own.map(({ to, protocol, port }) => [to.address, protocol, port]),
      );
      for (const [i, probe] of own.entries()) {
        asked += 1;
        if (answers[i]) passed += 1;
        if (answers[i] === passes(probe)) continue;
        const words = `${from.name} to ${probe.to.name} ${probe.protocol}/${probe.port}`;
        found.push(`${words} ${answers[i] ? 'passes' : 'is dropped'}`);
      }
    }),
  );
  return { wrong: found, passed, asked };
}

export async function stopAgents(agents: Agents): Promise<void> {
  await Promise.all([...agents.values()].map(async (agent) => agent.stop()));
}
