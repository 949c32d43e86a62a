// Edge: the clock of a Node process; a browser's is the same (shared/platform/system-clock.ts).
export { systemClock } from '../system-clock.ts';
