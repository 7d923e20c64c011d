// Puts the events of a recording together into operations. Pure: it neither fetches nor draws.

import type { Column, Decision, Effect, Recorded, Status, Text } from "../api/types";

export type Row = (Text | null)[];

/** One result: rows in the chunks in which they were recorded, and where each chunk begins. */
export class Result {
  readonly chunks: Row[][] = [];
  readonly starts: number[] = [];
  total = 0;
  constructor(readonly columns: Column[]) {}

  push(rows: Row[]): void {
    if (rows.length === 0) return;
    this.chunks.push(rows);
    this.starts.push(this.total);
    this.total += rows.length;
  }

  row(index: number): Row | undefined {
    let low = 0, high = this.starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.starts[middle] ?? 0) <= index) low = middle; else high = middle - 1;
    }
    return this.chunks[low]?.[index - (this.starts[low] ?? 0)];
  }
}

export interface Step {
  op: number;
  at: number;
  kind: string;
  statement: Text;
  parameters: number;
  effects: Effect[];
  decision: { decision: Decision; policies: string[]; reason: string; revision: string } | null;
  ask: string | null;
  answer: { verdict: string; detail: string } | null;
  results: Result[];
  terminal: number;
  outcome: {
    status: Status; message: string; code: string; rows: number; bytes: number; micros: number; masked: Record<string, number>;
  } | null;
}

export interface Note { at: number; seq: number; text: string }

export class Story {
  readonly steps: Step[] = [];
  readonly notes: Note[] = [];
  events = 0;
  hasTerminal = false;
  started: number | null = null;
  closed: string | null = null;
  private readonly byOp = new Map<number, Step>();

  step(op: number): Step | undefined { return this.byOp.get(op); }

  take({ seq, at, event }: Recorded): void {
    const when = Date.parse(at);
    this.events += 1;
    this.started ??= when;
    if (event.operation) {
      const { op, kind, statement, parameters, effects } = event.operation;
      const step: Step = {
        op, at: when, kind, statement, parameters, effects, decision: null, ask: null, answer: null,
        results: [], terminal: 0, outcome: null,
      };
      this.steps.push(step);
      this.byOp.set(op, step);
    }
    const of = (part: { op: number }) => this.byOp.get(part.op);
    if (event.decision) { const step = of(event.decision); if (step) step.decision = event.decision; }
    if (event.asked) { const step = of(event.asked); if (step) step.ask = event.asked.ask; }
    if (event.answered) { const step = of(event.answered); if (step) step.answer = event.answered; }
    if (event.columns) of(event.columns)?.results.push(new Result(event.columns.columns));
    if (event.rows) this.rows(of(event.rows), event.rows.rows);
    if (event.terminal) {
      this.hasTerminal = true;
      const step = of(event.terminal);
      if (step) step.terminal += 1;
    }
    if (event.outcome) {
      const step = of(event.outcome);
      if (step) step.outcome = { ...event.outcome, code: event.outcome.code ?? "", masked: event.outcome.masked ?? {} };
    }
    if (event.gap) this.notes.push({ at: when, seq, text: `${event.gap.events} events are missing here: ${event.gap.reason}` });
    if (event.recovered) this.notes.push({ at: when, seq, text: `the gate died here and the recording was recovered; ${event.recovered.torn} bytes were not a whole event` });
    if (event.closed) this.closed = event.closed.reason;
  }

  private rows(step: Step | undefined, rows: Row[]): void {
    if (!step) return;
    let result = step.results.at(-1);
    if (!result) {
      // Rows without columns, as a protocol without names has them.
      result = new Result((rows[0] ?? []).map((_, i) => ({ name: `${i + 1}`, kind: "" })));
      step.results.push(result);
    }
    result.push(rows);
  }
}

export const EVENT_NAMES = [
  "opened", "operation", "decision", "asked", "answered", "columns", "rows", "terminal", "resize", "outcome", "gap",
  "recovered", "closed",
] as const;

export function nameOf(recorded: Recorded): string {
  return Object.keys(recorded.event)[0] ?? "event";
}

/** How many events to ask for next, so that an answer stays near two million characters. */
export function nextLimit(limit: number, size: number): number {
  const WANTED = 2_000_000, MOST = 1000, LEAST = 10;
  if (size === 0) return limit;
  return Math.max(LEAST, Math.min(MOST, Math.round(limit * Math.min(2, WANTED / size))));
}
