// A terminal as its client saw it. The player needs WebAssembly, so this page alone is loaded under a
// policy that permits it, and the player is fetched only here.

import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { Player } from "asciinema-player";
import { at } from "../api/client";
import type { Recorded, Session } from "../api/types";
import { Cast } from "../data/cast";
import { parseHash } from "../data/query";
import { Reader } from "../data/reader";
import { useKeys } from "../keys";
import { Empty, Problem, Waiting, useLoad } from "../parts/load";
import { Actors, Badge, Name } from "../parts/words";
import { go, place } from "../router";
import "asciinema-player/dist/bundle/asciinema-player.css";

interface Dispatch { dispatch: (name: string, data?: unknown) => void }

/** What a live terminal prints, as the player's driver: what was printed before, then what comes. */
function liveSource(cast: Cast, attach: (hear: (from: number) => void) => void) {
  return ({ dispatch }: Dispatch) => ({
    init: () => {
      dispatch("reset", { size: { cols: cast.cols, rows: cast.rows } });
    },
    play: () => {
      dispatch("play");
      dispatch("playing");
      let next = 0;
      attach(() => {
        for (; next < cast.frames.length; next++) {
          const frame = cast.frames[next];
          if (!frame) continue;
          if (frame[1] === "o") dispatch("output", frame[2]);
          else { const [cols, rows] = frame[2].split("x").map(Number); dispatch("resize", { cols, rows }); }
        }
      });
      return true;
    },
    getTiming: () => ({ time: cast.duration, rate: 0, at: performance.now() }),
  });
}

export function ReplayPage({ id }: { id: string }) {
  const { data: session, error } = useLoad<Session>(at`/v1/sessions/${id}`);
  const hear = useRef<((from: number) => void) | null>(null);
  const [cast, reader] = useMemo(() => {
    const cast = new Cast();
    return [cast, new Reader(id, (event: Recorded) => { cast.take(event); hear.current?.(0); }, false)] as const;
  }, [id]);
  useEffect(() => { void reader.read(true); return () => reader.close(); }, [reader]);
  void reader.turn.value;
  const state = reader.state.value;
  const ready = state !== "reading" && state !== "paused";
  const live = session?.live === true && state !== "complete";
  const box = useRef<HTMLDivElement>(null);
  const player = useRef<Player | null>(null);
  const [speed, setSpeed] = useState(1);
  const [idle, setIdle] = useState(2);
  const [failed, setFailed] = useState("");
  const startAt = () => {
    const { t, op } = parseHash(location.hash);
    return t ?? (op === null ? 0 : cast.opAt.get(op) ?? 0);
  };
  useEffect(() => {
    const element = box.current;
    if (!element || !ready || !session) return;
    let gone = false;
    void import("asciinema-player").then(({ create }) => {
      if (gone) return;
      const options = { cols: cast.cols, rows: cast.rows, fit: "width" as const, theme: "portcullis", terminalFontFamily: "var(--mono)" };
      player.current = live
        ? create(liveSource(cast, (run) => { hear.current = run; run(0); }) as unknown as string, element, { ...options, autoPlay: true, controls: false })
        : create({ data: [{ version: 2, width: cast.cols, height: cast.rows }, ...cast.frames] }, element, {
          ...options, speed, idleTimeLimit: idle || 1e9, preload: true, controls: true, startAt: startAt(), poster: `npt:${startAt()}`,
          markers: cast.marks.map(({ t, label }) => [t, label] as [number, string]),
        });
    }).catch((why: unknown) => setFailed(String(why)));
    return () => { gone = true; hear.current = null; player.current?.dispose(); player.current = null; };
  }, [ready, session?.id, live, speed, idle, place.value.hash]);
  useKeys([{ keys: "b Backspace", does: "back to the session", run: () => go(at`/sessions/${id}`) }]);
  if (error) return <Problem error={error} />;
  if (!session) return <Waiting />;
  const share = async () => {
    const t = (player.current?.getCurrentTime() ?? 0).toFixed(1);
    history.replaceState(null, "", `#t=${t}`);
    await navigator.clipboard.writeText(location.href).catch(() => { /* it stands in the address bar */ });
  };
  return (
    <article class="replay">
      <nav class="crumbs" aria-label="Way back"><a href="/sessions">Sessions</a> <span aria-hidden="true">/</span> <a href={at`/sessions/${id}`} class="mono"><Name text={id} /></a> <span aria-hidden="true">/</span> terminal</nav>
      <div class="head"><h1><Actors actors={session.identity.actors} name={session.identity.name} /> <span class="dim">on</span> <Name text={session.target} /></h1><Badge word={live ? "live" : "ended"} /></div>
      {reader.error.value && <Problem error={reader.error.value} retry={() => { reader.error.value = null; void reader.read(true); }} />}
      {failed && <p class="warn" role="alert">The player could not be loaded: {failed}</p>}
      {!ready ? <Waiting what="Reading the recording" /> : cast.frames.length === 0 && !live ? <Empty title="This session has no terminal"><a href={at`/sessions/${id}`}>Its timeline</a> shows what was asked.</Empty> : <>
        {!live && <div class="player-bar"><label>Speed <select value={speed} onChange={(event) => setSpeed(Number(event.currentTarget.value))}>{[0.5, 1, 2, 4, 8].map((n) => <option key={n} value={n}>{n}×</option>)}</select></label>
          <label>Pauses of at most <select value={idle} onChange={(event) => setIdle(Number(event.currentTarget.value))}>{[1, 2, 5, 0].map((n) => <option key={n} value={n}>{n ? `${n} s` : "as they were"}</option>)}</select></label>
          <button type="button" class="button small" onClick={() => void share()}>Link to this moment</button></div>}
        <div class="player" ref={box} />
        {cast.marks.length > 0 && <section><h2>Decisions</h2><ol class="marks">{cast.marks.map((mark) => (
          <li key={mark.op}><a href={`#op=${mark.op}`}><span class="mono dim">{mark.t.toFixed(1)} s</span> <Badge word={mark.decision} /> <Name text={mark.label} /></a></li>))}</ol></section>}</>}
    </article>
  );
}
