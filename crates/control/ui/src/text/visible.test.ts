import { expect, test } from "vitest";
import { bytePieces, hides, lookalikes, pieces } from "./visible";

const shown = (text: string) => pieces(text).map((piece) => piece.text).join("");

test("ordinary text is one piece", () => {
  expect(pieces("select 1\nfrom t")).toEqual([{ text: "select 1\nfrom t", hidden: null }]);
});

test("a right to left override is named where it stands", () => {
  expect(pieces("a\u202eb")).toEqual([
    { text: "a", hidden: null },
    { text: "U+202E", hidden: "U+202E right-to-left override" },
    { text: "b", hidden: null },
  ]);
});

test.each([0x00, 0x08, 0x1b, 0x7f, 0x85, 0xa0, 0xad, 0x34f, 0x61c, 0x115f, 0x200b, 0x200f, 0x2028, 0x2066, 0x2069, 0x2800,
  0x3000, 0x3164, 0xfe0f, 0xfeff, 0xffa0, 0xfffd, 0xe0041, 0xe000, 0xfffff])("U+%s does not pass unseen", (code) => {
  expect(pieces(`x${String.fromCodePoint(code)}y`)[1]?.hidden).toBeTruthy();
  expect(hides(`x${String.fromCodePoint(code)}y`)).toBe(true);
});

test("a lone surrogate does not pass unseen", () => {
  expect(pieces("x\ud800y")[1]?.hidden).toContain("U+D800");
});

test("a carriage return cannot hide the line before it", () => {
  expect(shown("drop table t;\rselect 1")).toBe("drop table t;U+000Dselect 1");
});

test("letters of other scripts pass, and are counted", () => {
  expect(shown("sеlect 'ü'")).toBe("sеlect 'ü'");
  expect(lookalikes("sеlect 'ü'")).toBe(2);
});

test("bytes that are not UTF-8 show as bytes and lose nothing around them", () => {
  const bytes = new Uint8Array([0x61, 0xff, 0xc3, 0xa9, 0xed, 0xa0, 0x80, 0xf0, 0x9f]);
  expect(bytePieces(bytes).map((piece) => piece.text).join("")).toBe("a\\xFFé\\xED\\xA0\\x80\\xF0\\x9F");
});

test("a byte order mark is not swallowed", () => {
  expect(bytePieces(new Uint8Array([0xef, 0xbb, 0xbf, 0x61])).map((piece) => piece.text)).toEqual(["U+FEFF", "a"]);
});
