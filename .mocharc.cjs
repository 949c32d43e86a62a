// `npx mocha` runs every test; `npx mocha FILE …` runs those files alone.
const files = process.argv.slice(2).filter((argument) => argument.endsWith('.ts'));

module.exports = {
  import: ['tsx'],
  spec: files.length > 0 ? files : ['test/{unit,integration,scenario,repo}/**/*.test.ts'],
  timeout: 60000,
  reporter: 'dot',
};
