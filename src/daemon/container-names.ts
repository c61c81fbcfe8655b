import type { EndpointNames, NamedService } from '../cluster/index.js';
import type { DockerAttachment, DockerContainer } from '../docker/index.js';
import { type Upstream, parseUpstreams } from '../dns/index.js';

/** `weft.name`: more names, with commas between; `weft.srv.LABEL`: PORT or PORT/PROTOCOL. */
const NAME_LABEL = 'weft.name';
const SRV_LABEL = 'weft.srv.';
/** Servers with commas between; none: Docker's resolver. */
const UPSTREAM_LABEL = 'weft.dns.upstream';

/** As Docker shortens ids. */
const SHORT_ID = 12;

/** What documents of the cluster take. */
const MAX_NAMES = 64;
const MAX_NAME_LENGTH = 253;
const MAX_SERVICES = 64;
/** Images may expose thousands, of which nobody asks by SRV. */
const MAX_EXPOSED = 32;

/** What a container is called on one of its networks: as Docker has it, and as its labels add. */
export function namesOf(container: DockerContainer, attachment: DockerAttachment): EndpointNames {
  const { id, name, hostname, health, labels, exposedPorts } = container;
  const more = (labels[NAME_LABEL] ?? '').split(',').map((each) => each.trim());
  const all = [name, ...attachment.aliases, ...(hostname === undefined ? [] : [hostname]), ...more];
  // Ids are names of every container: they are not said twice. In full they have one character more than DNS takes.
  const ids = new Set(['', id, id.slice(0, SHORT_ID)]);
  const named = all.filter((each) => !ids.has(each));
  const names = [...new Set([name, ...named])].filter((each) => each.length <= MAX_NAME_LENGTH);
  const services = servicesOf(exposedPorts, labels);
  return {
    container: id.slice(0, SHORT_ID),
    names: names.slice(0, MAX_NAMES),
    ...(services.length > 0 && { services: services.slice(0, MAX_SERVICES) }),
    ...(health !== undefined && health !== 'healthy' && { unhealthy: true as const }),
  };
}

/** What its label says; undefined without one. Throws INVALID_UPSTREAM. */
export function upstreamsOf({ labels }: DockerContainer): Upstream[] | undefined {
  const text = labels[UPSTREAM_LABEL];
  return text === undefined ? undefined : parseUpstreams(text);
}

function servicesOf(
  exposedPorts: readonly string[],
  labels: Readonly<Record<string, string>>,
): NamedService[] {
  const some = exposedPorts.slice(0, MAX_EXPOSED);
  const exposed = some.map((text) => serviceOf(text.split('/')[0] ?? '', text));
  const labelled = Object.entries(labels).map(([key, value]) =>
    key.startsWith(SRV_LABEL) ? serviceOf(key.slice(SRV_LABEL.length), value) : undefined,
  );
  return [...labelled, ...exposed].filter((service) => service !== undefined);
}

/** `80/tcp`, `80`; undefined for what is neither. */
function serviceOf(label: string, text: string): NamedService | undefined {
  const [, port = '', protocol = 'tcp'] = /^(\d{1,5})(?:\/(tcp|udp|sctp))?$/i.exec(text) ?? [];
  const number = Number(port);
  if (number < 1 || number > 65_535 || label === '' || label.length > 63) return undefined;
  return { label: label.toLowerCase(), protocol: protocol.toLowerCase(), port: number };
}
