// The sheet: everything the plan does is on it, nothing the vendor writes can make it look otherwise.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { coversPlan, parsePriorConsent } from '../../../agent/consent/prior-consent.ts';
import { quotable } from '../../../shared/codec/foreign-text.ts';
import { SHEET_WIDTH, wrapText } from '../../../agent/consent/plain-text.ts';
import { consentSheet } from '../../../agent/consent/sheet.ts';
import type { BoardIdentity } from '../../../agent/target/target-session.ts';
import { encodePlan, planHash, type Plan } from '../../../shared/plan/plan.ts';
import { FLASH, quietPlan, smallPlan } from './support.ts';

const BOARD: BoardIdentity = {
  devId: 0x419,
  revId: 0x2003,
  uid: Uint8Array.from({ length: 12 }, (_, i) => i + 1),
  flashKiB: 2048,
  optcr: 0x0fffaaed,
  optcr1: 0x0fff0000,
  rdp: 0,
};
const PROBE = { kind: 'ST-LINK/V2', firmware: 'V2J37S7', serial: 'ABC', path: 'usb' };

function sheetOf(
  plan: Plan,
  change: {
    board?: Partial<BoardIdentity>;
    stubRuns?: boolean;
    serial?: string;
    vendorKnown?: boolean;
    another?: boolean;
  } = {},
): string {
  const { lines } = consentSheet({
    plan,
    planHash: planHash(encodePlan(plan)),
    word: '5e5e',
    another: change.another ?? false,
    vendor: Uint8Array.from({ length: 32 }, (_, at) => at * 7),
    vendorKnown: change.vendorKnown ?? false,
    board: { ...BOARD, ...change.board },
    probe: { ...PROBE, serial: change.serial ?? PROBE.serial },
    stubHash: plan.kind === 'info' ? undefined : new Uint8Array(64).fill(0xab),
    stubRuns: change.stubRuns ?? false,
    reached: 'running',
  });
  return lines.join('\n');
}

