// Small words with a look: visible text, badges, times, people. All of it is text, never markup.

import { useMemo } from "preact/hooks";
import { signal } from "@preact/signals";
import type { Decision, Effect, Text } from "../api/types";
import { bytePieces, fromBase64, hides, lookalikes, pieces, type Piece } from "../text/visible";
import { ago, moment } from "../text/time";

export const now = signal(Date.now());
setInterval(() => { now.value = Date.now(); }, 1_000);

function Pieces({ of }: { of: Piece[] }) {
  return <>{of.map((piece, i) => piece.hidden
    ? <span key={i} class="hidden-char" title={piece.hidden}>{piece.text}</span>
    : piece.text)}</>;
}

/** A name or a line that a stranger may have chosen. */
export function Name({ text, class: className = "" }: { text: string; class?: string }) {
  return <bdi class={className} dir="ltr">{hides(text) || text.includes("\n") ? <Pieces of={pieces(text, true)} /> : text}</bdi>;
}

export function piecesOf(text: Text): Piece[] {
  return typeof text === "string" ? pieces(text) : bytePieces(fromBase64(text.base64));
}

export function asText(text: Text): string {
  return typeof text === "string" ? text : new TextDecoder("utf-8", { ignoreBOM: true }).decode(fromBase64(text.base64));
}

export function Line({ text }: { text: Text }) {
  const cut = typeof text === "string" ? text.slice(0, 400) : text;
  return <code class="line" dir="ltr">{typeof cut === "string" && !hides(cut) && !cut.includes("\n") ? cut : <Pieces of={typeof cut === "string" ? pieces(cut.replaceAll(/\s*\n\s*/g, " "), true) : piecesOf(cut)} />}</code>;
}

/** A statement as it would be run, with what it hides. */
export function Statement({ text, label }: { text: Text; label: string }) {
  const of = useMemo(() => piecesOf(text), [text]);
  const hidden = of.filter((piece) => piece.hidden && !piece.hidden.includes("U+0009")).length;
  const alike = useMemo(() => lookalikes(asText(text)), [text]);
  return (
    <div class="statement">
      <pre tabIndex={0} role="region" aria-label={label} dir="ltr"><code><Pieces of={of} /></code></pre>
      {hidden > 0 && <p class="warn" role="note"><b>{hidden}</b> {hidden === 1 ? "character" : "characters"} that would not show, made visible. Point at one to read its name.</p>}
      {alike > 0 && <p class="note" role="note"><b>{alike}</b> {alike === 1 ? "letter is" : "letters are"} not ASCII and may look like others.</p>}
    </div>
  );
}

const TONES: Record<string, string> = {
  allow: "good", approved: "good", used: "good", completed: "good", up: "good", ok: "good", live: "live", permit: "good",
  "ask-first": "wait", pending: "wait", degraded: "wait", expired: "mute", withdrawn: "mute", aborted: "mute", unknown: "mute", ended: "mute",
  deny: "bad", denied: "bad", failed: "bad", refused: "bad", down: "bad", revoked: "bad", forbid: "bad",
};
const WORDS: Record<string, string> = { "ask-first": "ask first" };

export function Badge({ word }: { word: string }) {
  return <span class={`badge tone-${TONES[word] ?? "mute"}`}>{WORDS[word] ?? word}</span>;
}

export function DecisionBadge({ decision }: { decision: Decision | null }) {
  return decision ? <Badge word={decision} /> : <span class="badge tone-mute">undecided</span>;
}

export function When({ at }: { at: string | null }) {
  if (!at) return <span class="dim">–</span>;
  const ms = Date.parse(at);
  return <time dateTime={at} title={at}>{moment(ms)}</time>;
}

export function Ago({ at }: { at: string }) {
  return <time dateTime={at} title={at}>{ago(Date.parse(at), now.value)}</time>;
}

/** Who acts on whose behalf: the one who acts first. */
export function Actors({ actors, name }: { actors: string[]; name: string }) {
  return (
    <span class="chain">
      {actors.map((actor) => <span key={actor}><Name text={actor} class="actor" /> <span class="dim">for</span> </span>)}
      <Name text={name} class="who" />
    </span>
  );
}

export function Effects({ effects }: { effects: Effect[] }) {
  if (!Array.isArray(effects) || effects.length === 0) return <p class="dim">none known</p>;
  return (
    <ul class="effects">
      {effects.map((effect, i) => (
        <li key={i}>
          <b><Name text={effect.action} /></b> <span class="dim">{effect.resource.kind}</span>{" "}
          <Name text={effect.resource.path.join(" › ") || "the target itself"} />
          {Object.entries(effect.facts ?? {}).map(([name, value]) => (
            <span key={name} class={`fact${value === true ? " fact-on" : ""}`}><Name text={`${name}: ${typeof value === "string" ? value : JSON.stringify(value)}`} /></span>
          ))}
        </li>
      ))}
    </ul>
  );
}

export function Masked({ tags }: { tags: Record<string, number> }) {
  const all = Object.entries(tags);
  if (all.length === 0) return null;
  return <span class="masked" title="values masked, by tag">{all.map(([tag, n]) => <span key={tag} class="tag"><Name text={tag} /> {n.toLocaleString("en-US")}</span>)}</span>;
}

export function Names({ of }: { of: string[] }) {
  if (of.length === 0) return <span class="dim">–</span>;
  return <>{of.map((name, i) => <span key={i} class="tag"><Name text={name} /></span>)}</>;
}
