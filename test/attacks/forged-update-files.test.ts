// Somebody has opened one board and read all its keys: with them he has the content key of every file that was sealed
// for it. He forges for another board the same file is for (docs/update-files.md §5). Whatever he does, the other one
// programs nothing that is not the vendor's, erases nothing the vendor did not order, and never gets its boot words.
import assert from 'node:assert/strict';
import { concat, copyOf, equalBytes } from '../../shared/codec/bytes.ts';
import { sha512 } from '../../shared/crypto/hash.ts';
import { isBlindflashError } from '../../shared/errors/errors.ts';
import type { Command } from '../../shared/sealed/messages.ts';
import { entryKey, entryTag, frameHash, openEntry, sealEntry } from '../../shared/update/keys.ts';
import type { UpdateReader } from '../../shared/update/reader.ts';
import { Forger } from '../fixtures/forged-frames.ts';
import { joined, partsOf, type UpdateFileParts } from '../fixtures/update-parts.ts';
import { IMAGE_START, sealFor, TestDevice, updateContent, updateImage } from '../fixtures/update-files.ts';

const PROGRAM = updateImage(21, 84_000);
const OPENED = new TestDevice(1);
const FILE = partsOf(sealFor([OPENED, new TestDevice(2)], updateContent(PROGRAM)));
const OTHER_FILE = partsOf(sealFor([OPENED, new TestDevice(2)], updateContent(updateImage(22, 84_000)), 78));

/** The content key of a file, by the keys of the board that was opened. */
function stolenContentKey(parts: UpdateFileParts): Uint8Array {
  const facts = OPENED.facts();
  const names = { headerHash: sha512(parts.header), ephemeral: parts.decoded.ephemeral };
  const tag = entryTag(facts.tagKey, names.headerHash, facts.uid);
  const entry = parts.entries.find((one) => equalBytes(copyOf(one, 0, 16), tag)) as Uint8Array;
  const key = entryKey([facts.agree(names.ephemeral), facts.agree(facts.filesPublic)], facts, names);
  return openEntry(key, copyOf(entry, 16))?.contentKey as Uint8Array;
}

const CONTENT_KEY = stolenContentKey(FILE);

/** A board takes this; returns it, and how far it got. */
function play(parts: Omit<UpdateFileParts, 'decoded'>): { board: TestDevice; reader: UpdateReader | undefined } {
  const board = new TestDevice(2);
  try {
    return { board, reader: board.take(joined(parts)) };
  } catch (error) {
    if (!isBlindflashError(error, 'BF-UPDATE-REFUSED')) throw error;
    return { board, reader: undefined };
  }
}

const FORGER = new Forger(FILE, CONTENT_KEY, IMAGE_START);
const COMMANDS = FORGER.commands();
const FRAMES = COMMANDS.map((command, at) => [command, at] as const);
const FINAL = COMMANDS.findIndex(({ name }) => name === 'FINAL');

/** Nothing of the forger's is in flash; the image starts only once all the vendor's frames up to FINAL were taken. */
function assertUnharmed({ board, reader }: ReturnType<typeof play>, what: string): void {
  const isWhole = reader?.fates.filter((fate) => fate === 'taken').length === FINAL + 1;
  for (const [address, bytes] of board.flash.programmed) {
    const ours = PROGRAM.subarray(address - IMAGE_START, address - IMAGE_START + bytes.length);
    assert.ok(equalBytes(ours, bytes), `${what}: forged bytes at ${address.toString(16)}`);
    assert.ok(address >= IMAGE_START + 64 || isWhole, `${what}: boot words`);
  }
  assert.deepEqual(board.flash.erased, [4, 5].slice(0, board.flash.erased.length), what);
}

