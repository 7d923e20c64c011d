// The policies that decide, and three questions about them: why, is it well formed, what would change.

import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { Failed, at, may, post } from "../api/client";
import type { Explanation, Policies, PolicyFile, ReplayResult, Validation } from "../api/types";
import { Empty, Problem, Waiting, useLoad } from "../parts/load";
import { Badge, DecisionBadge, Line, Name, Names, Statement, When } from "../parts/words";
import { place } from "../router";
import { count, plural } from "../text/time";

const VIEWS = [["", "Policies"], ["explain", "Explain"], ["validate", "Validate"], ["replay", "Replay"]] as const;

export function PoliciesPage() {
  const { data, error, reload } = useLoad<Policies>("/v1/policies");
  const view = new URLSearchParams(place.value.search).get("view") ?? "";
  return (
    <section>
      <div class="head"><h1>Policies</h1>{data && <span class="dim">revision <Name text={data.revision} class="mono" />, loaded <When at={data.loaded_at} /></span>}
        {may("control:policies:try") && <div class="switch" role="group" aria-label="View">{VIEWS.map(([key, name]) => <a key={key} href={key ? `/policies?view=${key}` : "/policies"} {...(view === key ? { "aria-current": "true" as const } : {})}>{name}</a>)}</div>}</div>
      {error ? <Problem error={error} retry={() => void reload()} /> : !data ? <Waiting /> : view === "explain" ? <Explain /> : view === "validate" ? <Try key="v" files={data.files} replay={false} /> : view === "replay" ? <Try key="r" files={data.files} replay />
        : data.policies.length === 0 ? <Empty title="No policy is loaded">Without one everything is denied. Put <code>.cedar</code> files into the folder of <code>[policy]</code>.</Empty>
          : <ol class="policies">{data.policies.map((policy) => <li key={`${policy.file}:${policy.line}:${policy.id}`}>
            <div class="row"><Badge word={policy.effect} /><h2><Name text={policy.id} /></h2>{Object.entries(policy.annotations).map(([key, value]) => <span key={key} class="tag"><Name text={`@${key}(${value})`} /></span>)}<span class="push dim mono"><Name text={policy.file} />:{policy.line}</span></div>
            <Statement text={policy.text} label={`Policy ${policy.id}`} /></li>)}</ol>}
    </section>
  );
}

function useAnswer<T>(): [T | null, Failed | null, boolean, (path: string, body: unknown) => void] {
  const [state, setState] = useState<{ data: T | null; error: Failed | null; busy: boolean }>({ data: null, error: null, busy: false });
  const run = (path: string, body: unknown) => {
    setState({ data: null, error: null, busy: true });
    post<T>(path, body).then((data) => setState({ data, error: null, busy: false }), (why: unknown) => {
      if (why instanceof Failed) setState({ data: null, error: why, busy: false });
    });
  };
  return [state.data, state.error, state.busy, run];
}

function Field({ label, hint, children }: { label: string; hint?: string; children: ComponentChildren }) {
  return <label class="field"><span>{label}{hint && <span class="dim"> {hint}</span>}</span>{children}</label>;
}

const words = (text: FormDataEntryValue | null) => String(text ?? "").split(/[\s,]+/).filter(Boolean);

function Explain() {
  const [answer, error, busy, run] = useAnswer<Explanation>();
  const [wrong, setWrong] = useState("");
  const submit = (event: Event & { currentTarget: HTMLFormElement }) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const text = (name: string) => String(form.get(name) ?? "").trim();
    let facts: unknown;
    try { facts = JSON.parse(text("facts") || "{}"); } catch { setWrong("Facts are a JSON object, for instance {\"unfiltered\": true}."); return; }
    setWrong("");
    run("/v1/policies/explain", {
      identity: { issuer: text("issuer"), subject: text("subject"), groups: words(form.get("groups")), email: text("email") || null, kind: text("kind") },
      target: text("target"), action: text("action"), resource: words(form.get("resource")), facts,
    });
  };
  return (
    <div class="columns">
      <form class="form" onSubmit={submit}>
        <p class="dim">What would be decided, and why. Nothing is sent to any target.</p>
        <Field label="Subject"><input name="subject" required /></Field><Field label="Issuer"><input name="issuer" required /></Field>
        <Field label="Kind"><select name="kind"><option value="user">user</option><option value="workload">workload</option></select></Field>
        <Field label="Groups" hint="separated by spaces"><input name="groups" placeholder="okta:vendors" /></Field><Field label="E-mail"><input name="email" type="email" /></Field>
        <Field label="Target"><input name="target" required placeholder="orders-db" /></Field><Field label="Action"><input name="action" required placeholder="sql:read" /></Field>
        <Field label="Resource" hint="from the target downwards"><input name="resource" placeholder="shop public orders" /></Field>
        <Field label="Facts" hint="JSON"><textarea name="facts" rows={2} placeholder="{}" /></Field>
        {wrong && <p class="warn" role="alert">{wrong}</p>}
        <button class="button primary" type="submit" disabled={busy}>Explain</button>
      </form>
      <div aria-live="polite">{error && <Problem error={error} />}{answer && <div class="card">
        <p class="verdict"><DecisionBadge decision={answer.decision} /> <Name text={answer.reason} /></p>
        {answer.policies.length === 0 ? <p class="dim">No policy decided: what no policy permits is denied.</p> : <ul class="effects">{answer.policies.map((one) => <li key={one.id}><Badge word={one.effect} /> <b><Name text={one.id} /></b> <span class="dim mono"><Name text={one.file} />:{one.line}</span> <Name text={one.reason} /></li>)}</ul>}
        {answer.ask && <p>{plural(answer.ask.quorum, "human")} from {answer.ask.groups.map((groups, i) => <span key={i}>{i > 0 && " and from "}<Names of={groups} /></span>)} within {count(answer.ask.ttl_s / 60)} min.</p>}</div>}</div>
    </div>
  );
}

