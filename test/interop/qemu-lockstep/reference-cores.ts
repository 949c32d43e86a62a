// The two independent processors: Debian's qemu-system-arm (whole chip, exceptions included) and python3-unicorn (the
// bare instruction set). Both run the image to its end and hand back the dump area.
import { execFileSync, spawnSync } from 'node:child_process';
import { join } from 'node:path';

const MAX_BUFFER = 64 * 1024 * 1024;
const TIMEOUT_MS = 20_000;
/** Debian's own interpreter: the one python3-unicorn is installed for. */
const PYTHON = '/usr/bin/python3';

/** Runs `elf` on the mps2 board with a Cortex-M4 and takes what it writes by semihosting. */
export function runQemu(elf: string): Uint8Array {
  const machine = ['-M', 'mps2-an386', '-nographic', '-monitor', 'none', '-serial', 'none'];
  const semihosting = ['-semihosting-config', 'enable=on,target=native'];
  const done = spawnSync('qemu-system-arm', [...machine, ...semihosting, '-kernel', elf], {
    maxBuffer: MAX_BUFFER,
    timeout: TIMEOUT_MS,
  });
  if (done.error !== undefined) throw done.error;
  if (done.stderr.length > 0) throw new Error(`qemu: ${done.stderr.toString().slice(0, 400)}`);
  return new Uint8Array(done.stdout);
}

/** Runs the flat `image` file from its reset vector to the address in vector 7; `length` bytes from `dump`. */
export function runUnicorn(image: string, dump: number, length: number): Uint8Array {
  const script = join(import.meta.dirname, 'unicorn_judge.py');
  const options = { maxBuffer: MAX_BUFFER, timeout: TIMEOUT_MS };
  return new Uint8Array(execFileSync(PYTHON, [script, 'dump', image, String(dump), String(length)], options));
}

/** Whether after `count` instructions, and no sooner, Unicorn stands at `exit`; the dump area afterwards. */
export function countOnUnicorn(image: string, count: number, dump: number, length: number): Uint8Array {
  const script = join(import.meta.dirname, 'unicorn_judge.py');
  const args = [script, 'count', image, String(dump), String(length), String(count)];
  return new Uint8Array(execFileSync(PYTHON, args, { maxBuffer: MAX_BUFFER, timeout: TIMEOUT_MS }));
}