describe('update files forged with the content key', () => {
  it('the thief reads all of a file that is for him', () => {
    assert.deepEqual(
      COMMANDS.map(({ name }) => name).filter((name) => name !== 'IMAGE'),
      ['ERASE', 'ERASE', 'FINAL', 'END'],
    );
    assert.ok(FRAMES.length > 20);
    const { board, reader } = play(FILE);
    assert.equal(reader?.complete, true, 'and the genuine one is taken');
    assert.deepEqual(board.flash.read(IMAGE_START, PROGRAM.length), PROGRAM);
  });

  it('a frame that says something else, in the place of each one: dropped unopened', () => {
    for (const [command, at] of FRAMES) {
      for (const lie of FORGER.altered(command)) {
        const forged = FORGER.frames(COMMANDS.with(at, lie))[at] as Uint8Array;
        const played = play({ ...FILE, frames: FILE.frames.with(at, forged) });
        assertUnharmed(played, `${command.name} ${at}`);
        assert.equal(played.reader?.complete, false);
        assert.deepEqual(
          played.reader.fates,
          FRAMES.map((_, index) => (index < at ? 'taken' : 'dropped')),
        );
      }
    }
  });

  it('all frames sealed anew around a lie in each place: not even the first is taken', () => {
    for (const [command, at] of FRAMES) {
      for (const lie of FORGER.altered(command)) {
        const { board, reader } = play({ ...FILE, frames: FORGER.frames(COMMANDS.with(at, lie)) });
        assert.deepEqual([board.flash.erased, board.flash.programmed], [[], []], `${command.name} ${at}`);
        assert.equal(reader?.complete, false);
      }
    }
  });

  it('frames swapped, dropped, said twice, or of another file', () => {
    for (const [, at] of FRAMES) {
      const [frame, foreign] = [FILE.frames[at] as Uint8Array, OTHER_FILE.frames[at] as Uint8Array];
      const swapped = [...FILE.frames];
      [swapped[at], swapped[at + 1]] = [swapped[at + 1] ?? frame, frame];
      const cases = {
        swapped: swapped.slice(0, FILE.frames.length),
        dropped: [...FILE.frames.toSpliced(at, 1), frame],
        foreign: FILE.frames.with(at, foreign),
      };
      for (const [what, frames] of Object.entries(cases)) {
        const isGenuine = frames.every((one, index) => equalBytes(one, FILE.frames[index] as Uint8Array));
        const played = play({ ...FILE, frames });
        if (isGenuine) continue;
        assertUnharmed(played, `${what} ${at}`);
        assert.equal(played.reader?.complete, false, `${what} ${at}`);
      }
      const { reader } = play({ ...FILE, frames: FILE.frames.toSpliced(at, 0, frame).slice(0, FILE.frames.length) });
      assert.equal(reader?.fates[at + 1] ?? 'dropped', 'dropped', 'the second time it is not expected');
    }
  });

  it('a strange frame between two genuine ones is dropped, and the file goes on', () => {
    const longer = partsOf(sealFor([new TestDevice(2)], updateContent(PROGRAM)));
    const board = new TestDevice(2);
    const reader = board.reader();
    reader.header(longer.decoded, longer.header);
    for (const entry of longer.entries) reader.entry(entry);
    for (const [at, frame] of longer.frames.entries()) {
      reader.frame(OTHER_FILE.frames[at] as Uint8Array);
      reader.frame(frame);
    }
    assert.equal(reader.complete, true);
    assert.deepEqual(board.flash.read(IMAGE_START, PROGRAM.length), PROGRAM);
  });

  it('his own entry given out as the other board’s, and an entry sealed by him', () => {
    const facts = OPENED.facts();
    const names = { headerHash: sha512(FILE.header), ephemeral: FILE.decoded.ephemeral };
    const lies = COMMANDS.map((command) => FORGER.altered(command)[0] as Command);
    const frames = FORGER.frames(lies);
    const key = entryKey([facts.agree(names.ephemeral), facts.agree(facts.filesPublic)], facts, names);
    const content = {
      contentKey: CONTENT_KEY,
      firstFrame: frameHash(frames[0] as Uint8Array),
      root: new Uint8Array(64),
    };
    const target = new TestDevice(2);
    const { tagKey, uid } = target.facts();
    for (const tag of [
      entryTag(facts.tagKey, names.headerHash, facts.uid),
      entryTag(facts.tagKey, names.headerHash, uid),
      entryTag(tagKey, names.headerHash, uid),
    ]) {
      const entry = concat(tag, sealEntry(key, content));
      const { board, reader } = play({ ...FILE, entries: [entry, entry], frames });
      assert.equal(reader, undefined);
      assert.deepEqual([board.flash.erased, board.flash.programmed], [[], []]);
    }
  });

  it('flash that changed under the device: FINAL finds it, and the boot words stay out', () => {
    const board = new TestDevice(2);
    const reader = board.reader();
    reader.header(FILE.decoded, FILE.header);
    for (const entry of FILE.entries) reader.entry(entry);
    for (const [at, frame] of FILE.frames.entries()) {
      if (COMMANDS[at]?.name === 'FINAL') {
        board.flash.bytes[70_000] = (board.flash.bytes[70_000] as number) ^ 1;
        assert.throws(() => reader.frame(frame), /root/);
        break;
      }
      reader.frame(frame);
    }
    assert.deepEqual(board.flash.read(IMAGE_START, 64), new Uint8Array(64).fill(0xff));
  });

  it('frames that end in another image than the entry names: the boot words stay out', () => {
    const content = updateContent(PROGRAM);
    const target = new TestDevice(2);
    const file = partsOf(sealFor([target], { ...content, root: sha512(content.root) }));
    const { board, reader } = play(file);
    assert.equal(reader, undefined);
    assert.deepEqual(board.flash.read(IMAGE_START, 64), new Uint8Array(64).fill(0xff));
    assert.deepEqual(board.flash.read(IMAGE_START + 64, PROGRAM.length - 64), PROGRAM.slice(64));
  });

  it('what the vendor’s own frames may not do: other sectors, other places, boot words as data, no FINAL', () => {
    const content = updateContent(PROGRAM);
    const data = new Uint8Array(16);
    const [erase, ...rest] = content.commands as [Command, ...Command[]];
    const lists: readonly (readonly Command[])[] = [
      [erase, erase, ...rest],
      [erase, { name: 'IMAGE', address: IMAGE_START + PROGRAM.length, data }, ...rest],
      [erase, { name: 'IMAGE', address: IMAGE_START + 0x10000, data }, ...rest],
      [...rest, erase],
      [erase, ...rest.slice(0, 2), ...rest.slice(1)],
      [erase, ...rest.slice(-2)],
      [...content.commands.slice(0, -2), { name: 'END' }],
      [erase, { name: 'LOCK' }, ...rest],
    ];
    for (const [at, commands] of lists.entries()) {
      const target = new TestDevice(2);
      const { board, reader } = play(partsOf(sealFor([target], { ...content, commands })));
      assert.equal(reader, undefined, `list ${at}`);
      assert.ok(!equalBytes(board.flash.read(IMAGE_START, 64), PROGRAM.slice(0, 64)), `list ${at}`);
    }
  });

  it('… another sector before that of the boot words, or data over these: nothing is done at all', () => {
    const content = updateContent(PROGRAM);
    const [erase, ...rest] = content.commands as [Command, ...Command[]];
    const over: Command = { name: 'IMAGE', address: IMAGE_START + 32, data: new Uint8Array(64) };
    for (const [first, erased] of [
      [[{ name: 'ERASE', sector: 3 }], []],
      [[{ name: 'ERASE', sector: 5 }, erase], []],
      [[erase, over], [4]],
    ] as const) {
      const target = new TestDevice(2);
      const { board, reader } = play(partsOf(sealFor([target], { ...content, commands: [...first, ...rest] })));
      assert.equal(reader, undefined);
      assert.deepEqual([board.flash.erased, board.flash.programmed], [erased, []]);
    }
  });

  it('… a frame behind END: the file is refused', () => {
    const content = updateContent(PROGRAM);
    const commands: Command[] = [...content.commands, { name: 'END' }];
    assert.equal(play(partsOf(sealFor([new TestDevice(2)], { ...content, commands }))).reader, undefined);
  });

  it('a sector that was not erased by this file does not count, whatever it holds, nor one that holds more than the image', () => {
    const content = updateContent(PROGRAM);
    const firstSector = content.commands.slice(
      0,
      content.commands.findLastIndex(({ name }) => name === 'ERASE'),
    );
    const skipping = partsOf(
      sealFor([new TestDevice(2)], { ...content, commands: [...firstSector, ...content.commands.slice(-2)] }),
    );
    const prepared = new TestDevice(2);
    prepared.flash.bytes.fill(0xff).set(PROGRAM);
    assert.throws(() => prepared.take(joined(skipping)), /not erased/);

    const board = new TestDevice(2);
    const erase = board.flash.erase.bind(board.flash);
    board.flash.erase = (sector) => {
      erase(sector);
      board.flash.bytes[PROGRAM.length + 100] = 0;
    };
    const whole = joined(partsOf(sealFor([board], content)));
    assert.throws(() => board.take(whole), /holds more/);
    assert.deepEqual(board.flash.read(IMAGE_START, 64), new Uint8Array(64).fill(0xff));
  });
});
