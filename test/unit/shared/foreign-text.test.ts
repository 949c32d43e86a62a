// Foreign text: it turns into a string only through the cleaning function; what the compiler refuses is
// test/types/foreign-text.test.ts.
import assert from 'node:assert/strict';
import { inspect } from 'node:util';
import fc from 'fast-check';
import {
  asciiJson,
  cleanLines,
  cleanText,
  escapeBeyondAscii,
  foreignText,
  isClean,
  isForeignText,
  quotable,
  rawText,
} from '../../../shared/codec/foreign-text.ts';

const ESC = '\u001b';
const RUIN = [
  ESC,
  '\u009b',
  '\u009d',
  '\u0007',
  '\r',
  '\0',
  '\u007f',
  '\u0085',
  '\u061c',
  '\u200b',
  '\u200e',
  '\u2028',
  '\u2029',
  '\u202a',
  '\u202e',
  '\u2066',
  '\u2069',
  '\ufeff',
  '\u{e0041}',
  '\u00ad',
  '\ud800',
];
/** As bytes of the wire could hold it: any code units. */
const anything = fc.array(
  fc.oneof(
    fc.constantFrom(...RUIN),
    // Not unit 'binary', which maps all of Unicode before the first test.
    fc
      .array(
        fc.integer({ min: 0, max: 0x10ffff }).filter((point) => point < 0xd800 || point > 0xdfff),
        { maxLength: 8 },
      )
      .map((points) => String.fromCodePoint(...points)),
    fc.integer({ min: 0, max: 0xffff }).map((u) => String.fromCharCode(u)),
  ),
  { maxLength: 40 },
);

describe('foreign text', () => {
  it('is not printed by accident where the compiler does not look', () => {
    const text = foreignText(`a${ESC}[2J`) as unknown as string;
    assert.throws(() => `${text}`, TypeError);
    assert.throws(() => String(text), TypeError);
    assert.throws(() => [text].join(''), TypeError);
    assert.equal(inspect(text), 'ForeignText "a·[2J"');
    assert.equal(JSON.stringify({ text }), '{"text":"a·[2J"}');
  });

  it('is compared and sent on as it came', () => {
    assert.equal(rawText(foreignText('a\r')), 'a\r');
    assert.equal(isForeignText(foreignText('')), true);
    assert.equal(isForeignText('a'), false);
    assert.notDeepEqual(foreignText('a'), foreignText('b'));
    assert.deepEqual(foreignText('a'), foreignText('a'));
  });
});

describe('the cleaning function', () => {
  it('takes out controls, bidirectional and format characters, separators and halves, and says that it did', () => {
    for (const bad of RUIN.filter((text) => !/\s/.test(text))) assert.equal(cleanText(`a${bad}b`), 'a·b', inspect(bad));
    for (const blank of ['\r', '\n', '\t', '\u2028', '\u2029', '\u00a0', '\u3000', '  ']) {
      assert.equal(cleanText(`a${blank}b`), 'a b', inspect(blank));
    }
    assert.equal(cleanText(`${ESC}]0;title\u0007x`), '·]0;title·x');
  });

  it('leaves words of any language', () => {
    for (const text of ['Prüfstand 7', 'Плата № 4', '基板七号', 'لوحة', 'e\u0301', '❄ “x”']) {
      assert.equal(cleanText(text), text);
    }
  });

  it('bounds the length and the height', () => {
    assert.equal(cleanText('x'.repeat(5000)).length, 300);
    assert.equal(cleanText('x'.repeat(5000), 10), `${'x'.repeat(9)}…`);
    assert.equal(cleanText('𝄞'.repeat(20), 10), `${'𝄞'.repeat(9)}…`);
    assert.equal(cleanText(`a${'\u0301'.repeat(30)}b`), 'a\u0301\u0301b');
  });

  it('keeps a quotation closed, with whatever mark somebody would end it', () => {
    assert.equal(quotable('a” b" «c'), 'a’ b’ ’c');
    for (const mark of '“”„‟‚‛‘’«»‹›"＂″‶〝〞〟❛❜❝❞❟❠') assert.equal(quotable(`a${mark}b`), 'a’b', mark);
  });

  it('knows what is clean', () => {
    assert.equal(isClean('What this proves: “x”, as the stub read it.'), true);
    for (const bad of [...RUIN, ' ', 'a  b', 'a\nb'].filter((text) => text !== 'a b')) {
      assert.equal(isClean(`a${bad}`), false, inspect(bad));
    }
  });

  it('lets nothing through, whatever the text; and once is enough', () => {
    fc.assert(
      fc.property(anything, (parts) => {
        const cleaned = cleanText(foreignText(parts.join('')));
        assert.doesNotMatch(cleaned, /[\p{C}\p{Zl}\p{Zp}]/u);
        assert.equal(cleanText(cleaned), cleaned);
        const lines = cleanLines(parts.join('\n'));
        assert.doesNotMatch(lines.replaceAll('\n', ''), /[\p{C}\p{Zl}\p{Zp}]/u);
        const json = asciiJson({ raw: parts.join(''), text: foreignText(parts.join('')) });
        assert.match(json, /^[ -~]*$/);
        const read = JSON.parse(json) as { raw: string; text: string };
        assert.deepEqual(read, { raw: cleanLines(parts.join('')), text: cleaned });
      }),
      { numRuns: 2000 },
    );
  });

  it('leaves the lines and indents of our own text', () => {
    assert.equal(cleanLines(`a\n  b “c” ─\n${ESC}[1A`), 'a\n  b “c” ─\n·[1A');
  });

  it('writes JSON that reads back the same', () => {
    const text = 'ü\n😀"\\';
    assert.equal(escapeBeyondAscii('"ü\u007f\u2028😀"'), '"\\u00fc\\u007f\\u2028\\ud83d\\ude00"');
    assert.deepEqual(JSON.parse(asciiJson({ text, list: [1, null] })), { text, list: [1, null] });
  });
});
