// Reads a recording page by page into a story, and goes on with what a live session adds.

import { signal } from "@preact/signals";
import { Failed, at, getSized } from "../api/client";
import { Once, stream, type Liveness } from "../api/stream";
import type { Events, Recorded } from "../api/types";
import { nextLimit } from "./fold";

/** So many events are read without being asked for. */
const AHEAD = 20_000;

export class Reader {
  /** Counts what was drawn from; everything else is read when it changes. */
  readonly turn = signal(0);
  readonly error = signal<Failed | null>(null);
  readonly state = signal<Liveness | "reading" | "paused" | "complete">("reading");
  readonly events: Recorded[] = [];
  private readonly once = new Once(0);
  private readonly abort = new AbortController();
  private limit = 200;
  private allowed = AHEAD;
  private busy = false;
  private live: { close: () => void } | null = null;
  private drawn = 0;

  constructor(private readonly id: string, private readonly take: (event: Recorded) => void, private readonly keep: boolean) {}

  /** Reads on; `everything` means without a stop. */
  async read(everything = false): Promise<void> {
    if (everything) this.allowed = Infinity;
    if (this.busy || this.state.value === "complete" || this.live) return;
    this.busy = true;
    this.state.value = "reading";
    try {
      for (;;) {
        const path = `${at`/v1/sessions/${this.id}/events`}?after=${this.once.last}&limit=${this.limit}`;
        const { value, size } = await getSized<Events>(path, this.abort.signal);
        this.limit = nextLimit(this.limit, size);
        for (const event of value.events) this.accept(event);
        this.error.value = null;
        this.draw();
        if (value.next === null) {
          if (value.ended) this.state.value = "complete"; else this.follow();
          break;
        }
        if (this.once.last >= this.allowed) { this.state.value = "paused"; break; }
      }
    } catch (why) {
      if (why instanceof Failed) { this.error.value = why; this.state.value = "paused"; }
      else if (!(why instanceof DOMException)) throw why;
    } finally {
      this.busy = false;
      this.draw();
    }
  }

  more(): void {
    if (this.state.value !== "paused" || this.error.value) return;
    this.allowed = this.once.last + AHEAD;
    void this.read();
  }

  close(): void {
    this.abort.abort();
    this.live?.close();
  }

  private accept(event: Recorded): void {
    if (!this.once.takes(event.seq)) return;
    if (this.keep) this.events.push(event);
    this.take(event);
  }

  private draw(): void {
    cancelAnimationFrame(this.drawn);
    this.drawn = requestAnimationFrame(() => { this.turn.value += 1; });
  }

  private follow(): void {
    const url = `${at`/v1/sessions/${this.id}/events/live`}?after=${this.once.last}`;
    const live = stream({
      url, resumes: true,
      on: {
        recorded: (data) => { this.accept(data as Recorded); this.draw(); },
        unreadable: (why) => { live.close(); stop(); this.error.value = new Failed(500, "unreadable", String(why)); },
        ended: () => { live.close(); stop(); this.state.value = "complete"; },
      },
      poll: async () => {
        const { value } = await getSized<Events>(`${at`/v1/sessions/${this.id}/events`}?after=${this.once.last}&limit=1000`, this.abort.signal);
        for (const event of value.events) this.accept(event);
        this.draw();
        if (value.ended && value.next === null) { live.close(); stop(); this.state.value = "complete"; }
      },
    });
    const stop = live.state.subscribe((state) => { this.state.value = state; });
    this.live = { close: () => { stop(); live.close(); } };
  }
}
