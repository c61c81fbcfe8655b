import test from 'ava';
import { SandboxLinks } from '../../../src/daemon/sandbox-links.js';
import type { Happening } from '../../../src/daemon/event-log.js';
import type { Bindings } from '../../../src/driver/index.js';
import type { Entered, Sandbox } from '../../../src/vxlan/index.js';

const NOW = 1_000_000;
const names = { names: [] } as never;
const sinceOf: Readonly<Record<string, number>> = { old: 1000, older: 500, young: NOW - 1000 };
const bindings = {
  network: (dockerId: string) =>
    dockerId === 'docker-web' ? { network: { id: 'web-id', name: 'web' } } : undefined,
  endpoint: (_: string, id: string) =>
    id in sinceOf ? { id, name: `c-${id}`, since: sinceOf[id], addresses: [] } : undefined,
} as unknown as Bindings;

interface LookOptions {
  readonly networkId?: string;
  readonly error?: Error;
  /** Endpoints whose links somebody deleted. */
  readonly lost?: readonly string[];
}

/** What is asked of the data path, and told, for one container with these endpoints. */
async function look(
  ids: readonly string[],
  { networkId = 'docker-web', error, lost = [] }: LookOptions = {},
) {
  const relinked: string[] = [];
  const asked: Sandbox[] = [];
  const told: Happening[] = [];
  const links = new SandboxLinks({
    bindings,
    driver: () => ({ relink: async (_, id) => void relinked.push(id) }),
    datapath: {
      lostEndpoints: () => new Set(lost),
      enterSandboxes: async (sandboxes) => {
        asked.push(...sandboxes);
        return sandboxes.map(({ endpointId }): Entered => ({ endpointId, error }));
      },
    },
    events: { add: (what) => void told.push(what) },
    clock: () => NOW,
  });
  const endpoints = ids.map((id) => ({ id, networkId, names }));
  await links.look([{ sandboxKey: '/run/docker/netns/one', endpoints }]);
  return { asked: asked.map(({ endpointId }) => endpointId), told, relinked };
}

test('sandbox links > are given in the order in which Docker joined them', async (t) => {
  const { asked, told } = await look(['old', 'older']);
  t.deepEqual(asked, ['older', 'old']);
  t.is(told[0]!.text, 'container c-older had lost its link to network web; it has a new one');
});

test('sandbox links > of a new endpoint are left to Docker, as are those of others', async (t) => {
  t.deepEqual((await look(['young', 'unknown'])).asked, []);
  t.deepEqual((await look(['old'], { networkId: 'docker-bridge' })).asked, []);
});

test('sandbox links > that can not be brought in are said, with the way out', async (t) => {
  const { told } = await look(['old'], { error: new Error('no such namespace') });
  t.is(told[0]!.level, 'warn');
  t.regex(told[0]!.text, /c-old has lost its link to network web; disconnect and connect it/);
});

test('sandbox links > that somebody deleted are made anew, those of new endpoints as well', async (t) => {
  const { asked, relinked } = await look(['young', 'old'], { lost: ['young', 'elsewhere'] });
  t.deepEqual(relinked, ['young']);
  t.deepEqual(asked, ['old', 'young']);
});
