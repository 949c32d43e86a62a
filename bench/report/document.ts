// The bench's tables in docs/performance.md: each stands between two comments with its name and is replaced as a whole.

/** `text` with the table of this name replaced. @throws Error when there is no place for it */
export function withTable(text: string, name: string, table: string): string {
  const [begin, end] = [`<!-- bench: ${name} -->`, '<!-- end -->'];
  const start = text.indexOf(begin);
  const stop = text.indexOf(end, start);
  if (start < 0 || stop < 0) throw new Error(`there is no place for the table ${name}`);
  return `${text.slice(0, start + begin.length)}\n\n${table}\n\n${text.slice(stop)}`;
}
