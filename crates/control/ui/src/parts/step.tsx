// One operation of a session: its statement, decision, approval, outcome, and the rows its client saw.

import { useState } from "preact/hooks";
import { at } from "../api/client";
import type { Result, Step } from "../data/fold";
import { count, duration, moment, size } from "../text/time";
import { Long } from "./long";
import { Badge, DecisionBadge, Effects, Masked, Name, Names, Statement, asText } from "./words";

const COLUMN = 168;

export function StepDetail({ step, id }: { step: Step; id: string }) {
  const { decision, outcome } = step;
  return (
    <div class="step" key={step.op}>
      <div class="head"><h2>Operation {step.op}</h2><Name text={step.kind} class="dim" /><span class="push dim">{moment(step.at)}</span></div>
      <Statement text={step.statement} label="Statement" />
      {step.parameters > 0 && <p class="dim">{count(step.parameters)} bound {step.parameters === 1 ? "value" : "values"}</p>}
      <dl class="facts">
        <dt>Decision</dt><dd><DecisionBadge decision={decision?.decision ?? null} /> {decision?.reason && <Name text={decision.reason} />}</dd>
        {decision && <><dt>Policies</dt><dd><Names of={decision.policies} /> <span class="dim">revision <Name text={decision.revision} class="mono" /></span></dd></>}
        {step.ask && <><dt>Approval</dt><dd><a href={at`/asks/${step.ask}`}><Name text={step.ask} class="mono" /></a> {step.answer && <><Badge word={step.answer.verdict} /> <Name text={step.answer.detail} /></>}</dd></>}
        <dt>Effects</dt><dd><Effects effects={step.effects} /></dd>
        {outcome ? <><dt>Outcome</dt><dd><Badge word={outcome.status} /> {outcome.code && <Name text={outcome.code} class="mono" />} <Name text={outcome.message} /></dd>
          <dt>Reply</dt><dd>{count(outcome.rows)} rows, {size(outcome.bytes)}, {duration(outcome.micros / 1000)}</dd>
          {Object.keys(outcome.masked).length > 0 && <><dt>Masked</dt><dd><Masked tags={outcome.masked} /></dd></>}</> : <><dt>Outcome</dt><dd class="dim">not yet</dd></>}
        {step.terminal > 0 && <><dt>Terminal</dt><dd><a href={`${at`/sessions/${id}/replay`}#op=${step.op}`}>replay from here</a></dd></>}
      </dl>
      {step.results.map((result, i) => <Rows key={i} result={result} seen={outcome?.rows ?? null} only={step.results.length === 1} />)}
    </div>
  );
}

function Rows({ result, seen, only }: { result: Result; seen: number | null; only: boolean }) {
  const [cell, setCell] = useState<{ row: number; column: number } | null>(null);
  const width = Math.max(1, result.columns.length) * COLUMN + 64;
  const value = cell && result.row(cell.row)?.[cell.column];
  return (
    <section class="rows"><h3>Result <span class="dim">{count(result.total)} rows as the client saw them{only && seen !== null && seen > result.total ? `, of ${count(seen)}: the rest was not recorded` : ""}</span></h3>
      {result.total > 0 && <Long total={result.total} row={28} label="Rows" class="grid" table={{ columns: result.columns.length + 1, width }}
        head={<><span role="columnheader" class="cell num">row</span>{result.columns.map((column, i) => <span key={i} role="columnheader" class="cell" title={column.kind}><Name text={column.name} /></span>)}</>}
        draw={(index) => <><span role="rowheader" class="cell num dim">{count(index + 1)}</span>{result.row(index)?.map((value, i) => (
          <span key={i} role="cell" class="cell" onClick={() => setCell({ row: index, column: i })}>{value === null ? <span class="null">NULL</span> : <Name text={asText(value).slice(0, 200)} />}</span>))}</>} />}
      {cell && value !== undefined && <div class="cell-detail"><h4>Row {count(cell.row + 1)}, <Name text={result.columns[cell.column]?.name ?? ""} /> <button type="button" class="quiet" onClick={() => setCell(null)} aria-label="Close">✕</button></h4>
        {value === null ? <span class="null">NULL</span> : <Statement text={value} label="The value" />}</div>}
    </section>
  );
}
