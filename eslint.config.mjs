// Lint, and the layers as a rule (docs/architecture.md):
//   shared ← shared/platform ← agent | relay | controller (none of which knows another) ← sim ← cli ← test, bench
import js from '@eslint/js';
import tseslint from 'typescript-eslint';

const NODE = '^(node:.*|fs|net|http|https|crypto|child_process|path|os|stream|events)$';
/** Packages that do I/O; only edges may import them. */
const IO_PACKAGES = '^(ws|usb|serialport|@photostructure/sqlite|pino|yargs|cli-progress)$';
const PLATFORM = '/platform/';
const TIME = ['setTimeout', 'setInterval', 'setImmediate', 'Date', 'performance'].map((name) => ({
  name,
  message: 'Time is an argument: take a Clock (shared/ports.ts).',
}));
const STREAMS = ['stdout', 'stderr'].map((property) => ({
  object: 'process',
  property,
  message: 'What goes to a terminal is cleaned: say, print, printJson (cli/terminal/output.ts).',
}));
const CHANCE = [
  { object: 'Math', property: 'random', message: 'Chance is an argument: take a Random (shared/ports.ts).' },
];

/** Files that touch the outside world: sockets, files, real time, terminals. */
const EDGES = [
  'shared/platform/**',
  'agent/node/**',
  'agent/probe/usb/node-usb.ts',
  'agent/probe/usb/usb-addon.ts',
  'agent/probe/stlink/tcp-socket.ts',
  'relay/server.ts',
  'relay/control/file.ts',
  'controller/store/home.ts',
  'controller/store/job-lock.ts',
  'controller/store/keys-file.ts',
  'controller/store/ledger.ts',
  'controller/store/ledger-job-store.ts',
  'controller/store/sqlite.ts',
  'controller/store/take-over.ts',
  'controller/service/bundled-loader.ts',
  'controller/service/trusted-programs.ts',
  'sim/stlink/tcp-server.ts',
  'sim/edge/**',
  'sim/event-queue.ts',
  'cli/**',
  'test/**',
  'bench/**',
  'scripts/**',
];

/** Tables: files that may have more than 400 lines, for they have a row for each of something. */
const TABLES = ['cli/json-events.ts', 'shared/errors/catalogue.ts'];

const NO_SLEEP = 'A test does not sleep: take the manual clock or the event queue (test/fixtures), or await the event.';

const layer = (files, forbidden, why) => ({
  files,
  rules: {
    'no-restricted-imports': ['error', { patterns: forbidden.map((regex) => ({ regex, message: why })) }],
  },
});
const relative = (...folders) => folders.map((folder) => `^(\\.\\./)+${folder}/`);

export default tseslint.config(
  { ignores: ['dist', 'node_modules', 'coverage', 'firmware/build', 'examples/**/build', 'test/vectors'] },
  js.configs.recommended,
  ...tseslint.configs.recommended,
  {
    languageOptions: {
      globals: {
        module: 'readonly',
        require: 'readonly',
        process: 'readonly',
        console: 'readonly',
        URL: 'readonly',
        Buffer: 'readonly',
      },
    },
    rules: {
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_' }],
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-empty-function': 'off',
      'max-lines': ['error', { max: 400 }],
      'no-constant-condition': ['error', { checkLoops: false }],
      curly: ['error', 'multi-line', 'consistent'],
      // Prettier breaks code at 120 columns and leaves comments as they are.
      'max-len': ['error', { code: 1000, comments: 120, ignoreUrls: true, ignorePattern: 'prettier-ignore' }],
      'no-restricted-syntax': [
        'error',
        {
          selector: ':matches(PropertyDefinition, MethodDefinition[kind!="constructor"])[accessibility="private"]',
          message: 'A private member is a #name.',
        },
      ],
    },
  },
  // The configuration of mocha is read by require().
  { files: ['**/*.cjs'], rules: { '@typescript-eslint/no-require-imports': 'off' } },
  {
    files: ['shared/**/*.ts', 'agent/**/*.ts', 'relay/**/*.ts', 'controller/**/*.ts', 'sim/**/*.ts'],
    ignores: EDGES,
    rules: {
      'no-restricted-globals': ['error', ...TIME],
      'no-restricted-properties': ['error', ...CHANCE, ...STREAMS],
      'no-console': 'error',
    },
  },
  {
    files: EDGES.filter((path) => /^(shared|agent|relay|controller|cli)\//.test(path)),
    ignores: ['cli/terminal/output.ts'],
    rules: { 'no-restricted-properties': ['error', ...STREAMS], 'no-console': 'error' },
  },
  {
    ...layer(
      ['shared/**/*.ts'],
      [...relative('agent', 'relay', 'controller', 'sim', 'test', 'cli'), NODE, IO_PACKAGES, PLATFORM],
      'shared/ is the pure core: tweetnacl, zod and itself.',
    ),
    ignores: ['shared/platform/**'],
  },
  layer(
    ['shared/platform/**/*.ts'],
    relative('agent', 'relay', 'controller', 'sim', 'test', 'cli'),
    'shared/platform serves the apps and knows none.',
  ),
  layer(
    ['shared/platform/*.ts', 'shared/platform/browser/**/*.ts'],
    [...relative('agent', 'relay', 'controller', 'sim', 'test', 'cli'), NODE, IO_PACKAGES, '/node/'],
    'What runs in a browser has nothing of Node.',
  ),
  ...[
    ['agent', ['relay', 'controller', 'sim', 'test', 'cli']],
    ['relay', ['agent', 'controller', 'sim', 'test', 'cli']],
    ['controller', ['agent', 'relay', 'sim', 'test', 'cli']],
  ].flatMap(([app, others]) => [
    layer([`${app}/**/*.ts`], relative(...others), `${app}/ knows shared/ and itself.`),
    {
      ...layer(
        [`${app}/**/*.ts`],
        [...relative(...others), NODE, IO_PACKAGES, PLATFORM],
        `The pure part of ${app}/ does no I/O; put it in an edge (eslint.config.mjs, EDGES).`,
      ),
      ignores: EDGES,
    },
  ]),
  layer(
    ['sim/**/*.ts'],
    relative('agent', 'relay', 'controller', 'test', 'cli'),
    'sim/ transcribes its own facts and knows only shared/ and, as types, the ports of agent/probe.',
  ),
  { files: TABLES, rules: { 'max-lines': 'off' } },
  {
    files: ['test/{unit,integration,scenario,attacks,power-cuts,repo,types,fixtures}/**/*.ts'],
    rules: {
      'no-restricted-globals': ['error', ...['setTimeout', 'setInterval'].map((name) => ({ name, message: NO_SLEEP }))],
      'no-restricted-properties': [
        'error',
        ...['setTimeout', 'setInterval'].map((property) => ({ object: 'globalThis', property, message: NO_SLEEP })),
        { object: 'Atomics', property: 'wait', message: NO_SLEEP },
      ],
      'no-restricted-imports': ['error', { patterns: [{ regex: '^(node:)?timers(/.*)?$', message: NO_SLEEP }] }],
    },
  },
);
