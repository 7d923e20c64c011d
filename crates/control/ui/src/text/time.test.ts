import { expect, test } from "vitest";
import { ago, duration, timeLeft } from "./time";

test.each([[90_000, "1:30"], [1, "0:01"], [0, "over"], [-5, "over"], [3_661_000, "1:01:01"], [59_999, "1:00"]])(
  "%d ms left read as %s", (left, text) => { expect(timeLeft(1e6 + left, 1e6)).toBe(text); });

test.each([[0, "now"], [30_000, "30 s ago"], [120_000, "2 min ago"], [7_200_000, "2 h ago"], [-100, "now"]])(
  "%d ms ago read as %s", (since, text) => { expect(ago(1e9 - since, 1e9)).toBe(text); });

test.each([[0.3, "300 µs"], [4.25, "4.3 ms"], [1500, "1.5 s"], [61_000, "1 min 1 s"]])(
  "%d ms last %s", (ms, text) => { expect(duration(ms)).toBe(text); });
