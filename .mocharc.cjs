// `npx mocha` runs every test but those of a suite with its own command; `npx mocha FILE …` runs those files alone.
const { ELSEWHERE, HERE } = require('./test/fixtures/suites.cjs');

const files = process.argv.slice(2).filter((argument) => argument.endsWith('.ts'));

module.exports = {
  'node-option': [
    'import=./test/fixtures/typescript.mjs',
    'import=./test/fixtures/remembered.ts',
    // Boards and snapshots are short-lived megabytes: collected on one thread they cost a sixth less of all time.
    'single-threaded-gc',
    'max-semi-space-size=16',
  ],
  spec: files.length > 0 ? files : HERE,
  ignore: files.length > 0 ? [] : ELSEWHERE,
  timeout: 60000,
  reporter: 'dot',
};
