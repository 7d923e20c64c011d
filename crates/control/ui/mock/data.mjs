// What the mock control plane knows: hostile names and statements among ordinary ones. Deterministic.

export const START = Date.parse("2026-11-23T09:00:00Z");
export const iso = (ms) => new Date(ms).toISOString().replace("Z", "000Z");
const b64 = (text) => Buffer.from(text).toString("base64");

export const HOSTILE = "<img src=x onerror=alert(1)><script>alert(2)</script>";
const people = [
  ["dana", "dana@example.com", "user", ["okta:vendors"], []],
  ["svc-triage-agent", null, "workload", ["k8s:agents"], []],
  ["lee", "lee@example.com", "user", ["okta:vendors", "okta:on-call"], ["agent:claims-bot", "agent:runner-7"]],
  [HOSTILE, null, "user", ["okta:\u202evendors"], []],
];

export const person = (i) => {
  const [subject, email, kind, groups, actors] = people[i % people.length];
  return { issuer: "https://id.example.com", subject, email, kind, groups, actors };
};
const asker = (i) => {
  const { kind, ...rest } = person(i);
  return { ...rest, workload: kind === "workload" };
};

const statements = [
  "update orders\n   set status = 'refunded', refunded_at = now()\n where customer_id = 4711\n   and status = 'paid'",
  "delete from sessions where last_seen < now() - interval '90 days'",
  "update accounts set owner = 'eve\u202e\u2066'\u2069 \u2066-- admin' where id\u200b = 1;\r select 1",
  "kubectl exec deploy/claims-api -c app -- sh -c 'cat /proc/1/environ'",
  `insert into notes (body) values ('${HOSTILE}')`,
  "select \u0430ccount, pass\u00adword from p\u0430yments -- lookalike letters",
];

export function ask(n, now, patch = {}) {
  const statement = statements[n % statements.length];
  const asked = now - (n % 5) * 40_000 - 5_000;
  const expires = asked + 15 * 60_000;
  return {
    asked_at: iso(asked), expires_at: iso(expires), statement_text: statement,
    id: `ask${String(n).padStart(4, "0")}`, fingerprint: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    requester: asker(n), session: `eu-1-${String(100 + n).padStart(10, "0")}`,
    target: n % 3 === 0 ? "orders-db" : n % 3 === 1 ? "claims-k8s" : "billing-mysql", account: "app_rw",
    client: "10.4.17.23:51344", application: n % 4 === 3 ? HOSTILE : "psql", statement: b64(statement),
    values: n % 2 ? "" : "$1 = 4711 (int8), $2 = 'paid' (text)",
    effects: [
      { action: "sql:write", resource: { kind: "Table", path: ["shop", "public", "orders"] }, facts: { unfiltered: n % 2 === 1, functions: ["now"] } },
      { action: "sql:read", resource: { kind: "Table", path: ["shop", "public", "customers"] } },
    ],
    in_transaction: n % 2 === 0, policies: ["vendor-writes-need-a-dba", "no-unfiltered-writes-alone"],
    reason: "writes of vendors to production need a database administrator", revision: "c0ffee12",
    terms: { groups: [["okta:dba", "okta:on-call"], ["okta:security"]], quorum: n % 2 ? 2 : 1 },
    asked: asked * 1000, expires: expires * 1000, answers: [], state: "pending", ...patch,
  };
}

export const answer = (yes, reason, at) => ({
  by: { issuer: "https://id.example.com", subject: "sam", email: "sam@example.com", workload: false, groups: ["okta:dba"], actors: [] },
  yes, reason, at: at * 1000,
});

export function session(n, patch = {}) {
  const identity = person(n);
  const opened = START - n * 37 * 60_000;
  const live = n < 4;
  const protocol = ["postgres", "ssh", "kubernetes", "mysql"][n % 4];
  return {
    id: `eu-1-${String(1000 - n).padStart(10, "0")}`, protocol, target: ["orders-db", "bastion-7", "claims-k8s", "billing-mysql"][n % 4],
    client: `10.4.17.${n % 250}:5${String(n).padStart(4, "0")}`, application: n === 3 ? HOSTILE : ["psql", "OpenSSH_9.9", "kubectl/v1.34", "DBeaver"][n % 4],
    identity: { ...identity, name: identity.email ?? identity.subject }, opened_at: iso(opened),
    closed_at: live ? null : iso(opened + (n + 1) * 61_000), reason: live ? null : "the client said goodbye", live,
    operations: (n * 13) % 97, denied: n % 5 === 2 ? 3 : 0, asked: n % 7 === 1 ? 1 : 0, masked: n % 3 === 0 ? n * 17 : 0,
    recovered: n === 9, problem: n === 11 ? "segment 4: the chain does not match" : null, ...patch,
  };
}

