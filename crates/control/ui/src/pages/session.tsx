// One session: what was asked, decided and seen, operation by operation, or event by event.

import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { at, may } from "../api/client";
import type { Session } from "../api/types";
import { Story, nameOf, type Step } from "../data/fold";
import { parseHash } from "../data/query";
import { Reader } from "../data/reader";
import { useKeys } from "../keys";
import { Empty, Problem, Waiting, useLoad } from "../parts/load";
import { Long } from "../parts/long";
import { StepDetail } from "../parts/step";
import { EndDialog, lasted, mayEnd } from "../parts/session-words";
import { Actors, Badge, DecisionBadge, Line, Masked, Name, Names, When } from "../parts/words";
import { go, place } from "../router";
import { clock, count, duration } from "../text/time";

type Tab = "timeline" | "events";

export function SessionPage({ id }: { id: string }) {
  const { data: session, error, reload, set } = useLoad<Session>(at`/v1/sessions/${id}`);
  const [story, reader] = useMemo(() => { const story = new Story(); return [story, new Reader(id, (event) => story.take(event), true)] as const; }, [id]);
  const [ending, setEnding] = useState(false);
  const [followEnd, setFollowEnd] = useState(true);
  useEffect(() => { void reader.read(); return () => reader.close(); }, [reader]);
  void reader.turn.value;
  const state = reader.state.value;
  const tab: Tab = new URLSearchParams(place.value.search).get("view") === "events" ? "events" : "timeline";
  const wanted = parseHash(place.value.hash);
  const live = session?.live === true && state !== "complete";
  // What is known of a session changes with its end.
  useEffect(() => { if (state === "complete" && session?.live) void reload(); }, [state, session?.live]);
  const found = wanted.op === null ? -1 : story.steps.findIndex((step) => step.op === wanted.op);
  const seqFound = wanted.seq === null ? -1 : reader.events.findIndex((event) => event.seq === wanted.seq);
  // A link to an operation that is not read yet reads on until it is.
  useEffect(() => { if ((wanted.op !== null && found < 0) || (wanted.seq !== null && seqFound < 0)) reader.more(); });
  const choose = (index: number) => {
    setFollowEnd(false);
    if (tab === "timeline") { const step = story.steps[index]; if (step) go(`${place.value.path}${place.value.search}#op=${step.op}`, true); }
    else { const event = reader.events[index]; if (event) go(`${place.value.path}${place.value.search}#seq=${event.seq}`, true); }
  };
  const total = tab === "timeline" ? story.steps.length : reader.events.length;
  const chosen = tab === "timeline" ? found : seqFound;
  const detail = useRef<HTMLDivElement>(null);
  useKeys([
    { keys: "j", does: "next", run: () => choose(Math.min(total - 1, chosen + 1)) },
    { keys: "k", does: "previous", run: () => choose(Math.max(0, chosen - 1)) },
    { keys: "Enter", does: "go to what is chosen", run: () => detail.current?.focus() },
    ...(live && mayEnd() ? [{ keys: "x", does: "terminate, with a reason", run: () => setEnding(true) }] : []),
    ...(story.hasTerminal ? [{ keys: "r", does: "replay the terminal", run: () => go(at`/sessions/${id}/replay`) }] : []),
  ]);
  if (error && !session) return <Problem error={error} retry={() => void reload()} />;
  if (!session) return <Waiting />;
  const search = (view: Tab) => (view === "events" ? "?view=events" : "");
  return (
    <article class="session-page">
      <nav class="crumbs" aria-label="Way back"><a href="/sessions">Sessions</a> <span aria-hidden="true">/</span> <Name text={session.id} class="mono" /></nav>
      <div class="head">
        <h1><Actors actors={session.identity.actors} name={session.identity.name} /> <span class="dim">on</span> <Name text={session.target} /></h1>
        <Badge word={live ? "live" : "ended"} />
        <div class="push row">
          {story.hasTerminal && <a class="button small" href={at`/sessions/${id}/replay`}>{live ? "Watch terminal" : "Replay terminal"}</a>}
          {may("control:recordings:read") && <details class="me"><summary class="button small">Download</summary><div class="menu">
            {["sealed", "jsonl", "ocsf", ...(story.hasTerminal ? ["asciicast", "asciicast-v3"] : [])].map((format) => <a key={format} download href={`${at`/v1/sessions/${id}/recording`}?format=${format}`}>{format}</a>)}</div></details>}
          {live && mayEnd() && <button type="button" class="button small danger" onClick={() => setEnding(true)}>Terminate</button>}
        </div>
      </div>
      <dl class="strip">
        <div><dt>Opened</dt><dd><When at={session.opened_at} /></dd></div><div><dt>Lasted</dt><dd>{lasted(session)}</dd></div>
        <div><dt>Client</dt><dd><Name text={session.client} />, <Name text={session.application || "unnamed"} /></dd></div>
        <div><dt>Identity</dt><dd><Name text={session.identity.subject} /> <span class="dim">{session.identity.kind}</span></dd></div>
        <div><dt>Groups</dt><dd><Names of={session.identity.groups} /></dd></div>
        <div><dt>Operations</dt><dd>{count(session.operations)}, {count(session.denied)} denied, {count(session.masked)} values masked</dd></div>
        {session.reason && <div><dt>Ended</dt><dd><Name text={session.reason} /></dd></div>}
      </dl>
      {session.problem && <p class="warn" role="alert">This recording is damaged: <Name text={session.problem} />. What follows is what can be read.</p>}
      {story.notes.map((note) => <p key={note.seq} class="warn" role="note"><Name text={note.text} /> <span class="dim">{clock(note.at)}</span></p>)}
      <div class="tabs">
        <div class="switch" role="group" aria-label="View">
          <a href={place.value.path} {...(tab === "timeline" ? { "aria-current": "true" as const } : {})}>Timeline</a><a href={`${place.value.path}?view=events`} {...(tab === "events" ? { "aria-current": "true" as const } : {})}>Events</a></div>
        <span class="dim" role="status">{count(story.events)} events{state === "reading" ? ", reading…" : state === "paused" ? ", more follow" : state === "live" ? ", live" : state === "polling" ? ", every 5 s" : ""}</span>
        {live && <label class="check"><input type="checkbox" checked={followEnd} onChange={(event) => setFollowEnd(event.currentTarget.checked)} /> follow</label>}
      </div>
      {reader.error.value && <Problem error={reader.error.value} retry={() => { reader.error.value = null; void reader.read(); }} />}
      {total === 0 ? state === "complete" && <Empty title="Nothing was asked in this session" /> : (
        <div class={`split${chosen >= 0 ? " has-choice" : ""}`}>
          <Long key={tab} total={total} row={tab === "timeline" ? 52 : 30} label={tab === "timeline" ? "Operations" : "Events"} class="list" selected={chosen < 0 ? null : chosen} onSelect={choose} onNearEnd={() => reader.more()}
            followEnd={live && followEnd} draw={(i) => (tab === "timeline" ? stepLine(story.steps[i]) : eventLine(reader.events[i]))} />
          <div class="detail" ref={detail} tabIndex={-1} role="region" aria-label="What is chosen">
            {chosen < 0 ? <Empty title={tab === "timeline" ? "Choose an operation" : "Choose an event"}><kbd>j</kbd> <kbd>k</kbd> move through them.</Empty> : <>
              <a class="button small back" href={place.value.path + search(tab)}>Back to the list</a>
              {tab === "timeline" ? story.steps[chosen] && <StepDetail step={story.steps[chosen]} id={id} /> : reader.events[chosen] && <RawEvent event={reader.events[chosen]} />}</>}
          </div>
        </div>)}
      {ending && <EndDialog session={session} onDone={set} onClose={() => setEnding(false)} />}
    </article>
  );
}

