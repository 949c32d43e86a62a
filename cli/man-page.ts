// The manual page, blindflash(1), in roff's man macros (man 7 man), from the declarations of the commands. The build
// writes it to dist/blindflash.1.
import { shownUsage, type CommandDeclaration, type OptionRow } from './command.ts';

const HEAD = `.TH BLINDFLASH 1
.SH NAME
blindflash \\- flash the chip on someone else's desk without showing them the firmware
.SH SYNOPSIS
.B blindflash
.I COMMAND
.RI [ OPTIONS ]
.SH DESCRIPTION
The customer has a board and an ST-LINK, the vendor the firmware, and a relay lets the two meet. What reaches relay,
laptop, USB and SWD is authenticated ciphertext, decrypted on the chip.
.P
Of every command:
.BR \\-\\-help ,
.BR \\-\\-json ,
.BR \\-\\-log\\-level ,
.BR \\-\\-version .`;

const TAIL = `.SH EXIT STATUS
0 done, 2 the command line, 130 interrupted; every other number is that of a part named in docs/errors.md.
.SH ENVIRONMENT
.BR BLINDFLASH_HOME ,
.BR BLINDFLASH_RELAY ,
.BR BLINDFLASH_CA ,
.BR HTTPS_PROXY ,
.BR HTTP_PROXY ,
.BR ALL_PROXY ,
.BR NO_PROXY .
.SH FILES
.I ~/.blindflash
the vendor's keys, jobs, receipts and devices; the customer's interrupted jobs.
.SH SEE ALSO
The folder docs/ of the package.`;

/** The page. */
export function manPage(commands: readonly CommandDeclaration[]): string {
  const sections = commands.flatMap((declaration) =>
    declaration.subcommands.length === 0
      ? [section(declaration, '')]
      : declaration.subcommands.map((below) => section(below, `${declaration.name} `)),
  );
  return [HEAD, '.SH COMMANDS', ...sections, TAIL, ''].join('\n');
}

function section(declaration: CommandDeclaration, before: string): string {
  const { summary, who, options, examples } = declaration;
  return [
    `.SS "${roff(`${before}${shownUsage(declaration)}`)}"`,
    roff(`For ${who === 'anyone' ? 'anyone' : `the ${who}`}: ${summary}.`),
    ...Object.entries(options).map(optionPart),
    ...examples.map(([line, does]) => `.P\n.B "${roff(line.replace('$0', 'blindflash'))}"\n.br\n${roff(`${does}.`)}`),
  ].join('\n');
}

function optionPart([name, row]: [string, OptionRow]): string {
  return `.TP\n.B "${roff(`--${name}${valueOf(row)}`)}"\n${roff(`${row.describe}.`)}`;
}

function valueOf(row: OptionRow): string {
  if ('choices' in row) return ` ${row.choices.join('|')}`;
  if (row.type === 'boolean') return '';
  return ` ${row.type === 'number' ? (row.unit ?? 'number') : 'text'}`;
}

/**
 * Text of ours as roff takes it literally: backslashes, hyphens, quotes, what is not ASCII, and points or apostrophes
 * that begin a line.
 */
function roff(text: string): string {
  const escaped = text.replaceAll('\\', '\\e').replaceAll('-', '\\-').replaceAll('"', '\\(dq');
  const ascii = escaped.replaceAll(
    /[^ -~]/gu,
    (sign) => `\\[u${sign.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0')}]`,
  );
  return ascii.replace(/^[.']/, '\\&$&');
}
