// The queue of asks: what waits for an answer, and what was answered.

import { useEffect, useState } from "preact/hooks";
import { post } from "../api/client";
import type { Ask } from "../api/types";
import { asks, asksError, asksState, news, put, reloadAsks } from "../data/asks";
import { useKeys } from "../keys";
import { AnswerDialog, TimeLeft } from "../parts/answer";
import { Empty, Problem, Waiting } from "../parts/load";
import { Actors, Ago, Badge, Line, Name } from "../parts/words";
import { LiveDot } from "../parts/live-dot";
import { go, place } from "../router";
import { at } from "../api/client";

export const nameOf = (ask: Ask) => ask.requester.email ?? ask.requester.subject;

export function AsksPage() {
  const all = new URLSearchParams(place.value.search).get("show") === "all";
  const list = asks.value?.filter((ask) => all || ask.state === "pending") ?? [];
  // By id, so that a new ask does not move the choice to another one.
  const [chosen, setChosen] = useState<string | null>(null);
  const [answering, setAnswering] = useState<{ ask: Ask; yes: boolean } | null>(null);
  const index = list.findIndex((ask) => ask.id === chosen);
  const move = (by: number) => {
    const next = list[Math.max(0, Math.min(list.length - 1, index < 0 ? 0 : index + by))];
    if (next) setChosen(next.id);
  };
  const answer = (yes: boolean) => {
    const ask = list[index];
    if (ask?.state === "pending") setAnswering({ ask, yes });
  };
  useEffect(() => { if (chosen) document.getElementById(`ask-${chosen}`)?.scrollIntoView({ block: "nearest" }); }, [chosen]);
  useKeys([
    { keys: "j", does: "next ask", run: () => move(1) },
    { keys: "k", does: "previous ask", run: () => move(-1) },
    { keys: "Enter", does: "open", run: () => { const ask = list[index]; if (ask) go(at`/asks/${ask.id}`); } },
    { keys: "y", does: "approve, with a reason", run: () => answer(true) },
    { keys: "n", does: "deny, with a reason", run: () => answer(false) },
  ]);
  return (
    <section>
      <div class="head"><h1>Approvals</h1><LiveDot state={asksState.value} />
        <div class="switch" role="group" aria-label="Which asks">
          <a href="/asks" {...(all ? {} : { "aria-current": "true" as const })}>Waiting</a><a href="/asks?show=all" {...(all ? { "aria-current": "true" as const } : {})}>All</a>
        </div></div>
      <p class="sr" role="status" aria-live="polite">{news.value}</p>
      {asksError.value && <Problem error={asksError.value} retry={() => void reloadAsks()} />}
      {asks.value === null ? !asksError.value && <Waiting /> : list.length === 0
        ? <Empty title={all ? "Nobody has asked yet" : "Nothing waits for you"}>{all ? "Operations that a policy with @approval holds appear here." : "This page updates by itself. Asks that your groups may answer appear here the moment they are made."}</Empty>
        : <ol class="asks">{list.map((ask) => (
          <li key={ask.id} id={`ask-${ask.id}`} class={ask.id === chosen ? "is-on" : ""}>
            <a href={at`/asks/${ask.id}`} class="ask" onFocus={() => setChosen(ask.id)} {...(ask.id === chosen ? { "aria-current": "true" as const } : {})}>
              <span class="ask-who"><Actors actors={ask.requester.actors} name={nameOf(ask)} /><span class="dim"> → </span><Name text={ask.target} class="target" /></span>
              <span class="ask-time">{ask.state === "pending" ? <TimeLeft expires={ask.expires} /> : <><Badge word={ask.state} /> <span class="dim"><Ago at={ask.asked_at} /></span></>}</span>
              <span class="ask-what"><Line text={ask.statement_text} /></span>
            </a>
            {ask.state === "pending" && <span class="ask-do"><button type="button" class="button small" onClick={() => setAnswering({ ask, yes: true })}>Approve<span class="sr"> the ask of {nameOf(ask)} for {ask.target}</span></button>
              <button type="button" class="button small" onClick={() => setAnswering({ ask, yes: false })}>Deny<span class="sr"> the ask of {nameOf(ask)} for {ask.target}</span></button></span>}
          </li>))}</ol>}
      {list.length > 0 && <p class="keys-hint dim"><kbd>j</kbd> <kbd>k</kbd> move · <kbd>Enter</kbd> open · <kbd>y</kbd> approve · <kbd>n</kbd> deny</p>}
      {answering && <AnswerDialog ask={answering.ask} yes={answering.yes} onClose={() => setAnswering(null)}
        onDo={async (reason) => put(await post<Ask>(`/v1/asks/${encodeURIComponent(answering.ask.id)}/${answering.yes ? "approve" : "deny"}`, { reason }))} />}
    </section>
  );
}
