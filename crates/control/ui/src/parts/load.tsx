// Data that comes over the network: loading, failed, there. It does not know what the data is.

import type { ComponentChildren } from "preact";
import { useCallback, useEffect, useState } from "preact/hooks";
import { Failed, get } from "../api/client";

export interface Loaded<T> { data: T | null; error: Failed | null; loading: boolean; reload: () => Promise<void>; set: (data: T) => void }

export function useLoad<T>(url: string | null): Loaded<T> {
  const [state, setState] = useState<{ url: string | null; data: T | null; error: Failed | null }>({ url: null, data: null, error: null });
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    if (!url) return;
    const abort = new AbortController();
    get<T>(url, abort.signal).then(
      (data) => setState({ url, data, error: null }),
      (why: unknown) => { if (why instanceof Failed) setState((was) => ({ url, data: was.url === url ? was.data : null, error: why })); },
    );
    return () => abort.abort();
  }, [url, turn]);
  const reload = useCallback(async () => setTurn((n) => n + 1), []);
  const set = useCallback((data: T) => setState({ url, data, error: null }), [url]);
  const now = state.url === url ? state : { data: null, error: null };
  return { data: now.data, error: now.error, loading: now.data === null && now.error === null, reload, set };
}

/** What to do about a failure. */
export function advice(error: Failed): string {
  if (error.status === 0) return "Check that the gate runs and that this machine reaches it, then try again.";
  if (error.status === 403) return "Ask whoever keeps the policies to permit it to one of your groups.";
  if (error.status === 404) return "It may be older than what is kept, or the address was copied in part.";
  if (error.status >= 500) return "Nothing was changed. The health page and the gate's log say more.";
  return "";
}

export function Problem({ error, retry }: { error: Failed; retry?: (() => void) | undefined }) {
  return (
    <div class="state state-error" role="alert">
      <h2>That did not work</h2>
      <p>{error.message}</p>
      {advice(error) && <p class="dim">{advice(error)}</p>}
      {retry && <button type="button" class="button" onClick={retry}>Try again</button>}
    </div>
  );
}

export function Empty({ title, children }: { title: string; children?: ComponentChildren }) {
  return <div class="state"><h2>{title}</h2>{children && <p class="dim">{children}</p>}</div>;
}

export function Waiting({ what = "Loading" }: { what?: string }) {
  return <div class="state dim" role="status">{what}…</div>;
}

/** Lists that are paged: pages add up until the address changes. */
export function usePaged<T, I>(url: (before: string | null) => string, key: string, items: (page: T) => I[], next: (page: T) => string | null) {
  const [state, setState] = useState<{ key: string; items: I[]; next: string | null; error: Failed | null; done: boolean }>({ key, items: [], next: null, error: null, done: false });
  const [want, setWant] = useState<{ key: string; before: string | null; turn: number }>({ key, before: null, turn: 0 });
  const before = want.key === key ? want.before : null;
  useEffect(() => {
    const abort = new AbortController();
    get<T>(url(before), abort.signal).then(
      (page) => setState((was) => ({ key, items: before && was.key === key ? [...was.items, ...items(page)] : items(page), next: next(page), error: null, done: true })),
      (why: unknown) => { if (why instanceof Failed) setState((was) => ({ key, items: was.key === key ? was.items : [], next: was.next, error: why, done: true })); },
    );
    return () => abort.abort();
  }, [key, before, want.turn]);
  const now = state.key === key ? state : { items: [] as I[], next: null, error: null, done: false };
  return {
    ...now,
    more: () => setWant({ key, before: now.next, turn: want.turn }),
    reload: () => setWant({ key, before: null, turn: want.turn + 1 }),
  };
}
