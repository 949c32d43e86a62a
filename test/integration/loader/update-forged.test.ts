// Update files forged with the content key, by somebody who has opened another board the file is for, on the real
// loader (docs/update-files.md §5): no forged byte is programmed, no sector erased but by the vendor's frames, and the
// boot words stay out. test/attacks has the same for the device as TypeScript has it.
import assert from 'node:assert/strict';
import { compileUpdate } from '../../../controller/update/compile.ts';
import { STM32F42X } from '../../../shared/chips/index.ts';
import { concat, copyOf, equalBytes } from '../../../shared/codec/bytes.ts';
import { sha512 } from '../../../shared/crypto/hash.ts';
import type { Command } from '../../../shared/sealed/messages.ts';
import type { UpdateContent } from '../../../shared/update/seal.ts';
import type { BoardSnapshot } from '../../../sim/board.ts';
import { Forger } from '../../fixtures/forged-frames.ts';
import { imageOf } from '../../fixtures/images.ts';
import { seededRandom } from '../../fixtures/seeded.ts';
import { installed } from './loader-controller.ts';
import { FLASH, IMAGE, spinning } from './loader-fixture.ts';
import { LoaderLink } from './loader-link.ts';
import { linked } from './prepared-boards.ts';
import { contentOf, fileFor, recipientOf, RELEASE, stranger, UpdateLine } from './update-line.ts';

const PROGRAM = spinning(9000, 51);
const SEED = 78;
const BLANK = new Uint8Array(64).fill(0xff);
const TAG_BYTES = 16;

/** The second thing that is drawn for a file (shared/update/seal.ts). */
function contentKeyOf(seed: number): Uint8Array {
  const random = seededRandom(seed);
  random.bytes(32);
  return random.bytes(32);
}

