// Edge: the operating system's random generator behind the Random port (shared/ports.ts).
import { randomBytes } from 'node:crypto';
import type { Random } from '../../ports.ts';

export const systemRandom: Random = { bytes: (count) => new Uint8Array(randomBytes(count)) };
