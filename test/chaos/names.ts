/** What the containers are told for names: asked inside each, judged by what Docker has. */
import type { Host, Lab } from '../../lab/index.js';
import type { DockerContainer, HostFacts } from './facts.js';

/** What one container was told. */
export interface Told {
  readonly asker: string;
  /** Addresses by name; none for a name that is not known. */
  readonly answers: ReadonlyMap<string, readonly string[]>;
}

/** Asks weft, and not Docker, which would forward what it does not know to the world. */
const SCRIPT = 'for name in "$@"; do echo "== $name"; nslookup -type=a "$name.weft" 2>&1; done';

/** Asks for each of these names in each container that runs. */
export async function askNames(
  lab: Lab,
  hosts: readonly HostFacts[],
  names: readonly string[],
): Promise<Told[]> {
  const told = lab.hosts.map(async (host) => {
    const own = hosts.find(({ name }) => name === host.name)?.docker.containers ?? [];
    const answers: Told[] = [];
    for (const { name: asker } of own) {
      answers.push({ asker, answers: await askIn(host, asker, names) });
    }
    return answers;
  });
  return (await Promise.all(told)).flat();
}

/** Asks for each of these names in one container. */
export async function askIn(
  host: Host,
  asker: string,
  names: readonly string[],
): Promise<Map<string, string[]>> {
  const argv = ['docker', 'exec', asker, 'sh', '-c', SCRIPT, 'sh', ...names];
  return readAnswers((await host.exec(argv)).stdout);
}

/** BusyBox tells the server first, then a block for each answer. */
export function readAnswers(text: string): Map<string, string[]> {
  const answers = new Map<string, string[]>();
  for (const part of text.split(/^== /m).slice(1)) {
    const name = part.slice(0, part.indexOf('\n'));
    const blocks = part.split('\n\n').slice(1).join('\n');
    answers.set(
      name,
      [...blocks.matchAll(/^Address: *(\S+)$/gm)].map(([, address]) => address!),
    );
  }
  return answers;
}

/** A name is what its living container has on the networks that both are on, and nothing when there is none. */
export function judgeNames(hosts: readonly HostFacts[], told: readonly Told[]): string[] {
  const containers = hosts.flatMap(({ docker }) => docker.containers);
  const byName = new Map(containers.map((container) => [container.name, container]));
  return told.flatMap(({ asker, answers }) => {
    const from = byName.get(asker);
    if (!from) return [];
    return [...answers].flatMap(([name, addresses]) => {
      const may = addressesFor(from, byName.get(name));
      const wrong = addresses.filter((address) => !may.includes(address));
      if (wrong.length > 0)
        return [`${asker} is told ${wrong.join()} for ${name}, which is not it`];
      const isMissing = may.length > 0 && addresses.length === 0;
      return isMissing ? [`${asker} is told nothing for ${name} at ${may.join()}`] : [];
    });
  });
}

function addressesFor(from: DockerContainer, to: DockerContainer | undefined): string[] {
  const shared = new Set(from.networks.map(({ name }) => name));
  return (to?.networks ?? []).filter(({ name }) => shared.has(name)).map((on) => on.address);
}