const effects = [{ action: "sql:read", resource: { kind: "Table", path: ["shop", "public", "customers"] } }];
const cell = (r, c) => [String(r), `customer ${r}`, r % 7 ? "****@example.com" : null, r % 11 ? "2026-11-23 09:00:00" : HOSTILE, "x".repeat(r % 40)][c];

/** Event `seq` of a session, computed when asked, so that long ones cost nothing. */
export function eventOf(kind, seq, live) {
  const at = iso(START + seq * 20);
  const wrap = (event) => ({ seq, at, event });
  const first = {
    opened: {
      session: "eu-1", protocol: kind === "terminal" ? "ssh" : "postgres", target: "orders-db", client: "10.4.17.23:51344", application: "psql",
      identity: { ...person(0), token: "t-1", expires: 1 },
    },
  };
  if (seq === 1) return wrap(first);
  if (kind === "million") return wrap(million(seq));
  if (kind === "terminal") return terminal(seq, live);
  const op = Math.floor((seq - 2) / 5) + 1;
  const part = (seq - 2) % 5;
  const decision = op % 9 === 0 ? "deny" : op % 5 === 0 ? "ask-first" : "allow";
  if (part === 0) return wrap({ operation: { op, kind: op % 2 ? "Query" : "Execute", statement: op === 4 ? { base64: "c2VsZWN0IP8AJ3gn" } : op === 3 ? statements[2] : `select id, name, email from customers where id = ${op}`, parameters: op % 3, effects } });
  if (part === 1) return wrap({ decision: { op, decision, policies: decision === "deny" ? ["never"] : ["vendor-reads"], reason: decision === "deny" ? "schema changes go through migrations" : "", revision: "c0ffee12" } });
  if (part === 2) return wrap(decision === "ask-first" ? { asked: { op, ask: "ask0001" } } : { columns: { op, columns: ["id", "name", "email", "seen", "note"].map((name) => ({ name, kind: "text" })) } });
  if (part === 3) return wrap(decision === "ask-first" ? { answered: { op, verdict: "approved", detail: "sam@example.com at 2026-11-23T09:00:00Z: looks right" } } : decision === "deny" ? { rows: { op, rows: [] } } : { rows: { op, rows: Array.from({ length: op % 6 }, (_, r) => [0, 1, 2, 3, 4].map((c) => cell(r, c))) } });
  return wrap({ outcome: { op, status: decision === "deny" ? "refused" : op % 13 === 0 ? "failed" : "completed", message: op % 13 === 0 ? "relation \"nope\" does not exist" : `SELECT ${op % 6}`, code: op % 13 === 0 ? "42P01" : "", rows: op % 6, bytes: 512, micros: 300 + op * 7, masked: op % 4 === 0 ? { email: op % 6, card: 1 } : {} } });
}

const CHUNK = 500;
function million(seq) {
  if (seq === 2) return { operation: { op: 1, kind: "Query", statement: "select * from customers", parameters: 0, effects } };
  if (seq === 3) return { decision: { op: 1, decision: "allow", policies: ["vendor-reads"], reason: "", revision: "c0ffee12" } };
  if (seq === 4) return { columns: { op: 1, columns: ["id", "name", "email", "seen", "note"].map((name) => ({ name, kind: "text" })) } };
  if (seq < 2005) {
    const from = (seq - 5) * CHUNK;
    return { rows: { op: 1, rows: Array.from({ length: CHUNK }, (_, r) => [0, 1, 2, 3, 4].map((c) => cell(from + r, c))) } };
  }
  if (seq === 2005) return { outcome: { op: 1, status: "completed", message: "SELECT 1000000", rows: 1_000_000, bytes: 80_000_000, micros: 4_200_000, masked: { email: 857_143 } } };
  return { closed: { reason: "the client said goodbye", operations: 1 } };
}

