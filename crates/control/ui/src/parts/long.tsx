// A list of any length, of which only what is on the screen is drawn.

import type { ComponentChildren } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { reveal, windowOf } from "../data/window";

export interface LongProps {
  total: number;
  row: number;
  label: string;
  class?: string;
  selected?: number | null;
  head?: ComponentChildren;
  table?: { columns: number; width: number };
  draw: (index: number) => ComponentChildren;
  onSelect?: (index: number) => void;
  onNearEnd?: () => void;
  followEnd?: boolean;
}

export function Long({ total, row, label, class: className = "", selected = null, head, table, draw, onSelect, onNearEnd, followEnd }: LongProps) {
  const box = useRef<HTMLDivElement>(null);
  const [view, setView] = useState({ top: 0, height: 600 });
  const headHeight = head ? row : 0;
  useLayoutEffect(() => {
    const element = box.current;
    if (!element) return;
    const measure = () => setView({ top: element.scrollTop, height: Math.max(1, element.clientHeight - headHeight) });
    measure();
    const sizes = new ResizeObserver(measure);
    sizes.observe(element);
    return () => sizes.disconnect();
  }, [headHeight]);
  useEffect(() => {
    if (selected === null || !box.current) return;
    const to = reveal(selected, box.current.scrollTop, Math.max(1, box.current.clientHeight - headHeight), total, row);
    if (to !== null) box.current.scrollTop = to;
  }, [selected]);
  useEffect(() => {
    if (followEnd && box.current) box.current.scrollTop = box.current.scrollHeight;
  }, [total, followEnd]);
  const seen = windowOf(view.top, view.height, total, row);
  const near = seen.first + seen.count > total - 200;
  useEffect(() => { if (near) onNearEnd?.(); }, [near, total]);
  const id = useRef(`long-${Math.random().toString(36).slice(2)}`).current;
  const onKey = (event: KeyboardEvent) => {
    const page = Math.max(1, Math.floor(view.height / row) - 1);
    const steps: Record<string, number> = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -total, End: total };
    const step = steps[event.key];
    if (step === undefined || !onSelect || total === 0) return;
    event.preventDefault();
    onSelect(Math.max(0, Math.min(total - 1, (selected ?? (step > 0 ? -1 : 0)) + step)));
  };
  const rows = [];
  for (let i = seen.first; i < seen.first + seen.count; i++) {
    rows.push(table
      ? <div key={i} role="row" aria-rowindex={i + 2} class="long-row" style={{ height: `${row}px` }}>{draw(i)}</div>
      : <div key={i} id={`${id}-${i}`} role="option" aria-selected={i === selected} aria-setsize={total} aria-posinset={i + 1}
          class={`long-row${i === selected ? " is-on" : ""}`} style={{ height: `${row}px` }} onClick={() => onSelect?.(i)}>{draw(i)}</div>);
  }
  const roles = table
    ? { role: "table" as const, "aria-rowcount": total + 1, "aria-colcount": table.columns }
    : { role: "listbox" as const, ...(selected !== null && selected >= seen.first && selected < seen.first + seen.count ? { "aria-activedescendant": `${id}-${selected}` } : {}) };
  return (
    <div ref={box} class={`long ${className}`} tabIndex={0} aria-label={label} {...roles} onKeyDown={onKey}
      {...(table ? { style: { height: `${Math.min(440, (total + 1) * row + 18)}px` } } : {})}
      onScroll={(event) => setView({ top: event.currentTarget.scrollTop, height: Math.max(1, event.currentTarget.clientHeight - headHeight) })}>
      {head && <div role="row" class="long-head" aria-rowindex={1} style={{ height: `${row}px`, minWidth: `${table?.width ?? 0}px` }}>{head}</div>}
      <div role="presentation" class="long-space" style={{ height: `${seen.height}px`, minWidth: `${table?.width ?? 0}px` }}>
        <div role={table ? "rowgroup" : "presentation"} class="long-rows" style={{ transform: `translateY(${seen.offset}px)` }}>{rows}</div>
      </div>
    </div>
  );
}
