// Writes test/vectors/protocol.json. Run only when docs/protocol.md changes.
import { writeFileSync } from 'node:fs';
import { makeVectors } from './vectors.ts';

writeFileSync(new URL('../../vectors/protocol.json', import.meta.url), `${JSON.stringify(makeVectors(), null, 1)}\n`);
