// All sessions, found by who, where, what and when.

import { useEffect, useState } from "preact/hooks";
import { at } from "../api/client";
import type { Session, Sessions } from "../api/types";
import { SESSION_FILTERS, ask, parse, print } from "../data/query";
import { useKeys } from "../keys";
import { FilterForm } from "../parts/filters";
import { Empty, Problem, Waiting, usePaged } from "../parts/load";
import { SessionLine } from "../parts/session-words";
import { go, place } from "../router";

export function SessionsPage() {
  const filters = parse(place.value.search, SESSION_FILTERS);
  const key = print(filters, SESSION_FILTERS);
  const list = usePaged<Sessions, Session>((before) => `/v1/sessions${ask(filters, SESSION_FILTERS, before)}`, key, (page) => page.sessions, (page) => page.next);
  const [chosen, setChosen] = useState<string | null>(null);
  const index = list.items.findIndex((one) => one.id === chosen);
  const move = (by: number) => { const next = list.items[Math.max(0, Math.min(list.items.length - 1, index < 0 ? 0 : index + by))]; if (next) setChosen(next.id); };
  useEffect(() => { if (chosen) document.getElementById(`session-${chosen}`)?.scrollIntoView({ block: "nearest" }); }, [chosen]);
  useKeys([
    { keys: "j", does: "next session", run: () => move(1) }, { keys: "k", does: "previous session", run: () => move(-1) },
    { keys: "Enter", does: "open", run: () => { if (list.items[index]) go(at`/sessions/${list.items[index].id}`); } },
  ]);
  return (
    <section>
      <div class="head"><h1>Sessions</h1>{list.items.length > 0 && <span class="dim">{list.items.length}{list.next ? "+" : ""}</span>}</div>
      <FilterForm path="/sessions" keys={SESSION_FILTERS} fields={[
        { name: "q", label: "Search statements", type: "search", hint: "Search statements" }, { name: "identity", label: "Who" }, { name: "target", label: "Target" },
        { name: "protocol", label: "Protocol", options: ["postgres", "mysql", "ssh", "kubernetes"] }, { name: "decision", label: "With decision", options: ["allow", "ask-first", "deny"] },
        { name: "state", label: "State", options: ["live", "ended"] }, { name: "from", label: "From", type: "datetime-local" }, { name: "to", label: "To", type: "datetime-local" }]} />
      {list.error && <Problem error={list.error} retry={list.reload} />}
      {!list.done ? <Waiting /> : list.items.length === 0 && !list.error
        ? <Empty title={key ? "No session fits" : "Nothing was recorded yet"}>{key ? <a href="/sessions">Clear the filters</a> : "Each connection through the gate is listed here."}</Empty>
        : <ol class="sessions">{list.items.map((session) => <li key={session.id}><SessionLine session={session} chosen={session.id === chosen} onFocus={() => setChosen(session.id)} /></li>)}</ol>}
      {list.next && <p class="more"><button type="button" class="button" onClick={list.more}>Show older</button></p>}
    </section>
  );
}
