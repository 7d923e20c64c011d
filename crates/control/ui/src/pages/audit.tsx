// What humans did with the control plane.

import type { Audit, AuditEntry } from "../api/types";
import { Empty, Problem, Waiting, usePaged } from "../parts/load";
import { Name, When } from "../parts/words";

export function AuditPage() {
  const list = usePaged<Audit, AuditEntry>((before) => `/v1/audit?limit=100${before ? `&before=${encodeURIComponent(before)}` : ""}`, "audit", (page) => page.entries, (page) => page.next);
  return (
    <section>
      <div class="head"><h1>Audit</h1></div>
      {list.error && <Problem error={list.error} retry={list.reload} />}
      {!list.done ? <Waiting /> : list.items.length === 0 && !list.error ? <Empty title="Nothing was done yet">Answers, readings of recordings and terminations are written down here.</Empty>
        : <div class="scroll" tabIndex={0} role="region" aria-label="Audit"><table><thead><tr><th class="num">#</th><th>When</th><th>Who</th><th>Action</th><th>What</th><th>Detail</th></tr></thead>
          <tbody>{list.items.map((one) => <tr key={one.seq}><td class="num dim">{one.seq}</td><td class="nowrap"><When at={one.at} /></td><td><Name text={one.who} /></td><td><Name text={one.action} class="mono" /></td><td><Name text={one.what} class="mono" /></td><td><Name text={one.detail} /></td></tr>)}</tbody></table></div>}
      {list.next && <p class="more"><button type="button" class="button" onClick={list.more}>Show older</button></p>}
    </section>
  );
}
