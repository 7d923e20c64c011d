import { expect, test } from "vitest";
import { Cast } from "./cast";
import { Result, Story, nextLimit } from "./fold";
import { SESSION_FILTERS, ask, parse, parseHash, print } from "./query";
import { TALLEST, reveal, windowOf } from "./window";

test("a short list is drawn whole", () => {
  expect(windowOf(0, 500, 10, 20)).toMatchObject({ first: 0, count: 10, height: 200 });
});

test("the end of a million rows is reached at the end of the scroll bar, exactly", () => {
  const [total, row, viewport] = [1_000_000, 28, 600];
  const end = windowOf(TALLEST - viewport, viewport, total, row);
  expect(end.height).toBe(TALLEST);
  expect(end.first + end.count).toBe(total);
  expect(end.offset + end.count * row).toBeCloseTo(TALLEST, 0);
  expect(end.count).toBeLessThan(40);
});

test("every row of a long list can be revealed", () => {
  const [total, row, viewport] = [1_000_000, 28, 600];
  for (const index of [0, 1, 499_999, 999_998, 999_999]) {
    const top = reveal(index, index > 10 ? 0 : TALLEST / 2, viewport, total, row);
    const seen = windowOf(top ?? 0, viewport, total, row);
    expect(seen.first).toBeLessThanOrEqual(index);
    expect(seen.first + seen.count).toBeGreaterThan(index);
  }
});

test("a row that is seen needs no scrolling", () => {
  expect(reveal(3, 0, 500, 100, 20)).toBeNull();
});

test("filters survive the way through an address", () => {
  const filters = { q: "a & b=c %20", target: "orders-db", decision: "deny" };
  expect(parse(print(filters, SESSION_FILTERS), SESSION_FILTERS)).toEqual(filters);
});

test("what is no filter is dropped", () => {
  expect(parse("?evil=1&q=%20&state=live", SESSION_FILTERS)).toEqual({ state: "live" });
});

test("times go to the control plane in UTC, and no time is no filter", () => {
  expect(ask({ from: "2026-11-23T10:00:00Z", to: "soon" }, SESSION_FILTERS, "p2")).toBe(
    "?from=2026-11-23T10%3A00%3A00.000Z&before=p2&limit=50");
});

test.each([["#t=12.5", 12.5, null], ["#op=7", null, 7], ["#t=-1&op=x", null, null], ["", null, null]])(
  "%s names a moment", (hash, t, op) => { expect(parseHash(hash)).toMatchObject({ t, op }); });

const recorded = (seq: number, event: object, at = "2026-11-23T10:00:00.000000Z") => ({ seq, at, event });

test("events fold into operations with results of several chunks", () => {
  const story = new Story();
  [
    { operation: { op: 1, kind: "Query", statement: "select", parameters: 0, effects: [] } },
    { decision: { op: 1, decision: "allow", policies: ["p"], reason: "", revision: "r" } },
    { columns: { op: 1, columns: [{ name: "a", kind: "int4" }] } },
    { rows: { op: 1, rows: [["1"], ["2"]] } },
    { rows: { op: 1, rows: [[null]] } },
    { columns: { op: 1, columns: [{ name: "b", kind: "text" }] } },
    { outcome: { op: 1, status: "completed", message: "SELECT 3", rows: 3, bytes: 9, micros: 5, masked: { email: 2 } } },
    { gap: { events: 4, reason: "full" } },
  ].forEach((event, i) => story.take(recorded(i + 1, event)));
  const step = story.step(1);
  expect(step?.results.map((result) => result.total)).toEqual([3, 0]);
  expect([0, 1, 2, 3].map((i) => step?.results[0]?.row(i)?.[0])).toEqual(["1", "2", null, undefined]);
  expect(step?.outcome?.masked).toEqual({ email: 2 });
  expect(story.notes[0]?.text).toContain("4 events are missing");
});

test("events of operations that are unknown are no harm", () => {
  const story = new Story();
  story.take(recorded(1, { rows: { op: 9, rows: [["x"]] } }));
  expect(story.steps).toEqual([]);
});

test("rows are found in many chunks", () => {
  const result = new Result([]);
  for (let i = 0; i < 1000; i++) result.push([[`${2 * i}`], [`${2 * i + 1}`]]);
  for (const i of [0, 1, 999, 1000, 1999]) expect(result.row(i)).toEqual([`${i}`]);
});

test("big answers make the next question smaller", () => {
  expect(nextLimit(1000, 30_000_000)).toBe(67);
  expect(nextLimit(500, 1000)).toBe(1000);
  expect(nextLimit(12, 1e9)).toBe(10);
});

test("a terminal whose client did not know its size has the usual one", () => {
  const cast = new Cast();
  cast.take(recorded(1, { resize: { op: 1, columns: 0, rows: 0 } }));
  expect([cast.cols, cast.rows]).toEqual([80, 24]);
});

test("a terminal's characters survive being split, and typing is not played", () => {
  const cast = new Cast();
  const at = "2026-11-23T10:00:01.500000Z";
  cast.take(recorded(1, { resize: { op: 1, columns: 100, rows: 30 } }));
  cast.take(recorded(2, { terminal: { op: 1, stream: "output", data: { base64: btoa("\xc3") } } }, at));
  cast.take(recorded(3, { terminal: { op: 1, stream: "input", data: "secret" } }, at));
  cast.take(recorded(4, { terminal: { op: 1, stream: "output", data: { base64: btoa("\xa9") } } }, at));
  expect([cast.cols, cast.rows]).toEqual([100, 30]);
  expect(cast.frames).toEqual([[1.5, "o", ""], [1.5, "o", "é"]]);
});
