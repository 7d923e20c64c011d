// The contract with the control plane, in its own shape. Nothing here decides anything.

export interface ApiFailure { code: string; message: string }

export interface Issuers { issuers: { name: string }[] }

export interface Me {
  name: string;
  issuer: string;
  subject: string;
  email: string | null;
  kind: "user" | "workload";
  groups: string[];
  expires_at: string;
  csrf: string | null;
  may: string[];
}

export type AskState = "pending" | "approved" | "denied" | "expired" | "withdrawn" | "used" | "revoked";

export interface Person {
  issuer: string;
  subject: string;
  email: string | null;
  workload: boolean;
  groups: string[];
  actors: string[];
}

export interface Answer { by: Person; yes: boolean; reason: string; at: number }

export interface Effect {
  action: string;
  resource: { kind: string; path: string[] };
  facts?: Record<string, unknown>;
}

export interface Ask {
  asked_at: string;
  expires_at: string;
  statement_text: string;
  id: string;
  fingerprint: string;
  requester: Person;
  session: string;
  target: string;
  account: string;
  client: string;
  application: string;
  /** Base64 of the exact bytes. */
  statement: string;
  values: string;
  effects: Effect[];
  in_transaction: boolean;
  policies: string[];
  reason: string;
  revision: string;
  terms: { groups: string[][]; quorum: number };
  asked: number;
  expires: number;
  answers: Answer[];
  state: AskState;
}

export interface Asks { asks: Ask[] }

export interface SessionIdentity {
  issuer: string;
  subject: string;
  name: string;
  email: string | null;
  kind: "user" | "workload";
  groups: string[];
  actors: string[];
}

export interface Session {
  id: string;
  protocol: string;
  target: string;
  client: string;
  application: string;
  identity: SessionIdentity;
  opened_at: string;
  closed_at: string | null;
  reason: string | null;
  live: boolean;
  operations: number;
  denied: number;
  asked: number;
  masked: number;
  recovered: boolean;
  problem: string | null;
}

export interface Sessions { sessions: Session[]; next: string | null }

/** Text as recorded: a string where it is UTF-8, else its bytes. */
export type Text = string | { base64: string };

export interface Column { name: string; kind: string }

export type Decision = "allow" | "ask-first" | "deny";
export type Status = "completed" | "failed" | "refused" | "aborted";

export interface RecordedEvent {
  opened?: {
    session: string; protocol: string; target: string; client: string; application: string;
    identity: { issuer: string; subject: string; kind: string; groups: string[]; email: string | null; actors: string[] };
  };
  operation?: { op: number; kind: string; statement: Text; parameters: number; types?: number[]; effects: Effect[] };
  decision?: { op: number; decision: Decision; policies: string[]; reason: string; revision: string };
  asked?: { op: number; ask: string };
  answered?: { op: number; verdict: string; detail: string };
  columns?: { op: number; columns: Column[] };
  rows?: { op: number; rows: (Text | null)[][] };
  terminal?: { op: number; stream: "input" | "output" | "error"; data: Text };
  resize?: { op: number; columns: number; rows: number };
  outcome?: {
    op: number; status: Status; message: string; code?: string;
    rows: number; bytes: number; micros: number; masked?: Record<string, number>;
  };
  gap?: { events: number; reason: string };
  recovered?: { torn: number };
  closed?: { reason: string; operations: number };
}

export interface Recorded { seq: number; at: string; event: RecordedEvent }

export interface Events { events: Recorded[]; next: number | null; ended: boolean }

export interface Operation {
  session: string;
  op: number;
  at: string;
  kind: string;
  statement: string;
  decision: Decision;
  policies: string[];
  status: Status | null;
  rows: number;
  micros: number;
  masked: Record<string, number>;
}

export interface Operations { operations: Operation[]; next: string | null }

export interface PolicyFile { name: string; text: string }

export interface Policy {
  id: string;
  file: string;
  line: number;
  effect: "permit" | "forbid";
  annotations: Record<string, string>;
  text: string;
}

export interface Policies { revision: string; loaded_at: string; files: PolicyFile[]; policies: Policy[] }

export interface Problem { file: string; line: number | null; column: number | null; message: string }

export interface Validation { ok: boolean; problems: Problem[] }

export interface ExplainRequest {
  identity: { issuer: string; subject: string; groups: string[]; email: string | null; kind: "user" | "workload" };
  target: string;
  action: string;
  resource: string[];
  facts: Record<string, unknown>;
}

export interface Explanation {
  decision: Decision;
  policies: { id: string; file: string; line: number; effect: string; reason: string }[];
  reason: string;
  ask: { groups: string[][]; quorum: number; ttl_s: number } | null;
}

export interface ReplayRequest { files: PolicyFile[]; from: string | null; to: string | null; target: string | null }

export interface Change {
  session: string; op: number; at: string; statement: string;
  was: Decision; now: Decision; policies: string[]; reason: string;
}

export interface ReplayResult { sessions: number; operations: number; changed: Change[]; truncated: boolean }

export interface Target {
  name: string;
  protocol: string;
  listen: string;
  address: string;
  labels: Record<string, string>;
  health: { state: "up" | "down" | "unknown"; checked_at: string | null; detail: string };
  live_sessions: number;
}

export interface Targets { targets: Target[] }

export interface AuditEntry { seq: number; at: string; who: string; action: string; what: string; detail: string }

export interface Audit { entries: AuditEntry[]; next: string | null }

export interface Health {
  version: string;
  uptime_s: number;
  parts: { name: string; state: "ok" | "degraded" | "failed"; detail: string }[];
}

export interface Ticket { ticket: string; target: string; expires_at: string }