describe('loader: update files forged with the content key', function () {
  this.timeout(300_000);
  const link = linked();
  const { board } = link;
  const file = fileFor([stranger(1), recipientOf(board)], contentOf(PROGRAM), SEED);
  const other = fileFor([stranger(1), recipientOf(board)], contentOf(spinning(9000, 52)), SEED + 1);
  const forger = new Forger(file, contentKeyOf(SEED), IMAGE);
  const commands = forger.commands();
  const lies = commands.flatMap((command, at) => forger.altered(command).map((lie) => [at, lie] as const));
  const finalAt = commands.findIndex(({ name }) => name === 'FINAL');
  /** The board before each frame of the genuine file, and how many packets it has taken. */
  const snapshots: BoardSnapshot[] = [];

  before(() => {
    const line = new UpdateLine(link);
    assert.equal(line.open(file), 'active');
    for (const frame of file.frames) {
      snapshots.push(board.snapshot());
      assert.ok(['active', 'written', 'ended'].includes(line.frames([frame])));
    }
    assert.deepEqual(installed(link, PROGRAM.length), PROGRAM, 'the genuine one is taken');
  });

  /** The board as it waits for a frame; entries came in one packet. */
  const waitingFor = (at: number): UpdateLine => {
    board.restore(snapshots[at]!);
    return new UpdateLine(new LoaderLink(board), 1 + at);
  };

  /** Gives one frame that is not to be taken. */
  const assertDropped = (line: UpdateLine, frame: Uint8Array, what: string): void => {
    const flash = board.flash.bytes.slice();
    const { replied, state } = line.status();
    line.frames([frame]);
    const after = line.status();
    assert.deepEqual([after.replied, after.state], [replied, state], what);
    assert.deepEqual(board.flash.bytes, flash, what);
  };

  it('a frame that says something else, in the place of each one: dropped unopened, and the genuine one is taken', () => {
    for (const [at, lie] of lies) {
      const line = waitingFor(at);
      assertDropped(line, forger.frames(commands.with(at, lie))[at]!, `${lie.name} ${at}`);
      const { replied } = line.status();
      line.frame(file.frames[at]!);
      line.settle();
      if (at < finalAt) assert.equal(line.status().replied, replied + 1, `${lie.name} ${at}`);
    }
  });

  it('all frames sealed anew around a lie in each place: not even the first is taken', () => {
    for (const [at, lie] of lies) {
      assertDropped(waitingFor(0), forger.frames(commands.with(at, lie))[0]!, `${lie.name} ${at}`);
    }
  });

  it('frames that come too early, a second time, or from another file', () => {
    for (const [at, frame] of file.frames.entries()) {
      const strange = [file.frames[at + 1], file.frames[at - 1], other.frames[at], frame.subarray(0, 224)];
      for (const [which, one] of strange.entries()) {
        if (one === undefined || equalBytes(one, frame)) continue;
        assertDropped(waitingFor(at), one, `${at} ${which}`);
      }
    }
  });

  it('flash that changed under the device: FINAL finds it, and the boot words stay out', () => {
    const line = waitingFor(finalAt);
    board.flash.bytes[IMAGE - FLASH + 5000]! ^= 1;
    assert.equal(line.frames([file.frames[finalAt]!]), 'aborted');
    assert.equal(line.error, 'digestDiffers');
    assert.deepEqual(installed(link, 64), BLANK);
  });

  /** A board without image takes a file; its state at the end. */
  const take = (content: UpdateContent, seed = SEED) => {
    const fresh = linked();
    const line = new UpdateLine(fresh);
    const state = line.install(fileFor([recipientOf(fresh.board)], content, seed));
    return { state, error: line.error, image: installed(fresh, PROGRAM.length), flash: fresh.board.flash.bytes };
  };

  it('frames that end in another image than the entry names: the boot words stay out', () => {
    const content = contentOf(PROGRAM);
    const { state, error, image } = take({ ...content, root: sha512(content.root) });
    assert.deepEqual([state, error], ['aborted', 'digestDiffers']);
    assert.deepEqual(image.slice(0, 64), BLANK);
    assert.deepEqual(image.slice(64), PROGRAM.slice(64));
  });

  it('what the vendor’s own frames may not do: other sectors and places, boot words as data, no FINAL, a lock', () => {
    const content = contentOf(PROGRAM);
    const data = new Uint8Array(16);
    const [erase, ...rest] = content.commands as [Command, ...Command[]];
    const image = (address: number): Command => ({ name: 'IMAGE', address, data });
    const lists: readonly (readonly [commands: readonly Command[], error: string])[] = [
      [[erase, erase, ...rest], 'order'],
      [[erase, image(IMAGE + PROGRAM.length), ...rest], 'outsidePlan'],
      [[erase, image(IMAGE + 48), ...rest], 'outsidePlan'],
      [[...rest, erase], 'order'],
      [[{ name: 'ERASE', sector: 3 }, erase, ...rest], 'outsidePlan'],
      [[...content.commands.slice(0, -2), { name: 'END' }], 'order'],
      [[erase, { name: 'LOCK' }, ...rest], 'malformedCommand'],
      [[erase, { name: 'PING' }, ...rest], 'malformedCommand'],
      [[...content.commands, { name: 'END' }], 'order'],
    ];
    for (const [at, [commandsOfIt, error]] of lists.entries()) {
      const taken = take({ ...content, commands: commandsOfIt });
      assert.deepEqual([taken.state, taken.error], ['aborted', error], `list ${at}`);
      if (at < lists.length - 1) assert.deepEqual(taken.image.slice(0, 64), BLANK, `list ${at}`);
    }
  });

  it('a sector that was not erased for this file does not count, whatever it holds', () => {
    const far = IMAGE + 0x10000;
    const part = spinning(2000, 53);
    const options = { mode: 'seeded', release: RELEASE, label: 'two sectors' } as const;
    const content = compileUpdate(imageOf([IMAGE, PROGRAM], [far, part]), STM32F42X, options);
    const second = content.commands.findLastIndex(({ name }) => name === 'ERASE');
    const commandsOfIt = [...content.commands.slice(0, second), ...content.commands.slice(-2)];
    const prepared = linked();
    prepared.board.flash.bytes.set(part, far - FLASH);
    const line = new UpdateLine(prepared);
    const recipients = [recipientOf(prepared.board)];
    assert.equal(line.install(fileFor(recipients, { ...content, commands: commandsOfIt }, SEED)), 'aborted');
    assert.equal(line.error, 'order');
    assert.deepEqual(installed(prepared, 64), BLANK);
  });

  it('an entry of another file, or made by another, under this device’s tag: it does not open, and nothing is done', () => {
    const tag = copyOf(
      file.entries.find((entry) => isOurs(entry))!,
      0,
      TAG_BYTES,
    );
    const boxes = [...other.entries, ...file.entries.filter((entry) => !isOurs(entry))].map((entry) =>
      copyOf(entry, TAG_BYTES),
    );
    for (const box of boxes) {
      const fresh = linked();
      const image = fresh.board.flash.bytes.slice(0x10000);
      const line = new UpdateLine(fresh);
      assert.equal(line.open({ ...file, entries: [concat(tag, box)] }), 'aborted');
      assert.equal(line.error, 'boxFailed');
      assert.deepEqual(fresh.board.flash.bytes.slice(0x10000), image);
    }
  });

  /** The loader opens it. */
  function isOurs(entry: Uint8Array): boolean {
    const fresh = linked();
    return new UpdateLine(fresh).open({ ...file, entries: [entry] }) === 'active';
  }
});
