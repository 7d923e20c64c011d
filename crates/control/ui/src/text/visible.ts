// Makes visible what a statement hides: control, bidirectional, invisible and undecodable characters.
// It returns pieces of text and never markup.

export interface Piece { text: string; hidden: string | null }

const SUSPECT = /[\p{C}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u2800\u3164\uFFA0\u115F\u1160\uFFFD]|(?! )\p{Zs}/u;
const SUSPECTS = new RegExp(SUSPECT.source, "gu");

const NAMES: Record<number, string> = {
  0x00: "null", 0x07: "bell", 0x08: "backspace", 0x09: "tab", 0x0b: "vertical tab", 0x0c: "form feed",
  0x0d: "carriage return", 0x1b: "escape", 0x7f: "delete", 0x85: "next line", 0xa0: "no-break space",
  0xad: "soft hyphen", 0x034f: "combining grapheme joiner", 0x061c: "arabic letter mark",
  0x115f: "hangul filler", 0x1160: "hangul filler", 0x180e: "mongolian vowel separator",
  0x200b: "zero width space", 0x200c: "zero width non-joiner", 0x200d: "zero width joiner",
  0x200e: "left-to-right mark", 0x200f: "right-to-left mark", 0x2028: "line separator",
  0x2029: "paragraph separator", 0x202a: "left-to-right embedding", 0x202b: "right-to-left embedding",
  0x202c: "pop directional formatting", 0x202d: "left-to-right override", 0x202e: "right-to-left override",
  0x202f: "narrow no-break space", 0x2060: "word joiner", 0x2066: "left-to-right isolate",
  0x2067: "right-to-left isolate", 0x2068: "first strong isolate", 0x2069: "pop directional isolate",
  0x2800: "braille blank", 0x3000: "ideographic space", 0x3164: "hangul filler", 0xfeff: "byte order mark",
  0xffa0: "hangul filler", 0xfffd: "replacement character",
};

function stand(code: number): string {
  return `U+${code.toString(16).toUpperCase().padStart(4, "0")}`;
}

function explain(code: number): string {
  const point = `U+${code.toString(16).toUpperCase().padStart(4, "0")}`;
  return NAMES[code] ? `${point} ${NAMES[code]}` : `${point} invisible or control character`;
}

/** The pieces of a text. Line feeds stay, unless `oneLine`; tabs stay behind their mark. */
export function pieces(text: string, oneLine = false): Piece[] {
  const found: Piece[] = [];
  let from = 0;
  for (const match of text.matchAll(SUSPECTS)) {
    const code = match[0].codePointAt(0) ?? 0;
    if (code === 0x0a && !oneLine) continue;
    if (match.index > from) found.push({ text: text.slice(from, match.index), hidden: null });
    const shown = code === 0x09 ? "\u21e5" : code === 0x0a ? "\u21b5" : stand(code);
    found.push({ text: shown, hidden: explain(code) });
    if (code === 0x09 && !oneLine) found.push({ text: "\t", hidden: null });
    from = match.index + match[0].length;
  }
  if (from < text.length) found.push({ text: text.slice(from), hidden: null });
  return found;
}

export function hides(text: string): boolean {
  return SUSPECT.test(text.replaceAll("\n", ""));
}

export function fromBase64(base64: string): Uint8Array {
  const raw = atob(base64);
  return Uint8Array.from(raw, (char) => char.charCodeAt(0));
}

/** How long the UTF-8 sequence at `i` is, or 0 where there is none (RFC 3629). */
function sequence(bytes: Uint8Array, i: number): number {
  const [a = 0, b = 0, c = 0, d = 0] = bytes.subarray(i, i + 4);
  const tail = (byte: number) => (byte & 0xc0) === 0x80;
  if (a < 0x80) return 1;
  if (a >= 0xc2 && a <= 0xdf) return tail(b) ? 2 : 0;
  if (a >= 0xe0 && a <= 0xef) {
    const first = b >= (a === 0xe0 ? 0xa0 : 0x80) && b <= (a === 0xed ? 0x9f : 0xbf);
    return first && tail(c) ? 3 : 0;
  }
  if (a >= 0xf0 && a <= 0xf4) {
    const first = b >= (a === 0xf0 ? 0x90 : 0x80) && b <= (a === 0xf4 ? 0x8f : 0xbf);
    return first && tail(c) && tail(d) ? 4 : 0;
  }
  return 0;
}

/** The pieces of bytes that are usually text; what is not UTF-8 shows as its bytes. */
export function bytePieces(bytes: Uint8Array): Piece[] {
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  const found: Piece[] = [];
  let from = 0;
  let i = 0;
  while (i < bytes.length) {
    const length = sequence(bytes, i);
    if (length > 0) { i += length; continue; }
    found.push(...pieces(decoder.decode(bytes.subarray(from, i))));
    const byte = (bytes[i] ?? 0).toString(16).toUpperCase().padStart(2, "0");
    found.push({ text: `\\x${byte}`, hidden: `byte ${byte}, not part of any UTF-8 character` });
    i += 1;
    from = i;
  }
  found.push(...pieces(decoder.decode(bytes.subarray(from))));
  return found;
}

/** Letters that are not ASCII can look like others: `а` is not `a`. */
export function lookalikes(text: string): number {
  return (text.match(/(?![\x00-\x7f])[\p{L}\p{N}]/gu) ?? []).length;
}
