// The keyboard: what a key means on this page. Pages say their own keys; fields keep theirs.

import { useEffect, useRef } from "preact/hooks";
import { signal } from "@preact/signals";
import { go } from "./router";

export interface Key { keys: string; does: string; run: () => void }

export const helpOpen = signal(false);
export const shown = signal<readonly Key[]>([]);

const GO: Record<string, string> = { a: "/asks", l: "/live", s: "/sessions", o: "/operations", p: "/policies", t: "/targets", u: "/audit", h: "/health" };
let waiting = 0;

const inField = (target: EventTarget | null) =>
  target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));

export function listen(): void {
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    if (inField(event.target)) {
      if (event.key === "Escape") (event.target as HTMLElement).blur();
      return;
    }
    if (event.key === "?") { helpOpen.value = true; event.preventDefault(); return; }
    if (event.key === "g") { waiting = event.timeStamp; return; }
    const to = GO[event.key];
    if (to && waiting && event.timeStamp - waiting < 1_500) { waiting = 0; event.preventDefault(); go(to); return; }
    waiting = 0;
    // Enter on a link or a button is theirs.
    if (event.key === "Enter" && event.target instanceof Element && event.target.closest("a, button, summary")) return;
    const key = shown.value.find((one) => one.keys.split(" ").includes(event.key));
    if (key) { event.preventDefault(); key.run(); }
  });
}

export function useKeys(keys: Key[]): void {
  const latest = useRef(keys);
  latest.current = keys;
  const names = keys.map((key) => `${key.keys}:${key.does}`).join("|");
  useEffect(() => {
    const own = latest.current.map((key, i) => ({ ...key, run: () => latest.current[i]?.run() }));
    shown.value = [...shown.value, ...own];
    return () => { shown.value = shown.value.filter((key) => !own.includes(key)); };
  }, [names]);
}
