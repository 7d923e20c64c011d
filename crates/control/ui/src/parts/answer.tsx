// The dialog in which an ask is answered. It shows the whole statement again: what is approved is read.

import type { Ask } from "../api/types";
import { timeLeft } from "../text/time";
import { ReasonDialog } from "./dialog";
import { Actors, Name, Statement, now } from "./words";

export function TimeLeft({ expires }: { expires: number }) {
  const left = expires / 1000 - now.value;
  return <span class={`left${left < 60_000 ? " left-short" : ""}`} title="time left">{timeLeft(expires / 1000, now.value)}</span>;
}

export function AnswerDialog({ ask, yes, onDo, onClose }: { ask: Ask; yes: boolean; onDo: (reason: string) => Promise<void>; onClose: () => void }) {
  return (
    <ReasonDialog title={yes ? "Approve this operation" : "Deny this operation"} action={yes ? "Approve" : "Deny"} danger={!yes} keep={`reason ${ask.id} ${yes}`} onDo={onDo} onClose={onClose}>
      <p><Actors actors={ask.requester.actors} name={ask.requester.email ?? ask.requester.subject} /> on <Name text={ask.target} class="target" /></p>
      <Statement text={{ base64: ask.statement }} label="The statement" />
    </ReasonDialog>
  );
}