describe('consent sheet', () => {
  it('names sectors, ranges, boot words, lock and last action with addresses computed here by hand', () => {
    const plan = smallPlan({
      sectors: [0, 4, 12],
      ranges: [
        { address: FLASH, length: 4096, use: 'program' },
        { address: 0x08010000, length: 65536, use: 'program' },
        { address: 0x08020000, length: 512, use: 'digest' },
      ],
      bootAddress: FLASH + 0x200,
      lock: 'level 1',
      finalAction: 'halt',
      label: 'Pump controller 4.2',
    });
    const text = sheetOf(plan);
    assert.match(text, /"Pump controller 4\.2"/);
    assert.match(text, /sector +0 +0x08000000\.\.0x08003fff +16 KiB/);
    assert.match(text, /sector +4 +0x08010000\.\.0x0801ffff +64 KiB/);
    assert.match(text, /sector +12 +0x08100000\.\.0x08103fff +16 KiB/);
    assert.match(text, /Erase 3 sectors, 96 KiB/);
    assert.match(text, /0x08010000\.\.0x0801ffff +65536 bytes/);
    assert.match(text, /Program and check 2 ranges, 69632 bytes/);
    assert.match(text, /Compare without changing 1 range, 512 bytes/);
    assert.match(text, /0x08000200, are written last/);
    assert.match(text, /Read protection level 1 is set/);
    assert.match(text, /left halted/);
    assert.match(text, /0102030405060708090a0b0c/);
  });

  it('asks not to touch the board where option bytes are written, and nowhere else', () => {
    const untouched = /do not touch the board, its reset button or its supply/;
    const words = (plan: Plan, board: Partial<BoardIdentity> = {}): string =>
      sheetOf(plan, { board }).replace(/\s+/g, ' ');
    assert.match(words(smallPlan({ lock: 'level 1' })), untouched);
    assert.match(words(smallPlan({ flags: ['lift write protection'] }), { optcr: 0x0ffeaaed }), untouched);
    const locked = { rdp: 1, optcr: 0x0fff55ed } as const;
    const optcr = { mask: { optcr: 0xff00, optcr1: 0 }, value: { optcr: 0xaa00, optcr1: 0 } };
    assert.match(words(quietPlan('unlock', { options: optcr }), locked), untouched);
    const level = { mask: { optcr: 0xc, optcr1: 0 }, value: { optcr: 0, optcr1: 0 } };
    assert.match(words(quietPlan('options', { options: level })), untouched);
    assert.doesNotMatch(words(smallPlan()), untouched);
  });

  it('does not say of a board that will be locked that it runs at once', () => {
    const words = (plan: Plan): string => sheetOf(plan).replace(/\s+/g, ' ');
    assert.match(words(smallPlan()), /the board is reset and runs what is in its flash\./);
    const locking = words(smallPlan({ lock: 'level 1' }));
    assert.match(locking, /The board does not run until it was switched off and on/);
    assert.match(locking, /the board is reset; it runs what is in its flash once it was switched off and on\./);
    assert.doesNotMatch(locking, /reset and runs|Lock programmed/);
  });

  it('says what becomes of sectors that read blank, of every plan that erases and of no other', () => {
    const left = /One that reads blank may be left as it is, if nothing of this job was written yet/;
    const erased = /One that reads blank is erased as well/;
    const text = (plan: Plan) => sheetOf(plan).replace(/\s+/g, ' ');
    for (const plan of [smallPlan(), smallPlan({ kind: 'erase', ranges: [], bootAddress: undefined })]) {
      assert.match(text(plan), left);
      assert.doesNotMatch(text(plan), erased);
    }
    assert.match(text(smallPlan({ flags: ['always erase'] })), erased);
    assert.doesNotMatch(text(smallPlan({ flags: ['always erase'] })), left);
    assert.doesNotMatch(text(quietPlan('info')), /blank/);
  });

  it('says of every kind that is asked questions what a guess tells, how often, and of what', () => {
    const digest = { address: FLASH, length: 4096, use: 'digest' } as const;
    const verify = smallPlan({ kind: 'verify', sectors: [], ranges: [digest], bootAddress: undefined });
    for (const plan of [smallPlan(), verify]) {
      const text = sheetOf(plan).replace(/\s+/g, ' ');
      assert.match(text, /guesses at what is there now are answered with “equal” or “not equal”/, plan.kind);
      assert.match(text, /at most 256 times each time our program is started, which one yes covers 8 times/);
    }
    const erase = smallPlan({ kind: 'erase', ranges: [], bootAddress: undefined });
    assert.doesNotMatch(sheetOf(erase), /guess/);
  });

  it('says that the fingerprint alone shows nothing, and that the vendor knows the board already', () => {
    for (const vendorKnown of [false, true]) {
      const text = sheetOf(quietPlan('info'), { vendorKnown }).replace(/\s+/g, ' ');
      assert.match(text, /A fingerprint is no secret .* Until then only the code tells you/);
      assert.match(text, /the vendor has been told what stands under “Your board”/i);
    }
  });

  it('shows the hash node computes, short and whole, and the job id', () => {
    const plan = smallPlan();
    const hash = createHash('sha512').update('blindflash/2 plan\0').update(encodePlan(plan)).digest('hex');
    const text = sheetOf(plan);
    assert.equal(text.includes(`short  ${hash.slice(0, 40)}\n`), true);
    assert.equal(text.includes(hash.slice(0, 64)) && text.includes(hash.slice(64)), true);
    assert.equal(text.includes(`Job ${Buffer.from(plan.job).toString('hex')}`), true);
  });

  it('says what the mode does not stop, that the image rules the chip, and that it can be read out', () => {
    const text = sheetOf(smallPlan()).replace(/\s+/g, ' ');
    assert.match(text, /does not stop a person or a program, malware included, that can drive the probe/);
    assert.match(text, /the vendor’s program rules the chip/);
    assert.match(text, /This image can be read out afterwards/);
    assert.match(text, /Nothing has been changed yet/);
  });

  it('speaks of protection and of a stub that runs only when that is so', () => {
    assert.doesNotMatch(sheetOf(smallPlan()), /read-protected|earlier attempt/);
    assert.match(
      sheetOf(quietPlan('reset'), { board: { rdp: 1, uid: new Uint8Array(12), flashKiB: 0 } }),
      /read-protected \(level 1\)/,
    );
    const found = sheetOf(smallPlan(), { stubRuns: true });
    assert.match(found, /earlier attempt left our program/);
    assert.doesNotMatch(found, /Nothing has been changed yet/);
  });

  it('shows 80 bits of the vendor, in groups, and whether he is known here', () => {
    const stranger = sheetOf(smallPlan());
    assert.match(stranger, /Fingerprint 0007 0e15 1c23 2a31 383f\n/);
    assert.match(stranger.replace(/\s+/g, ' '), /for the first time: let him read the fingerprint to you/);
    const known = sheetOf(smallPlan(), { vendorKnown: true });
    assert.match(known, /has said yes to this vendor before/);
    assert.doesNotMatch(known, /for the first time/);
  });

  it('ends with the word that is typed for yes', () => {
    assert.match(sheetOf(smallPlan()), /The word of this sheet\n +5e5e:/);
  });

  it('says what the vendor learns by asking about flash that is only compared', () => {
    const ranges = [{ address: FLASH, length: 4096, use: 'digest' }] as const;
    const plan = smallPlan({ kind: 'verify', sectors: [], ranges, bootAddress: undefined });
    const text = sheetOf(plan).replace(/\s+/g, ' ');
    assert.match(text, /answered with “equal” or “not equal”, at most 256 times/);
    assert.doesNotMatch(text, /never the content/);
  });

  it('promises nothing to be done for info', () => {
    const text = sheetOf(quietPlan('info'));
    assert.doesNotMatch(text, /Erase|Program|reset/);
    assert.match(text, /changing nothing/);
  });

  const SPOOFS: readonly [string, string][] = [
    ['ANSI colours and cursor', '\u001b[2J\u001b[31mNothing is erased\u001b[0m'],
    ['C1 control introducer', 'a\u009b2Jb'],
    ['newline and carriage return', 'x\nPlan hash\n  short 0000\r overwritten'],
    ['right-to-left override', 'safe\u202egnp.exe\u202c'],
    ['bidi isolates', '\u2066a\u2067b\u2069'],
    ['zero-width and soft hyphen', 'e\u200bra\u200dse\u00ad\ufeff'],
    ['line and paragraph separator', 'a\u2028b\u2029c'],
    ['tag characters', 'a\u{e0041}\u{e0042}'],
    ['backspaces', 'Erase all\b\b\b\b\b\b\b\b\bKeep all'],
    ['a quotation that ends itself', 'x" (verified by ST) "'],
  ];
  for (const [what, label] of SPOOFS) {
    it(`is not fooled by ${what}`, () => {
      const honest = sheetOf(smallPlan({ label: 'x' })).split('\n');
      const lines = sheetOf(smallPlan({ label })).split('\n');
      assert.equal(lines.length, honest.length, 'no line more');
      for (const line of lines) assert.doesNotMatch(line, /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
      const quoted = lines.filter((line) => line.includes('"'));
      assert.equal(quoted.length, 1);
      assert.match(quoted[0]!, /^ +"[^"]*"$/, 'the label stands alone on its line');
      // Job id and hash differ with the label's bytes; every other line is what it is without the spoof.
      const unlike = lines.filter((line, at) => line !== honest[at] && !/^ +("|short|full|[0-9a-f]{64})/.test(line));
      assert.deepEqual(unlike, []);
    });
  }

  it('holds the width whatever label and probe say', () => {
    const wide = (text: string): number => Math.max(...text.split('\n').map((line) => [...line].length));
    assert.equal(
      wide(sheetOf(smallPlan({ label: 'W'.repeat(64) }), { serial: '\u001b'.repeat(10) + 'S'.repeat(500) })) <=
        SHEET_WIDTH,
      true,
    );
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 64 }), (label) => {
        const cut = quotable(label, 64);
        assert.doesNotMatch(cut, /[\p{C}\p{Zl}\p{Zp}"]/u);
        assert.equal([...cut].length <= 64, true);
      }),
    );
  });

  it('does not let combining marks pile up', () => {
    assert.equal(quotable(`a${'\u0301'.repeat(30)}b`), 'a\u0301\u0301b');
  });

  it('wraps between words and keeps the indent', () => {
    assert.deepEqual(wrapText('  one two three', 9, '    '), ['  one two', '    three']);
  });
});

describe('--yes', () => {
  const plan = smallPlan();
  const hash = planHash(encodePlan(plan));
  const digits = Buffer.from(hash).toString('hex');

  const vendor = Uint8Array.from({ length: 32 }, (_, at) => 0xf0 - at);
  const fingerprint = 'f0ef eeed eceb eae9 e8e7';
  const asked = { plan, planHash: hash, vendor };
  const covers = (yes: string, who = fingerprint): boolean => coversPlan(parsePriorConsent(yes, who)!, asked);

  it('covers the plan with that hash of that vendor, to their last digits', () => {
    assert.equal(covers(digits.toUpperCase(), fingerprint.replaceAll(' ', '')), true);
    assert.equal(covers(`${digits.slice(0, 127)}${digits[127] === '0' ? '1' : '0'}`), false);
    assert.equal(covers(digits, fingerprint.replace(/7$/, '8')), false, 'the same plan, sent by somebody else');
  });

  it('refuses what is too short, too long or no hash, and one of the two alone', () => {
    for (const text of ['', 'yes', digits.slice(0, 16), digits.slice(0, 127), `${digits}0`, `0x${digits}`]) {
      assert.throws(() => parsePriorConsent(text, fingerprint), { code: 'BF-USAGE' });
    }
    for (const text of ['', fingerprint.slice(1), `${fingerprint}0`, `${fingerprint.slice(1)}x`]) {
      assert.throws(() => parsePriorConsent(digits, text), { code: 'BF-USAGE' });
    }
    assert.throws(() => parsePriorConsent(digits, undefined), { code: 'BF-USAGE' });
    assert.throws(() => parsePriorConsent(undefined, fingerprint), { code: 'BF-USAGE' });
    assert.equal(parsePriorConsent(undefined, undefined), undefined);
  });

  it('never covers a lock that cannot be undone', () => {
    const lasting = { ...plan, lock: 'level 2' as Plan['lock'] };
    assert.equal(coversPlan(parsePriorConsent(digits, fingerprint)!, { ...asked, plan: lasting }), false);
  });
});
