import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Once, pause, resumeUrl, stream, type Source } from "./stream";

beforeEach(() => { vi.useFakeTimers(); });
afterEach(() => { vi.useRealTimers(); });

class Fake implements Source {
  static all: Fake[] = [];
  readyState = 0;
  onopen: ((event: Event) => void) | null = null;
  onerror: ((event: Event) => void) | null = null;
  handlers = new Map<string, (event: MessageEvent<string>) => void>();
  constructor(readonly url: string) { Fake.all.push(this); }
  addEventListener(name: string, handler: (event: MessageEvent<string>) => void): void { this.handlers.set(name, handler); }
  close(): void { this.readyState = 2; }
  say(id: string, data: unknown): void {
    this.handlers.get("recorded")?.({ data: JSON.stringify(data), lastEventId: id } as MessageEvent<string>);
  }
}

function start(poll = vi.fn(async () => {})) {
  Fake.all = [];
  const seen: string[] = [];
  const live = stream({
    url: "/e?after=3", resumes: true, poll, on: { recorded: (_, id) => seen.push(id) }, open: (url) => new Fake(url),
  });
  return { live, poll, seen };
}

test("a stream that breaks goes on after what it told last", () => {
  const { live, seen } = start();
  Fake.all[0]?.onopen?.(new Event("open"));
  Fake.all[0]?.say("7", {});
  Fake.all[0]?.onerror?.(new Event("error"));
  vi.advanceTimersByTime(1_000);
  expect(Fake.all[1]?.url).toBe("/e?after=7");
  expect(seen).toEqual(["7"]);
  live.close();
});

test("polling begins when streams keep failing, and ends when one opens", () => {
  const { live, poll } = start();
  Fake.all[0]?.onerror?.(new Event("error"));
  expect(poll).not.toHaveBeenCalled();
  vi.advanceTimersByTime(1_000);
  Fake.all[1]?.onerror?.(new Event("error"));
  expect(live.state.value).toBe("polling");
  expect(poll).toHaveBeenCalledTimes(1);
  vi.advanceTimersByTime(2_000);
  Fake.all[2]?.onopen?.(new Event("open"));
  expect(live.state.value).toBe("live");
  vi.advanceTimersByTime(60_000);
  expect(poll).toHaveBeenCalledTimes(1);
  live.close();
});

test("a closed stream does not come back", () => {
  const { live } = start();
  live.close();
  Fake.all[0]?.onerror?.(new Event("error"));
  vi.advanceTimersByTime(60_000);
  expect(Fake.all).toHaveLength(1);
});

test("pauses grow and are bounded", () => {
  expect([1, 2, 3, 20].map(pause)).toEqual([1_000, 2_000, 4_000, 30_000]);
});

test("an address keeps its other parameters", () => {
  expect(resumeUrl("/e?x=1", "9")).toBe("/e?x=1&after=9");
  expect(resumeUrl("/e", null)).toBe("/e");
});

test("an event that comes twice passes once", () => {
  const once = new Once(4);
  expect([3, 4, 5, 5, 6].map((seq) => once.takes(seq))).toEqual([false, false, true, false, true]);
});
