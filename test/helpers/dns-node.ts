/** `node dns-node.js lookup|resolve QUESTIONS`: what Node's own ways to ask are told; a list of [name, type] in JSON, and a list of lists comes out. */
import dns from 'node:dns/promises';

const [way = '', text = '[]'] = process.argv.slice(2);
const none = ['ENOTFOUND', 'ENODATA'];

async function ask(name: string, type: string): Promise<string[]> {
  if (way === 'lookup') {
    const found = await dns.lookup(name, { all: true, family: type === 'A' ? 4 : 6 });
    return found.map(({ address }) => address);
  }
  if (type !== 'SRV') return (await dns.resolve(name, type)) as string[];
  const records = await dns.resolveSrv(name);
  return records.map((each) => `${each.priority} ${each.weight} ${each.port} ${each.name}`);
}

const answers: string[][] = [];
for (const [name, type] of JSON.parse(text) as [string, string][]) {
  const failed = ({ code, message }: NodeJS.ErrnoException): string[] =>
    none.includes(code ?? '') ? [] : [message];
  answers.push(await ask(name, type).catch(failed));
}
console.log(JSON.stringify(answers));
