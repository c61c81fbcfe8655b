import type { Host } from '../host.js';
import type { Lab } from '../lab.js';
import { hasNetwork, lacksNetwork } from '../networks.js';
import { waitFor } from '../wait.js';
import type { Stage } from './stage.js';

const create = 'docker network create -d weft --ipam-driver weft';

/** A container that serves one line about where it runs. */
function serve(name: string, host: Host, options: string): string {
  const page = `echo hello from ${name} on ${host.name} > index.html; httpd -f`;
  return `docker run -d --name ${name} ${options} busybox sh -c '${page}'`;
}

const web2Policy = `name: web2
networks: [web]
comment: only web1 gets pages of web2
endpoints: { names: [web2] }
ingress:
  - action: allow
    from: [{ names: [web1] }]
    ports: [tcp/80]
`;

/** What a user does with weft, from the first network to the last removal. */
export class Story {
  readonly #stage: Stage;
  readonly #lab: Lab;
  readonly #addresses = new Map<string, string>();

  constructor(stage: Stage, lab: Lab) {
    this.#stage = stage;
    this.#lab = lab;
  }

  /** Everything but the removal. */
  async play(): Promise<void> {
    const stage = this.#stage;
    await stage.act('Three hosts that know each other', async () => this.#hosts());
    await stage.act('One network, made once', async () => this.#network());
    await stage.act('A container on each host', async () => this.#containers());
    await stage.act('They reach each other', async () => this.#reach());
    await stage.act('A published port, from outside', async () => this.#publish());
    await stage.act('A second network, internal, for some of them', async () => this.#internal());
    await stage.act('Who may talk to whom', async () => this.#policy());
    await stage.act('The daemon dies; the network does not', async () => this.#daemonDies());
    await stage.act('What weft knows', async () => this.#status());
  }

  async #hosts(): Promise<void> {
    const said = await this.#stage.type(this.#lab.host(0), 'weft host ls');
    const live = said.match(/\blive\b/g)?.length;
    this.#stage.check('every host is live', live === this.#lab.hosts.length);
  }

  async #network(): Promise<void> {
    await this.#stage.type(this.#lab.host(0), `${create} web`);
    await this.#everywhere('web');
    const ls = await this.#stage.type(this.#lab.host(1), 'docker network ls');
    this.#stage.check('Docker on h2 has it too', /\bweb\b/.test(ls));
    const said = await this.#stage.type(this.#lab.host(2), 'weft network ls');
    this.#stage.check('the cluster has one network web', said.match(/^web\b/gm)?.length === 1);
  }

  async #everywhere(network: string): Promise<void> {
    for (const host of this.#lab.hosts) await hasNetwork(host, network);
  }

  async #containers(): Promise<void> {
    for (const [index, host] of this.#lab.hosts.entries()) {
      await this.#run(`web${index + 1}`, host, '--network web', 'web');
    }
    const distinct = new Set(this.#addresses.values()).size;
    this.#stage.check(
      'every container has an address of its own',
      distinct === this.#addresses.size,
    );
  }

  async #reach(): Promise<void> {
    const [first, , last] = this.#lab.hosts;
    if (first === undefined || last === undefined) return;
    const ping = `docker exec web1 ping -c 3 ${this.#address('web3')}`;
    const said = await this.#stage.type(first, ping);
    this.#stage.check('web1 on h1 pings web3 on h3', said.includes(' 0% packet loss'));
    for (const [from, host] of this.#lab.hosts.entries()) {
      for (const to of this.#lab.hosts.keys()) {
        if (from !== to) await this.#fetches(host, `web${from + 1}`, `web${to + 1}`);
      }
    }
  }

  async #publish(): Promise<void> {
    const [here, , there] = this.#lab.hosts;
    if (here === undefined || there === undefined) return;
    await this.#run('front', there, '--network web -p 8080:80', 'web');
    const said = await this.#stage.type(here, `busybox wget -qO- http://${there.address}:8080/`);
    this.#stage.check('h1 gets the page from port 8080 of h3', said === 'hello from front on h3');
  }

  async #internal(): Promise<void> {
    const stage = this.#stage;
    const [h1, h2, h3] = this.#lab.hosts;
    if (h1 === undefined || h2 === undefined || h3 === undefined) return;
    await stage.type(h1, `${create} --internal db`);
    await this.#everywhere('db');
    await this.#run('db', h2, '--network db', 'db');
    await stage.type(h1, 'docker network connect db web1');
    await this.#fetches(h1, 'web1', 'db');
    const across = `docker exec web3 ping -c 1 -W 2 ${this.#address('db')}`;
    const nothing = await stage.try(h3, across);
    stage.check('web3, which is not on db, does not reach it', nothing.code === 1);
    const out = await stage.try(h2, `docker exec db ping -c 1 -W 2 ${this.#lab.address}`);
    stage.check('db has no way out of its network', out.code === 1);
  }

  /** Taken away again at its end, for what follows is about everybody. */
  async #policy(): Promise<void> {
    const stage = this.#stage;
    const [h1, h2, h3] = this.#lab.hosts;
    if (h1 === undefined || h2 === undefined || h3 === undefined) return;
    await h1.writeFile('/run/web2.yaml', web2Policy);
    await stage.type(h1, 'cat /run/web2.yaml');
    await stage.type(h1, 'weft policy apply -f /run/web2.yaml --wait');
    await this.#fetches(h1, 'web1', 'web2');
    const url = `http://${this.#address('web2')}/`;
    const denied = await stage.try(h3, `docker exec web3 timeout 2 wget -qO- ${url}`);
    stage.check('web3 does not get the page of web2', denied.code !== 0);
    const why = await stage.type(h2, 'weft policy explain web3 web2:80');
    stage.check('and it can be told why', why.includes('no rule allows it in "web2"'));
    await stage.type(h1, 'weft policy rm web2 --wait');
    await this.#fetches(h3, 'web3', 'web2');
  }

  async #daemonDies(): Promise<void> {
    const [h1, h2] = this.#lab.hosts;
    if (h1 === undefined || h2 === undefined) return;
    const ping = `docker exec web1 ping -c 5 -q ${this.#address('web2')}`;
    const stage = this.#stage;
    stage.say('   (weftd of h1 and h2 are killed with SIGKILL)');
    await Promise.all([h1.daemon.kill(), h2.daemon.kill()]);
    const said = await stage.type(h1, ping);
    stage.check('not a packet is lost without daemons', said.includes(' 0% packet loss'));
    stage.say('   (and started again)');
    const [after] = await Promise.all([stage.type(h1, ping), h1.daemon.start(), h2.daemon.start()]);
    stage.check('nor while they come back', after.includes(' 0% packet loss'));
  }

  async #status(): Promise<void> {
    const stage = this.#stage;
    const h1 = this.#lab.host(0);
    await waitFor('health after the restart', async () =>
      (await h1.weft('status')).includes('good'),
    );
    const status = await stage.type(h1, 'weft status');
    stage.check('health is good', /^health +good/m.test(status));
    await stage.type(h1, 'weft network ls');
    const endpoints = await stage.type(h1, 'weft endpoint ls');
    const shown = [...this.#addresses.values()].filter((address) =>
      endpoints.includes(`${address}/`),
    );
    stage.check('every address is listed', shown.length === this.#addresses.size);
  }

  /** Takes everything away again. */
  async remove(): Promise<void> {
    await this.#stage.act('Everything goes', async () => {
      for (const host of this.#lab.hosts) {
        await this.#stage.type(host, 'docker rm -f $(docker ps -aq)');
      }
      const h1 = this.#lab.host(0);
      await this.#stage.type(h1, 'docker network rm web db');
      for (const host of this.#lab.hosts) {
        for (const name of ['web', 'db']) await lacksNetwork(host, name);
      }
      const said = await this.#stage.type(h1, 'weft network ls');
      this.#stage.check('the cluster has no network any more', said.startsWith('No networks'));
      const left = await Promise.all(
        this.#lab.hosts.map(async (host) => (await host.execOk(['ip', 'netns', 'list'])).trim()),
      );
      this.#stage.check('no host keeps a network namespace', left.join('') === '');
    });
  }

  async #run(name: string, host: Host, options: string, network: string): Promise<void> {
    await this.#stage.type(host, serve(name, host, options));
    const format = `{{(index .NetworkSettings.Networks "${network}").IPAddress}}`;
    this.#addresses.set(name, await host.docker('inspect', '--format', format, name));
    // The network is there when docker returns; the server inside may need a moment.
    const own = ['docker', 'exec', name, 'wget', '-qO-', 'http://127.0.0.1/'];
    await waitFor(`${name} serves`, async () => (await host.exec(own)).code === 0);
  }

  async #fetches(host: Host, from: string, to: string): Promise<void> {
    const url = `http://${this.#address(to)}/`;
    const said = await this.#stage.type(host, `docker exec ${from} wget -qO- ${url}`);
    this.#stage.check(`${from} gets the page of ${to}`, said.startsWith(`hello from ${to} on `));
  }

  #address(name: string): string {
    const address = this.#addresses.get(name);
    if (address === undefined || address === '') throw new Error(`${name} has no address`);
    return address;
  }
}
