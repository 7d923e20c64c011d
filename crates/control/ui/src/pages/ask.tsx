// One ask: everything that an approver needs to decide, and the decision.

import { useEffect, useState } from "preact/hooks";
import { at, may, post } from "../api/client";
import type { Ask } from "../api/types";
import { asks, put } from "../data/asks";
import { useKeys } from "../keys";
import { AnswerDialog, TimeLeft } from "../parts/answer";
import { ReasonDialog } from "../parts/dialog";
import { Problem, Waiting, useLoad } from "../parts/load";
import { Actors, Ago, Badge, Effects, Name, Names, Statement, When } from "../parts/words";
import { go } from "../router";

type Doing = "approve" | "deny" | "revoke" | null;

export function AskPage({ id }: { id: string }) {
  const url = at`/v1/asks/${id}`;
  const { data, error, reload, set } = useLoad<Ask>(url);
  const [doing, setDoing] = useState<Doing>(null);
  const known = asks.value?.find((one) => one.id === id);
  const ask = known && data && (known.answers.length > data.answers.length || known.state !== data.state && data.state === "pending") ? known : data;
  const open = ask?.state === "pending";
  useEffect(() => { if (ask) document.title = `${ask.state}: ${ask.target} · Portcullis`; }, [ask?.state]);
  useKeys([
    ...(open ? [{ keys: "y", does: "approve, with a reason", run: () => setDoing("approve") }, { keys: "n", does: "deny, with a reason", run: () => setDoing("deny") }] : []),
    { keys: "b Backspace", does: "back to the queue", run: () => go("/asks") },
  ]);
  if (error && !ask) return <Problem error={error} retry={() => void reload()} />;
  if (!ask) return <Waiting />;
  const send = async (reason: string) => {
    const next = await post<Ask>(`${url}/${doing ?? "deny"}`, { reason });
    set(next);
    put(next);
  };
  const by = ask.requester;
  return (
    <article class="ask-page">
      <nav class="crumbs" aria-label="Way back"><a href="/asks">Approvals</a> <span aria-hidden="true">/</span> <Name text={ask.id} class="mono" /></nav>
      <div class="head">
        <h1><Actors actors={by.actors} name={by.email ?? by.subject} /> <span class="dim">asks to act on</span> <Name text={ask.target} /></h1>
        <Badge word={ask.state} />
        {open && <span class="big-left"><TimeLeft expires={ask.expires} /> <span class="dim">left</span></span>}
      </div>
      <Statement text={{ base64: ask.statement }} label="The statement, exactly as it would be sent" />
      {ask.values && <><h2>Bound values</h2><Statement text={ask.values} label="Bound values" /></>}
      {open && <div class="bar">
        <button type="button" class="button primary" onClick={() => setDoing("approve")}>Approve <kbd>y</kbd></button>
        <button type="button" class="button danger" onClick={() => setDoing("deny")}>Deny <kbd>n</kbd></button>
        <span class="dim">The bytes approved are the bytes sent.</span></div>}
      {ask.state === "approved" && may("control:asks:revoke") && <div class="bar"><button type="button" class="button danger" onClick={() => setDoing("revoke")}>Take the approval back</button></div>}
      <div class="sr" role="status" aria-live="polite">{ask.state === "pending" ? "" : `The ask is ${ask.state}`}</div>
      <div class="columns">
        <section><h2>What it would do</h2><Effects effects={ask.effects} />
          {ask.in_transaction && <p class="warn">A transaction is open: what it has locked stays locked while it waits.</p>}
          <h2>Why it is asked</h2><p><Name text={ask.reason || "no reason given"} /></p>
          <dl class="facts"><dt>Policies</dt><dd><Names of={ask.policies} /></dd><dt>Revision</dt><dd class="mono"><Name text={ask.revision} /></dd></dl>
        </section>
        <section><h2>Who may answer</h2>
          <ul class="quorum">{ask.terms.groups.map((groups, i) => {
            const said = ask.answers.filter((one) => one.yes && one.by.groups.some((group) => groups.includes(group))).length;
            return <li key={i}><span class={`meter${said >= ask.terms.quorum ? " is-full" : ""}`}>{Math.min(said, ask.terms.quorum)} of {ask.terms.quorum}</span> from <Names of={groups} /></li>;
          })}</ul>
          <h2>Answers so far</h2>
          {ask.answers.length === 0 ? <p class="dim">none yet</p> : <ol class="answers">{ask.answers.map((one, i) => (
            <li key={i}><Badge word={one.yes ? "approved" : "denied"} /> <Name text={one.by.email ?? one.by.subject} class="who" /> <span class="dim"><Ago at={new Date(one.at / 1000).toISOString()} /></span><p><Name text={one.reason} /></p></li>))}</ol>}
          <h2>Who asks</h2>
          <dl class="facts">
            <dt>Identity</dt><dd><Name text={by.subject} /> <span class="dim">{by.workload ? "a program" : "a person"}</span></dd>
            <dt>Issuer</dt><dd><Name text={by.issuer} /></dd>
            {by.actors.length > 0 && <><dt>Acting</dt><dd><Actors actors={by.actors} name={by.email ?? by.subject} /></dd></>}
            <dt>Groups</dt><dd><Names of={by.groups} /></dd>
            <dt>Account</dt><dd><Name text={ask.account} /></dd>
            <dt>Client</dt><dd><Name text={ask.client} />, <Name text={ask.application || "unnamed"} /></dd>
            <dt>Session</dt><dd><a class="mono" href={at`/sessions/${ask.session}`}><Name text={ask.session} /></a></dd>
            <dt>Asked</dt><dd><When at={ask.asked_at} /></dd><dt>Expires</dt><dd><When at={ask.expires_at} /></dd>
          </dl>
        </section>
      </div>
      {(doing === "approve" || doing === "deny") && <AnswerDialog ask={ask} yes={doing === "approve"} onDo={send} onClose={() => setDoing(null)} />}
      {doing === "revoke" && <ReasonDialog title="Take the approval back" action="Revoke" danger keep={`revoke ${id}`} onDo={send} onClose={() => setDoing(null)} />}
    </article>
  );
}