function terminal(seq, live) {
  const at = iso(START + seq * 400);
  const wrap = (event) => ({ seq, at, event });
  if (seq === 2) return wrap({ operation: { op: 1, kind: "shell", statement: "shell", parameters: 0, effects: [{ action: "ssh:shell", resource: { kind: "Login", path: ["deploy"] } }] } });
  if (seq === 3) return wrap({ decision: { op: 1, decision: "allow", policies: ["on-call-shell"], reason: "", revision: "c0ffee12" } });
  if (seq === 4) return wrap({ resize: { op: 1, columns: 92, rows: 26 } });
  if (seq === 30) return wrap({ operation: { op: 2, kind: "exec", statement: "sudo systemctl restart claims", parameters: 0, effects: [{ action: "ssh:exec", resource: { kind: "Login", path: ["deploy"] } }] } });
  if (seq === 31) return wrap({ decision: { op: 2, decision: "deny", policies: ["no-sudo"], reason: "restarts go through the pipeline", revision: "c0ffee12" } });
  if (seq === 120 && !live) return wrap({ outcome: { op: 1, status: "completed", message: "exit 0", rows: 0, bytes: 9_000, micros: 46_000_000 } });
  const line = seq % 6 === 0
    ? `\x1b[1;32mdeploy@bastion-7\x1b[0m:\x1b[1;34m~\x1b[0m$ `
    : seq % 6 === 1 ? `tail -n ${seq} /var/log/claims.log\r\n` : `2026-11-23T09:${String(seq % 60).padStart(2, "0")}:00Z \x1b[33minfo\x1b[0m claim ${seq * 31} settled <b>${seq}</b>\r\n`;
  return wrap({ terminal: { op: 1, stream: "output", data: line } });
}

export const policies = {
  revision: "c0ffee12", loaded_at: iso(START),
  files: [{ name: "orders.cedar", text: `@id("vendor-reads")\npermit (principal in Group::"okta:vendors", action in Action::"sql:read", resource in Target::"orders-db");\n\n@id("vendor-writes-need-a-dba") @approval("okta:dba") @ttl("15m")\npermit (principal in Group::"okta:vendors", action in Action::"sql:write", resource in Target::"orders-db");\n` },
    { name: "never.cedar", text: `@id("never") @reason("schema changes go through migrations")\nforbid (principal, action in Action::"sql:ddl", resource in Target::"orders-db");\n` }],
  policies: [
    { id: "vendor-reads", file: "orders.cedar", line: 1, effect: "permit", annotations: {}, text: `permit (principal in Group::"okta:vendors", action in Action::"sql:read", resource in Target::"orders-db");` },
    { id: "vendor-writes-need-a-dba", file: "orders.cedar", line: 4, effect: "permit", annotations: { approval: "okta:dba", ttl: "15m" }, text: `permit (principal in Group::"okta:vendors", action in Action::"sql:write", resource in Target::"orders-db");` },
    { id: "never", file: "never.cedar", line: 1, effect: "forbid", annotations: { reason: "schema changes go through migrations" }, text: `forbid (principal, action in Action::"sql:ddl", resource in Target::"orders-db");` },
  ],
};

export const targets = {
  targets: [
    { name: "orders-db", protocol: "postgres", listen: "0.0.0.0:5432", address: "orders.internal:5432", labels: { env: "prod", team: "orders" }, health: { state: "up", checked_at: iso(START), detail: "" }, live_sessions: 3 },
    { name: "billing-mysql", protocol: "mysql", listen: "0.0.0.0:3306", address: "billing.internal:3306", labels: { env: "prod" }, health: { state: "down", checked_at: iso(START), detail: "connection refused" }, live_sessions: 0 },
    { name: "bastion-7", protocol: "ssh", listen: "0.0.0.0:2222", address: "bastion-7.internal:22", labels: {}, health: { state: "unknown", checked_at: null, detail: "" }, live_sessions: 1 },
    { name: HOSTILE, protocol: "kubernetes", listen: "0.0.0.0:6443", address: "k8s.internal:6443", labels: { note: HOSTILE }, health: { state: "up", checked_at: iso(START), detail: "" }, live_sessions: 12 },
  ],
};

export const health = {
  version: "0.1.0", uptime_s: 93_784,
  parts: [
    { name: "recorder", state: "ok", detail: "" }, { name: "identity okta", state: "degraded", detail: "keys are 26 h old; the issuer cannot be reached" },
    { name: "policy", state: "ok", detail: "revision c0ffee12" }, { name: "archive", state: "failed", detail: "the object store refuses writes: 403" },
  ],
};
