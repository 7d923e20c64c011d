// Which rows of a long list are on the screen. Pure; browsers cannot lay out more than about 17
// million pixels, so above `TALLEST` scrolling goes through the list in proportion.

export const TALLEST = 12_000_000;
const OVERSCAN = 6;

export interface Window { first: number; count: number; offset: number; height: number }

export function windowOf(scrollTop: number, viewport: number, total: number, row: number): Window {
  const full = total * row;
  const height = Math.min(full, TALLEST);
  const visible = Math.ceil(viewport / row) + 1;
  if (full <= TALLEST) {
    const first = Math.max(0, Math.min(Math.floor(scrollTop / row) - OVERSCAN, total - visible));
    return { first, count: Math.min(total - first, visible + 2 * OVERSCAN), offset: first * row, height };
  }
  const travel = Math.max(1, height - viewport);
  const top = Math.max(0, Math.min(1, scrollTop / travel)) * (full - viewport);
  const first = Math.max(0, Math.min(Math.floor(top / row), total - visible));
  // The part of a row above the edge, so that the last row ends exactly at the end.
  const offset = scrollTop - (top - first * row);
  return { first, count: Math.min(total - first, visible), offset: Math.max(0, offset), height };
}

/** Where to scroll so that row `index` is seen; `null` where it is already. */
export function reveal(index: number, scrollTop: number, viewport: number, total: number, row: number): number | null {
  const full = total * row;
  const travel = Math.max(1, Math.min(full, TALLEST) - viewport);
  const scale = full <= TALLEST ? 1 : (full - viewport) / travel;
  const top = scrollTop * scale;
  const wanted = index * row < top ? index * row : (index + 1) * row > top + viewport ? (index + 1) * row - viewport : null;
  return wanted === null ? null : wanted / scale;
}
