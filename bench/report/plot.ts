// Time against round trip and against size as one SVG, drawn by hand: two panels, the floor below each line.
import type { MeasuredJob } from '../job/measure.ts';

interface Point {
  readonly x: number;
  readonly y: number;
  readonly floor: number;
}

const PANEL = { width: 420, height: 300, left: 60, top: 40, gap: 80 } as const;

/** @param results rows of the plot; those of one round trip go right, those of one size left. */
export function plotSvg(results: readonly MeasuredJob[]): string {
  const point =
    (x: (result: MeasuredJob) => number) =>
    (result: MeasuredJob): Point => ({
      x: x(result),
      y: result.total / 1000,
      floor: result.floor.total / 1000,
    });
  const byRtt = results.filter(({ spec }) => spec.kiB === 256).map(point(({ spec }) => spec.network.rttMs));
  const bySize = results.filter(({ spec }) => spec.network.rttMs === 150).map(point(({ spec }) => spec.kiB));
  const width = 2 * (PANEL.width + PANEL.left) + PANEL.gap;
  const body = [
    panel(PANEL.left, byRtt, 'round trip, ms (256 KB)'),
    panel(PANEL.left + PANEL.width + PANEL.gap, bySize, 'image, KB (150 ms)'),
  ];
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${PANEL.height + 110}" font-family="sans-serif" font-size="12">
<rect width="100%" height="100%" fill="white"/>
<text x="${PANEL.left}" y="20">Yes to receipt, s (solid) and the flash's own time (dashed)</text>
${body.join('\n')}
</svg>
`;
}

function panel(left: number, unsorted: readonly Point[], title: string): string {
  const points = [...unsorted].sort((a, b) => a.x - b.x);
  const [mostX, mostY] = [Math.max(1, ...points.map(({ x }) => x)), Math.max(1, ...points.map(({ y }) => y))];
  const bottom = PANEL.top + PANEL.height;
  const atX = (x: number): number => Math.round(left + (PANEL.width * x) / mostX);
  const atY = (y: number): number => Math.round(bottom - (PANEL.height * y) / mostY);
  const path = (of: (point: Point) => number): string => points.map((one) => `${atX(one.x)},${atY(of(one))}`).join(' ');
  const marks = points.map(
    ({ x, y }) =>
      `<circle cx="${atX(x)}" cy="${atY(y)}" r="3"/><text x="${atX(x)}" y="${atY(y) - 8}" text-anchor="middle">${y.toFixed(2)}</text>` +
      `<text x="${atX(x)}" y="${bottom + 16}" text-anchor="middle">${x}</text>`,
  );
  return `<g><path d="M${left},${PANEL.top}V${bottom}H${left + PANEL.width}" fill="none" stroke="black"/>
<polyline points="${path(({ y }) => y)}" fill="none" stroke="black"/>
<polyline points="${path(({ floor }) => floor)}" fill="none" stroke="gray" stroke-dasharray="4 3"/>
${marks.join('\n')}
<text x="${left + PANEL.width / 2}" y="${bottom + 40}" text-anchor="middle">${title}</text></g>`;
}
