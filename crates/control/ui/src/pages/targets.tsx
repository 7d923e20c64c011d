// The targets: where to connect to, and whether they are well.

import { useState } from "preact/hooks";
import { Failed, may, post } from "../api/client";
import type { Targets, Ticket } from "../api/types";
import { Dialog } from "../parts/dialog";
import { Empty, Problem, Waiting, useLoad } from "../parts/load";
import { Ago, Badge, Name, When } from "../parts/words";
import { print } from "../data/query";

export function TargetsPage() {
  const { data, error, reload } = useLoad<Targets>("/v1/targets");
  const [ticket, setTicket] = useState<Ticket | Failed | null>(null);
  const make = (target: string) => void post<Ticket>("/v1/tickets", { target }).then(setTicket, (why: unknown) => { if (why instanceof Failed) setTicket(why); });
  return (
    <section>
      <div class="head"><h1>Targets</h1></div>
      {error ? <Problem error={error} retry={() => void reload()} /> : !data ? <Waiting /> : data.targets.length === 0 ? <Empty title="No target is configured">Add a <code>[[target]]</code> to the gate's configuration.</Empty>
        : <div class="scroll" tabIndex={0} role="region" aria-label="Targets"><table><thead><tr><th>Target</th><th>Health</th><th>Clients connect to</th><th>Address</th><th>Labels</th><th class="num">Live</th><th><span class="sr">Actions</span></th></tr></thead>
          <tbody>{data.targets.map((one) => <tr key={one.name}>
            <th scope="row"><Name text={one.name} class="target" /><br /><span class="dim">{one.protocol}</span></th>
            <td><Badge word={one.health.state} /> {one.health.checked_at && <span class="dim"><Ago at={one.health.checked_at} /></span>}{one.health.detail && <div class="warn"><Name text={one.health.detail} /></div>}</td>
            <td class="mono"><Name text={one.listen} /></td><td class="mono"><Name text={one.address} /></td>
            <td>{Object.entries(one.labels).map(([key, value]) => <span key={key} class="tag"><Name text={`${key}=${value}`} /></span>)}</td>
            <td class="num"><a href={`/sessions${print({ target: one.name, state: "live" }, ["target", "state"])}`}>{one.live_sessions}<span class="sr"> live sessions of {one.name}</span></a></td>
            <td>{may("control:tickets:make") && <button type="button" class="button small" onClick={() => make(one.name)}>Ticket<span class="sr"> for {one.name}</span></button>}</td></tr>)}</tbody></table></div>}
      {ticket && <Dialog title="One-time ticket" onClose={() => setTicket(null)}>{ticket instanceof Failed ? <Problem error={ticket} />
        : <div class="ticket"><p>Use it as the password for <Name text={ticket.target} class="target" />. It works once, until <When at={ticket.expires_at} />, and is not shown again.</p>
          <pre tabIndex={0}><code>{ticket.ticket}</code></pre><button type="button" class="button primary" data-first onClick={() => void navigator.clipboard.writeText(ticket.ticket)}>Copy</button></div>}</Dialog>}
    </section>
  );
}
