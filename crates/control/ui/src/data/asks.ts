// The asks that this human may see, kept up to date by a stream, or by polling where it fails.

import { computed, signal } from "@preact/signals";
import { Failed, get } from "../api/client";
import { stream, type Liveness } from "../api/stream";
import type { Ask, Asks } from "../api/types";

export const asks = signal<Ask[] | null>(null);
export const asksError = signal<Failed | null>(null);
export const asksState = signal<Liveness>("connecting");
/** What screen readers are told. */
export const news = signal("");
export const pending = computed(() => asks.value?.filter((ask) => ask.state === "pending").length ?? 0);

export function put(ask: Ask): void {
  const known = asks.value ?? [];
  const found = known.findIndex((one) => one.id === ask.id);
  if (found < 0 && ask.state === "pending") news.value = `New ask from ${ask.requester.email ?? ask.requester.subject} for ${ask.target}`;
  const next = found < 0 ? [ask, ...known] : known.map((one, i) => (i === found ? ask : one));
  asks.value = next.sort((a, b) => b.asked - a.asked);
}

export async function reloadAsks(): Promise<void> {
  try {
    const told = await get<Asks>("/v1/asks");
    const known = new Set(asks.value?.map((ask) => ask.id));
    const fresh = asks.value ? told.asks.filter((ask) => ask.state === "pending" && !known.has(ask.id)).length : 0;
    if (fresh > 0) news.value = `${fresh} new ${fresh === 1 ? "ask" : "asks"}`;
    asks.value = told.asks;
    asksError.value = null;
  } catch (why) {
    if (!(why instanceof Failed)) throw why;
    asksError.value = why;
  }
}

export function watchAsks(): () => void {
  void reloadAsks();
  const live = stream({
    url: "/v1/asks/live",
    on: { ask: (data) => put(data as Ask) },
    poll: reloadAsks,
    caughtUp: () => void reloadAsks(),
  });
  const stop = live.state.subscribe((state) => { asksState.value = state; });
  return () => { stop(); live.close(); };
}
