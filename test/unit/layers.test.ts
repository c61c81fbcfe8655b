import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import test from 'ava';

/** What each folder of src may import, besides itself. docs/architecture.md explains why. */
const layers: Readonly<Record<string, readonly string[]>> = {
  util: [],
  net: ['util'],
  netlink: ['util', 'net'],
  reconcile: ['util'],
  store: ['util'],
  docker: ['util'],
  'plugin-api': ['util', 'net'],
  ipam: ['util', 'net', 'store', 'plugin-api'],
  cluster: ['util', 'net', 'store'],
  vxlan: ['util', 'net', 'netlink', 'reconcile'],
  dns: ['util', 'net', 'netlink'],
  driver: ['util', 'net', 'store', 'plugin-api', 'cluster', 'ipam', 'vxlan'],
  policy: ['util', 'net', 'netlink'],
  'control-api': ['util'],
  cli: ['util', 'control-api', 'daemon'],
  daemon: [
    'util',
    'net',
    'netlink',
    'store',
    'docker',
    'plugin-api',
    'ipam',
    'cluster',
    'vxlan',
    'dns',
    'driver',
    'policy',
    'control-api',
  ],
};

/** Packages and built-in modules that only some files may import, and why. */
const guarded: readonly { readonly module: RegExp; readonly only: RegExp; readonly why: string }[] =
  [
    { module: /^consul$/, only: /^store\/consul/, why: 'the npm client stays behind the port' },
    { module: /^fastify$/, only: /^(plugin-api|control-api)\//, why: 'the two that serve HTTP' },
    { module: /^yaml$/, only: /^policy\/yaml\.ts$/, why: 'policies are the only files in YAML' },
    { module: /^(node:)?child_process$/, only: /^$/, why: 'weft starts no processes' },
    { module: /\.node$/, only: /^netlink\/native\.ts$/, why: 'one loader of the addon' },
  ];

const src = path.resolve(import.meta.dirname, '../../../src');

function sourceFiles(): string[] {
  return readdirSync(src, { recursive: true, encoding: 'utf8' }).filter((f) => f.endsWith('.ts'));
}

function importsOf(file: string): string[] {
  const text = readFileSync(path.join(src, file), 'utf8');
  return [...text.matchAll(/(?:\bfrom|\bimport)\s*\(?\s*'([^']+)'/g)].map((match) => match[1]!);
}

test('layers > every folder is in the table and opens with what it promises', (t) => {
  for (const entry of readdirSync(src, { withFileTypes: true })) {
    t.true(entry.isDirectory(), `${entry.name} lies beside the folders of src`);
    t.true(entry.name in layers, `${entry.name} has no row in the layer table`);
    const index = entry.name === 'cli' ? 'main.ts' : 'index.ts';
    const text = readFileSync(path.join(src, entry.name, index), 'utf8').replace(/^#!.*\n/, '');
    t.regex(text, /^\/\*\*/, `${entry.name}/${index} does not open with its promise`);
  }
});

test('layers > imports follow the table and enter a folder through its index', (t) => {
  for (const file of sourceFiles()) {
    const folder = file.split(path.sep)[0]!;
    for (const specifier of importsOf(file)) {
      if (!specifier.startsWith('.')) continue;
      const target = path.relative(src, path.resolve(src, path.dirname(file), specifier));
      const targetFolder = target.split(path.sep)[0]!;
      if (targetFolder === folder) continue;
      t.true(layers[folder]?.includes(targetFolder), `${file} imports ${targetFolder}`);
      t.is(target, path.join(targetFolder, 'index.js'), `${file} reaches into ${targetFolder}`);
    }
  }
});

test('layers > guarded modules are imported only where they belong', (t) => {
  for (const file of sourceFiles()) {
    for (const specifier of importsOf(file)) {
      for (const { module, only, why } of guarded) {
        if (module.test(specifier)) t.regex(file, only, `${file} imports ${specifier}: ${why}`);
      }
    }
  }
  t.pass();
});
