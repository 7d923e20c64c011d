// Where the reader is. Links of this origin change the page without loading it anew, but for the
// replay of a terminal: that page alone may run WebAssembly, so it is loaded under its own policy.

import { computed, signal } from "@preact/signals";

export const place = signal({ path: location.pathname, search: location.search, hash: location.hash });
export const path = computed(() => place.value.path);

const read = () => { place.value = { path: location.pathname, search: location.search, hash: location.hash }; };
window.addEventListener("popstate", read);
window.addEventListener("hashchange", read);

const REPLAY = /^\/sessions\/[^/]+\/replay$/;
export const needsLoading = (to: string, from: string): boolean => REPLAY.test(to) !== REPLAY.test(from);

export function go(to: string, replace = false): void {
  const url = new URL(to, location.href);
  if (url.origin !== location.origin) return;
  if (needsLoading(url.pathname, location.pathname)) { location.assign(url); return; }
  const samePage = url.pathname === location.pathname;
  history[replace ? "replaceState" : "pushState"](null, "", url);
  read();
  if (!samePage) window.scrollTo(0, 0);
}

export function follow(event: MouseEvent): void {
  if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  const link = (event.target as Element | null)?.closest("a");
  if (!link || link.target || link.hasAttribute("download")) return;
  const url = new URL(link.href);
  if (url.origin !== location.origin || /^\/(?:v1|login)\b/.test(url.pathname)) return;
  event.preventDefault();
  go(url.href);
}

/** Only a path of this origin may be returned to. */
export function safeReturn(to: string | null): string {
  if (!to?.startsWith("/") || to.startsWith("//") || /[\\\u0000-\u001f]/.test(to)) return "/asks";
  return to;
}
