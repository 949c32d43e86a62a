// No reference dangles: every page a comment or document names is in the tree, every numbered section and every quoted
// heading it cites is on that page, and no words point at papers that are not here.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';

const ROOT = new URL('../../', import.meta.url).pathname;
const SELF = 'test/repo/references.test.ts';

/** Files whose text is looked at: sources and documents, nothing generated elsewhere. */
const TEXT = /\.(ts|mts|mjs|cjs|c|h|S|ld|mk|py|sh|md|yml)$|(^|\/)(Makefile|Dockerfile|run)$/;
const SKIPPED = /^(package-lock\.json|test\/vectors\/(?!README))|\/prebuilt\//;

/** Words that stood for papers outside the tree. */
const PAPERS = [
  /\bst-?link sheet\b/i,
  /\b(f427|stm32f427) (sheet|reference)\b/i,
  /\b(sheets?|reference) §/i,
  /\b(product|protocol|design) page\b/i,
  /\b(fact|reference) sheets?\b/i,
  /\bthe brief\b/i,
];

/** A page of ours, or a document of somebody else's, in front of a §. */
const SOURCE = new RegExp(
  [
    '(?<page>[\\w./-]*\\w\\.md)\\b',
    '(?<foreign>\\b(?:RM|PM|ES|DS|AN|DDI|IHI|DUI)[0-9]{4}[A-Z]?\\b|\\bRFC ?[0-9]+|\\bFIPS [0-9-]+|\\bADIv5|\\bTRM\\b|' +
      'Noise|Bernstein|Armv7-M|ARMv7-M|datasheet|data sheet|NaCl|W3C|WHATWG|Web Cryptography API|WebCrypto)',
    '§ ?(?<first>[0-9]+(?:\\.[0-9]+)*)(?:(?:[-–]| to )§?(?<last>[0-9]+(?:\\.[0-9]+)*))?',
  ].join('|'),
  'g',
);
const ARROW = ' … ';

interface Section {
  readonly file: string;
  readonly page: string;
  readonly number: string;
}

function tracked(): string[] {
  const names = execFileSync('git', ['ls-files'], { cwd: ROOT, encoding: 'utf8' }).trim().split('\n');
  return names.filter(
    (name) => TEXT.test(name) && !SKIPPED.test(name) && name !== SELF && existsSync(join(ROOT, name)),
  );
}

const read = (name: string): string => readFileSync(join(ROOT, name), 'utf8');

/** The page a name means, seen from a file: from the root, from the file's folder, or from docs/. */
function resolvePage(page: string, file: string): string | undefined {
  const beside = normalize(join(dirname(file), page));
  return [page, beside, join('docs', page)].find((name) => !name.startsWith('..') && existsSync(join(ROOT, name)));
}

/** Comments and documents as paragraphs: comment marks and line ends are gone, code ends a paragraph. */
function paragraphs(file: string): string[] {
  const text = read(file);
  if (file.endsWith('.md')) return text.split(/\n\s*\n/).map((each) => each.replace(/\s+/g, ' '));
  return text
    .split('\n')
    .map((line) => {
      const comment = /^\s*(?:\/\/|\/\*+|\*|#)\s?(.*?)(?:\*\/)?\s*$/.exec(line);
      return comment ? comment[1]! : `\n${line}\n`;
    })
    .join(' ')
    .split(/\n+/)
    .map((each) => each.trim())
    .filter((each) => each !== '');
}

/**
 * Every section a file cites. A § without a source means the paragraph's last one, else the file's own or first page.
 */
function cited(file: string): { sections: Section[]; pages: string[] } {
  const sections: Section[] = [];
  const pages: string[] = [];
  const own = file.endsWith('.md') ? file : undefined;
  let first = own;
  for (const paragraph of paragraphs(file)) {
    let source: string | undefined = first;
    let end = 0;
    for (const match of paragraph.matchAll(SOURCE)) {
      const { page, foreign, first: from, last } = match.groups!;
      if (own && /\.\s|\|/.test(paragraph.slice(end, match.index)) && from) source = own;
      end = match.index + match[0].length;
      if (page) {
        pages.push(page);
        source = resolvePage(page, file) ?? page;
        first ??= source;
      } else if (foreign) {
        source = ARROW;
      } else if (source !== ARROW) {
        for (const number of last ? [from!, last] : [from!]) sections.push({ file, page: source ?? '', number });
      }
    }
  }
  return { sections, pages };
}

/** Numbers of a page's headings: `## 4. Handshake`, `### 2.4 Memory transfers`. */
function numbers(page: string): Set<string> {
  return new Set([...read(page).matchAll(/^#+ (\d+(?:\.\d+)*)\.? /gm)].map((match) => match[1]!));
}

/** `docs/x.md "Heading"` and `docs/x.md, "One", "Two"`: page and quoted words. */
function quoted(file: string): { page: string; words: string }[] {
  const found: { page: string; words: string }[] = [];
  for (const paragraph of paragraphs(file)) {
    for (const match of paragraph.matchAll(/([\w./-]*\w\.md)`?((?:[,;]? (?:and )?"[^"]{2,60}")+)/g)) {
      for (const [, words] of match[2]!.matchAll(/"([^"]+)"/g)) found.push({ page: match[1]!, words: words! });
    }
  }
  return found;
}

/** Links of a document that stay in the tree. */
function links(file: string): string[] {
  const targets = [...read(file).matchAll(/\]\(([^)\s#]+)(?:#[^)]*)?\)/g)].map((match) => match[1]!);
  return targets.filter((target) => !/^[a-z]+:/.test(target) && !existsSync(join(ROOT, dirname(file), target)));
}

describe('references', () => {
  const files = tracked();

  it('every page that is named exists', () => {
    const lost = files.flatMap((file) =>
      cited(file)
        .pages.filter((page) => resolvePage(page, file) === undefined)
        .map((page) => `${file}: ${page}`),
    );
    assert.deepEqual(lost, []);
  });

  it('every numbered section that is cited is a heading of its page', () => {
    const known = new Map<string, Set<string>>();
    const lost = files
      .flatMap((file) => cited(file).sections)
      .filter(({ page, number }) => {
        if (!existsSync(join(ROOT, page)) || page === '') return true;
        if (!known.has(page)) known.set(page, numbers(page));
        return !known.get(page)!.has(number);
      })
      .map(({ file, page, number }) => `${file}: ${page || 'no page'} §${number}`);
    assert.deepEqual(lost, []);
  });

  it('every quoted heading is on its page', () => {
    const lost = files.flatMap((file) =>
      quoted(file)
        .filter(({ page, words }) => {
          const found = resolvePage(page, file);
          const text = found && read(found).replace(/\s+/g, ' ').toLowerCase();
          return !text?.includes(words.toLowerCase());
        })
        .map(({ page, words }) => `${file}: ${page} "${words}"`),
    );
    assert.deepEqual(lost, []);
  });

  it('every link of a document leads somewhere', () => {
    const documents = files.filter((file) => file.endsWith('.md'));
    assert.deepEqual(
      documents.flatMap((file) => links(file).map((target) => `${file}: ${target}`)),
      [],
    );
  });

  it('no words point at papers outside the tree', () => {
    const found = files.flatMap((file) =>
      PAPERS.flatMap((paper) => (paper.test(read(file)) ? [`${file}: ${String(paper)}`] : [])),
    );
    assert.deepEqual(found, []);
  });
});