function Try({ files, replay }: { files: PolicyFile[]; replay: boolean }) {
  const [draft, setDraft] = useState(files);
  const [checked, checkError, checking, check] = useAnswer<Validation>();
  const [result, error, busy, run] = useAnswer<ReplayResult>();
  const submit = (event: Event & { currentTarget: HTMLFormElement }) => {
    event.preventDefault();
    if (!replay) { check("/v1/policies/validate", { files: draft }); return; }
    const form = new FormData(event.currentTarget);
    const when = (name: string) => { const text = String(form.get(name) ?? ""); return text ? new Date(text).toISOString() : null; };
    run("/v1/policies/replay", { files: draft, from: when("from"), to: when("to"), target: String(form.get("target") ?? "").trim() || null });
  };
  const change = (i: number, part: Partial<PolicyFile>) => setDraft(draft.map((file, n) => (n === i ? { ...file, ...part } : file)));
  return (
    <div class="columns">
      <form class="form" onSubmit={submit}>
        <p class="dim">{replay ? "What these policies would have decided about what was recorded. Nothing is loaded." : "Whether these policies could be loaded. Nothing is."}</p>
        {draft.map((file, i) => <fieldset key={i}><legend><label><span class="sr">File name</span><input class="mono" value={file.name} onInput={(event) => change(i, { name: event.currentTarget.value })} /></label></legend>
          <label><span class="sr">Text of {file.name}</span><textarea class="mono" rows={10} spellcheck={false} value={file.text} onInput={(event) => change(i, { text: event.currentTarget.value })} /></label></fieldset>)}
        <button type="button" class="button small" onClick={() => setDraft([...draft, { name: `new-${draft.length + 1}.cedar`, text: "" }])}>Add a file</button>
        {replay && <div class="filter-row"><Field label="From"><input type="datetime-local" name="from" /></Field><Field label="To"><input type="datetime-local" name="to" /></Field><Field label="Target"><input name="target" /></Field></div>}
        <button class="button primary" type="submit" disabled={busy || checking}>{busy || checking ? "Working…" : replay ? "Replay" : "Validate"}</button>
      </form>
      <div aria-live="polite">
        {(error ?? checkError) && <Problem error={(error ?? checkError) as Failed} />}
        {checked && <div class="card">{checked.ok ? <p class="verdict"><Badge word="ok" /> These policies can be loaded.</p> : <ul class="effects">{checked.problems.map((one, i) => <li key={i}><span class="mono"><Name text={one.file} />{one.line !== null && `:${one.line}`}{one.column !== null && `:${one.column}`}</span> <Name text={one.message} /></li>)}</ul>}</div>}
        {result && <div class="card"><p><b>{count(result.changed.length)}</b> of {plural(result.operations, "operation")} in {plural(result.sessions, "session")} would be decided otherwise.{result.truncated && " There are more than are shown or looked at: narrow the time or the target."}</p>
          <ol class="ops">{result.changed.map((one) => <li key={`${one.session} ${one.op}`}><a href={`${at`/sessions/${one.session}`}#op=${one.op}`}><span class="o-top"><DecisionBadge decision={one.was} /> → <DecisionBadge decision={one.now} /><span class="push dim"><When at={one.at} /></span></span><Line text={one.statement} /><span class="dim"><Names of={one.policies} /> <Name text={one.reason} /></span></a></li>)}</ol></div>}
      </div>
    </div>
  );
}
