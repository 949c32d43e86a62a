// `npx mocha` runs every test but those of a suite with its own command; `npx mocha FILE …` runs those files alone.
const files = process.argv.slice(2).filter((argument) => argument.endsWith('.ts'));

/** `npm run test:loader`: the loader's own code, minutes of it, from its first start to an image installed. */
const LOADER = ['test/integration/loader/!(boot|journal).test.ts', 'test/scenario/devices.test.ts'];

module.exports = {
  'node-option': [
    'import=./test/fixtures/typescript.mjs',
    'import=./test/fixtures/remembered.ts',
    // Boards and snapshots are short-lived megabytes: collected on one thread they cost a sixth less of all time.
    'single-threaded-gc',
    'max-semi-space-size=16',
  ],
  spec: files.length > 0 ? files : ['test/{unit,integration,scenario,repo}/**/*.test.ts'],
  ignore: files.length > 0 ? [] : LOADER,
  timeout: 60000,
  reporter: 'dot',
};
