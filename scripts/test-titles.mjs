// Compares the titles of two test runs, so that a change of the tests shows what it took away, added or moved:
//   npx mocha --reporter json --reporter-option output=before.json     (and after the change: after.json)
//   node scripts/test-titles.mjs before.json after.json
// One line each: "-" gone, "+" new, ">" in another file. The exit status is 1 when a title went.
import { readFileSync } from 'node:fs';
import { argv, cwd, exit } from 'node:process';

/** Full title → the files it stands in, from the folder test/ on. */
function titles(path) {
  const found = new Map();
  for (const { fullTitle, file } of JSON.parse(readFileSync(path, 'utf8')).tests) {
    const place = file.replace(/^.*?\/(?=test\/)/, '').replace(`${cwd()}/`, '');
    found.set(fullTitle, [...(found.get(fullTitle) ?? []), place]);
  }
  return found;
}

const [before, after] = [titles(argv[2]), titles(argv[3])];
const gone = [...before.keys()].filter((title) => !after.has(title));
for (const title of gone) console.log(`- ${title}   (${before.get(title).join(', ')})`);
for (const [title, places] of after) {
  const were = before.get(title);
  if (were === undefined) console.log(`+ ${title}   (${places.join(', ')})`);
  else if (were.join() !== places.join()) console.log(`> ${title}   (${were.join(', ')} > ${places.join(', ')})`);
}
console.log(`${before.size} titles before, ${after.size} after, ${gone.length} gone`);
exit(gone.length > 0 ? 1 : 0);
