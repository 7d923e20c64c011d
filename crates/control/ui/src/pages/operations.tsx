// Operations of all sessions, found by what they said.

import { at } from "../api/client";
import type { Operation, Operations } from "../api/types";
import { OPERATION_FILTERS, ask, parse, print } from "../data/query";
import { FilterForm } from "../parts/filters";
import { Empty, Problem, Waiting, usePaged } from "../parts/load";
import { Badge, DecisionBadge, Line, Masked, Name, When } from "../parts/words";
import { place } from "../router";
import { count, duration } from "../text/time";

export function OperationsPage() {
  const filters = parse(place.value.search, OPERATION_FILTERS);
  const key = print(filters, OPERATION_FILTERS);
  const list = usePaged<Operations, Operation>((before) => `/v1/operations${ask(filters, OPERATION_FILTERS, before)}`, key, (page) => page.operations, (page) => page.next);
  return (
    <section>
      <div class="head"><h1>Operations</h1></div>
      <FilterForm path="/operations" keys={OPERATION_FILTERS} fields={[
        { name: "q", label: "Search statements", type: "search", hint: "Search statements" }, { name: "identity", label: "Who" }, { name: "target", label: "Target" }, { name: "session", label: "Session" },
        { name: "decision", label: "Decision", options: ["allow", "ask-first", "deny"] }, { name: "from", label: "From", type: "datetime-local" }, { name: "to", label: "To", type: "datetime-local" }]} />
      {list.error && <Problem error={list.error} retry={list.reload} />}
      {!list.done ? <Waiting /> : list.items.length === 0 && !list.error ? <Empty title="No operation fits"><a href="/operations">Clear the filters</a></Empty>
        : <ol class="ops">{list.items.map((one) => (
          <li key={`${one.session} ${one.op}`}><a href={`${at`/sessions/${one.session}`}#op=${one.op}`}>
            <span class="o-top"><DecisionBadge decision={one.decision} />{one.status && one.status !== "completed" && <Badge word={one.status} />}<Name text={one.kind} class="dim" /><span class="dim push"><When at={one.at} /></span></span>
            <Line text={one.statement} />
            <span class="o-end dim"><Name text={one.session} class="mono" /> #{one.op} · {count(one.rows)} rows · {duration(one.micros / 1000)} <Masked tags={one.masked} /></span>
          </a></li>))}</ol>}
      {list.next && <p class="more"><button type="button" class="button" onClick={list.more}>Show older</button></p>}
    </section>
  );
}
