// Turns the events of a recording into what the terminal player plays. Times are seconds since the
// recording began, so that a link to a moment is the same whoever plays it.

import { fromBase64 } from "../text/visible";
import type { Recorded, Text } from "../api/types";

export type Frame = [time: number, code: "o" | "i" | "r" | "m", data: string];

export class Cast {
  cols = 80;
  rows = 24;
  readonly frames: Frame[] = [];
  readonly opAt = new Map<number, number>();
  readonly marks: { t: number; op: number; label: string; decision: string }[] = [];
  duration = 0;
  private sized = false;
  private began: number | null = null;
  private readonly decoders = { output: new TextDecoder(), error: new TextDecoder(), input: new TextDecoder() };

  take({ at, event }: Recorded): void {
    const when = Date.parse(at);
    this.began ??= when;
    // Clocks can be set back; frames cannot.
    const t = Math.max(this.duration, (when - this.began) / 1000);
    this.duration = t;
    if (event.operation) this.opAt.set(event.operation.op, t);
    if (event.decision) {
      const { op, decision, policies } = event.decision;
      const label = `${decision}: operation ${op}${policies.length ? `, ${policies.join(", ")}` : ""}`;
      this.marks.push({ t, op, label, decision });
    }
    if (event.resize) {
      // Zero says that its client did not know (RFC 4254, section 6.2).
      const { columns, rows } = event.resize;
      const [c, r] = [Math.min(500, columns || 80), Math.min(200, rows || 24)];
      if (this.sized) this.frames.push([t, "r", `${c}x${r}`]);
      else { this.cols = c; this.rows = r; this.sized = true; }
    }
    if (event.terminal) {
      const { stream, data } = event.terminal;
      if (stream === "input") return;
      this.frames.push([t, "o", this.text(stream, data)]);
    }
  }

  // A character may be split between two events.
  private text(stream: "output" | "error", data: Text): string {
    const bytes = typeof data === "string" ? new TextEncoder().encode(data) : fromBase64(data.base64);
    return this.decoders[stream].decode(bytes, { stream: true });
  }
}
