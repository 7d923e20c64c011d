// The sessions that run now.

import { useEffect, useState } from "preact/hooks";
import { Failed, at, get } from "../api/client";
import { stream, type Liveness } from "../api/stream";
import type { Session, Sessions } from "../api/types";
import { useKeys } from "../keys";
import { LiveDot } from "../parts/live-dot";
import { Empty, Problem, Waiting } from "../parts/load";
import { EndDialog, SessionLine, mayEnd } from "../parts/session-words";
import { go } from "../router";

export function LivePage() {
  const [sessions, setSessions] = useState<Session[] | null>(null);
  const [error, setError] = useState<Failed | null>(null);
  const [state, setState] = useState<Liveness>("connecting");
  const [chosen, setChosen] = useState<string | null>(null);
  const [ending, setEnding] = useState<Session | null>(null);
  const [news, setNews] = useState("");
  const put = (session: Session) => setSessions((was) => {
    const rest = (was ?? []).filter((one) => one.id !== session.id);
    if (!session.live) { setNews(`The session of ${session.identity.name} ended`); return rest; }
    return [session, ...rest].sort((a, b) => b.opened_at.localeCompare(a.opened_at));
  });
  const load = async () => {
    try {
      setSessions((await get<Sessions>("/v1/sessions?state=live&limit=200")).sessions);
      setError(null);
    } catch (why) { if (why instanceof Failed) setError(why); else throw why; }
  };
  useEffect(() => {
    void load();
    const live = stream({ url: "/v1/sessions/live", on: { session: (data) => put(data as Session) }, poll: load, caughtUp: () => void load() });
    const stop = live.state.subscribe(setState);
    return () => { stop(); live.close(); };
  }, []);
  const list = sessions ?? [];
  const index = list.findIndex((one) => one.id === chosen);
  const move = (by: number) => { const next = list[Math.max(0, Math.min(list.length - 1, index < 0 ? 0 : index + by))]; if (next) setChosen(next.id); };
  const current = list[index];
  useKeys([
    { keys: "j", does: "next session", run: () => move(1) }, { keys: "k", does: "previous session", run: () => move(-1) },
    { keys: "Enter", does: "watch it", run: () => { if (current) go(at`/sessions/${current.id}`); } },
    ...(mayEnd() ? [{ keys: "x", does: "terminate, with a reason", run: () => { if (current) setEnding(current); } }] : []),
  ]);
  return (
    <section>
      <div class="head"><h1>Live sessions</h1><LiveDot state={state} /></div>
      <p class="sr" role="status" aria-live="polite">{news}</p>
      {error && <Problem error={error} retry={() => void load()} />}
      {sessions === null ? !error && <Waiting /> : list.length === 0 ? <Empty title="Nobody is connected">A session appears here as soon as a client is admitted. <a href="/targets">The targets</a> say where to connect to.</Empty>
        : <ol class="sessions">{list.map((session) => <li key={session.id}><SessionLine session={session} chosen={session.id === chosen} onFocus={() => setChosen(session.id)} />
          {mayEnd() && <button type="button" class="button small" onClick={() => setEnding(session)}>Terminate<span class="sr"> the session of {session.identity.name}</span></button>}</li>)}</ol>}
      {ending && <EndDialog session={ending} onDone={put} onClose={() => setEnding(null)} />}
    </section>
  );
}
