// Server-sent events that survive what networks do: reconnects with the last id, and polls while
// streams fail. It does not know what the events mean.

import { signal, type ReadonlySignal } from "@preact/signals";

export type Liveness = "connecting" | "live" | "polling";

const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 30_000;
/** So many failures in a row, and polling begins. */
const PATIENCE = 2;

/** How long to wait after so many failures in a row. */
export function pause(failures: number): number {
  return Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.max(0, failures - 1));
}

/** Where to go on: a new connection does not carry `Last-Event-ID`, so the address says it. */
export function resumeUrl(url: string, last: string | null): string {
  if (last === null) return url;
  const [path = "", query = ""] = url.split("?");
  const params = new URLSearchParams(query);
  params.set("after", last);
  return `${path}?${params}`;
}

/** Lets each numbered event pass once, in order. */
export class Once {
  constructor(public last: number) {}
  takes(seq: number): boolean {
    if (seq <= this.last) return false;
    this.last = seq;
    return true;
  }
}

export interface Source {
  addEventListener(name: string, handler: (event: MessageEvent<string>) => void): void;
  close(): void;
  readonly readyState: number;
  onopen: ((event: Event) => void) | null;
  onerror: ((event: Event) => void) | null;
}

export interface Options {
  url: string;
  on: Record<string, (data: unknown, id: string) => void>;
  /** Fetches what the stream would have told. */
  poll: () => Promise<void>;
  /** Called whenever a stream begins, so that nothing between two of them is missed. */
  caughtUp?: () => void;
  resumes?: boolean;
  pollMs?: number;
  open?: (url: string) => Source;
}

export function stream(options: Options): { state: ReadonlySignal<Liveness>; close: () => void } {
  const state = signal<Liveness>("connecting");
  const open = options.open ?? ((url: string): Source => new EventSource(url));
  const pollMs = options.pollMs ?? 5_000;
  let source: Source | null = null;
  let failures = 0;
  let last: string | null = null;
  let retry: ReturnType<typeof setTimeout> | undefined;
  let polling: ReturnType<typeof setInterval> | undefined;
  let closed = false;

  const poll = () => void options.poll().catch(() => { /* the next one may fare better */ });
  const stopPolling = () => { clearInterval(polling); polling = undefined; };

  function connect(): void {
    source = open(options.resumes ? resumeUrl(options.url, last) : options.url);
    source.onopen = () => {
      failures = 0;
      state.value = "live";
      stopPolling();
      options.caughtUp?.();
    };
    source.onerror = () => {
      source?.close();
      if (closed) return;
      failures += 1;
      if (failures >= PATIENCE) {
        state.value = "polling";
        if (polling === undefined) { poll(); polling = setInterval(poll, pollMs); }
      } else {
        state.value = "connecting";
      }
      retry = setTimeout(connect, pause(failures));
    };
    // Whoever fell behind looks anew at what there is.
    source.addEventListener("behind", () => options.caughtUp?.());
    for (const [name, handle] of Object.entries(options.on)) {
      source.addEventListener(name, (event) => {
        if (event.lastEventId) last = event.lastEventId;
        handle(event.data ? JSON.parse(event.data) : null, event.lastEventId);
      });
    }
  }
  connect();
  return {
    state,
    close: () => { closed = true; clearTimeout(retry); stopPolling(); source?.close(); },
  };
}
