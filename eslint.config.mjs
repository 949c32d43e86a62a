// Lint, and the layers as a rule (docs/architecture.md, "Layers"):
//   shared ← shared/runtime ← agent | relay | controller (strangers to one another) ← sim ← bin, test, bench
import js from '@eslint/js';
import tseslint from 'typescript-eslint';

const NODE = '^(node:.*|fs|net|http|https|crypto|child_process|path|os|stream|events)$';
/** Packages that do I/O; only edges may import them. */
const IO_PACKAGES = '^(ws|usb|pino|yargs|cli-progress)$';
const RUNTIME = '/runtime/';
const TIME = ['setTimeout', 'setInterval', 'setImmediate', 'Date', 'performance'].map((name) => ({
  name,
  message: 'Time is an argument: take a Clock (shared/ports.ts).',
}));
const CHANCE = [
  { object: 'Math', property: 'random', message: 'Chance is an argument: take a Random (shared/ports.ts).' },
];

/** Files that touch the outside world: sockets, files, real time, terminals. */
const EDGES = [
  'shared/runtime/**',
  '*/commands/**',
  'agent/edge/**',
  'agent/probe/stlink/usb.ts',
  'agent/probe/stlink/tcp-socket.ts',
  'agent/probe/drivers.ts',
  'relay/server.ts',
  'relay/verify.ts',
  'controller/edge/**',
  'sim/stlink/tcp-server.ts',
  'sim/edge/**',
  'sim/event-queue.ts',
  'bin/**',
  'test/**',
  'bench/**',
  'scripts/**',
];

const layer = (files, forbidden, why) => ({
  files,
  rules: {
    'no-restricted-imports': ['error', { patterns: forbidden.map((regex) => ({ regex, message: why })) }],
  },
});
const relative = (...folders) => folders.map((folder) => `^(\\.\\./)+${folder}/`);

export default tseslint.config(
  { ignores: ['dist', 'node_modules', 'coverage', 'stub/build', 'examples/**/build', 'test/vectors'] },
  js.configs.recommended,
  ...tseslint.configs.recommended,
  {
    languageOptions: { globals: { process: 'readonly', console: 'readonly', URL: 'readonly', Buffer: 'readonly' } },
    rules: {
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_' }],
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-empty-function': 'off',
      'no-constant-condition': ['error', { checkLoops: false }],
    },
  },
  {
    files: ['shared/**/*.ts', 'agent/**/*.ts', 'relay/**/*.ts', 'controller/**/*.ts', 'sim/**/*.ts'],
    ignores: EDGES,
    rules: { 'no-restricted-globals': ['error', ...TIME], 'no-restricted-properties': ['error', ...CHANCE] },
  },
  {
    ...layer(
      ['shared/**/*.ts'],
      [...relative('agent', 'relay', 'controller', 'sim', 'test', 'bin'), NODE, IO_PACKAGES, RUNTIME],
      'shared/ is the pure core: tweetnacl, zod and itself.',
    ),
    ignores: ['shared/runtime/**'],
  },
  layer(
    ['shared/runtime/**/*.ts'],
    relative('agent', 'relay', 'controller', 'sim', 'test', 'bin'),
    'shared/runtime serves the apps and knows none.',
  ),
  ...[
    ['agent', ['relay', 'controller', 'sim', 'test', 'bin']],
    ['relay', ['agent', 'controller', 'sim', 'test', 'bin']],
    ['controller', ['agent', 'relay', 'sim', 'test', 'bin']],
  ].flatMap(([app, strangers]) => [
    layer([`${app}/**/*.ts`], relative(...strangers), `${app}/ knows shared/ and itself.`),
    {
      ...layer(
        [`${app}/**/*.ts`],
        [...relative(...strangers), NODE, IO_PACKAGES, RUNTIME],
        `The pure part of ${app}/ does no I/O; put it in an edge (eslint.config.mjs, EDGES).`,
      ),
      ignores: EDGES,
    },
  ]),
  layer(
    ['sim/**/*.ts'],
    relative('agent', 'relay', 'controller', 'test', 'bin'),
    'sim/ transcribes its own facts and knows only shared/ and, as types, the ports of agent/probe.',
  ),
);
