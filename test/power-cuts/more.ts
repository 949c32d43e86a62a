// `npm run test:power-cuts:more -- --images N --first N`: power cuts at every boundary of jobs with images by chance.
import { parseArgs } from 'node:util';
import { cutEverywhere } from './images.ts';

const { values } = parseArgs({
  options: { images: { type: 'string', default: '48' }, first: { type: 'string', default: '1' } },
});
const [images, first] = [Number(values.images), Number(values.first)];
let instants = 0;
for (let seed = first; seed < first + images; seed++) instants += (await cutEverywhere(seed)).instants;
process.stdout.write(`${images} images, cut at ${instants} boundaries: no half image ran\n`);