function stepLine(step: Step | undefined) {
  if (!step) return null;
  return (
    <>
      <span class="t-top"><span class="mono dim">#{step.op}</span><DecisionBadge decision={step.decision?.decision ?? null} />
        {step.outcome && step.outcome.status !== "completed" && step.decision?.decision !== "deny" && <Badge word={step.outcome.status} />}
        {step.outcome && <Masked tags={step.outcome.masked} />}
        <span class="push dim">{step.outcome ? `${count(step.outcome.rows)} rows · ${duration(step.outcome.micros / 1000)}` : "running"} · {clock(step.at)}</span></span>
      <Line text={step.statement} />
    </>
  );
}

function eventLine(event: Reader["events"][number] | undefined) {
  if (!event) return null;
  return <span class="e-line"><span class="mono dim">{event.seq}</span><b>{nameOf(event)}</b><Line text={JSON.stringify(Object.values(event.event)[0]).slice(0, 300)} /></span>;
}

function RawEvent({ event }: { event: Reader["events"][number] }) {
  const text = JSON.stringify(event, null, 2);
  const most = 50_000;
  return <><h2>Event {event.seq}</h2><pre class="raw" tabIndex={0} role="region" aria-label="The event as recorded"><code>{text.slice(0, most).split("\n").map((line, i) => <div key={i}><Line text={line} /></div>)}</code></pre>
    {text.length > most && <p class="dim">{count(text.length - most)} characters more are in the download.</p>}</>;
}
