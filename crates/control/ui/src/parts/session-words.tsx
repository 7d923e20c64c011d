// A session in a line, and the dialog that ends one.

import { at, may, post } from "../api/client";
import type { Session } from "../api/types";
import { count, duration } from "../text/time";
import { ReasonDialog } from "./dialog";
import { Actors, Ago, Badge, Name, now } from "./words";

export const lasted = (session: Session): string =>
  duration((session.closed_at ? Date.parse(session.closed_at) : now.value) - Date.parse(session.opened_at));

export function SessionLine({ session, chosen, onFocus }: { session: Session; chosen: boolean; onFocus: () => void }) {
  return (
    <a href={at`/sessions/${session.id}`} class={`session${chosen ? " is-on" : ""}`} id={`session-${session.id}`} onFocus={onFocus} {...(chosen ? { "aria-current": "true" as const } : {})}>
      <span class="s-state"><Badge word={session.live ? "live" : "ended"} /></span>
      <span class="s-who"><Actors actors={session.identity.actors} name={session.identity.name} /></span>
      <span class="s-target"><Name text={session.target} class="target" /> <span class="dim">{session.protocol}</span></span>
      <span class="s-marks">
        <span>{count(session.operations)} <span class="dim">op</span></span>
        {session.denied > 0 && <span class="tone-bad badge">{count(session.denied)} denied</span>}
        {session.asked > 0 && <span class="tone-wait badge">{count(session.asked)} asked</span>}
        {session.masked > 0 && <span class="tag">{count(session.masked)} masked</span>}
        {session.recovered && <span class="tone-wait badge">recovered</span>}
        {session.problem && <span class="tone-bad badge" title={session.problem}>damaged</span>}
      </span>
      <span class="s-when dim"><Ago at={session.opened_at} /> · {lasted(session)}</span>
    </a>
  );
}

export const mayEnd = () => may("control:sessions:end");

export function EndDialog({ session, onDone, onClose }: { session: Session; onDone: (session: Session) => void; onClose: () => void }) {
  return (
    <ReasonDialog title="Terminate this session" action="Terminate" danger keep={`end ${session.id}`} onClose={onClose}
      onDo={async (reason) => onDone(await post<Session>(at`/v1/sessions/${session.id}/terminate`, { reason }))}>
      <p><Actors actors={session.identity.actors} name={session.identity.name} /> on <Name text={session.target} class="target" /></p>
      <p class="dim">What runs on the target is cancelled, and the client is told so.</p>
    </ReasonDialog>
  );
}
