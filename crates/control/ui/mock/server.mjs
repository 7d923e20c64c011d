// A control plane for developing and testing the pages: the contract's routes over made-up data. It
// serves dist/ with the headers of the real one, and is part of nothing that is shipped.
//
//   node mock/server.mjs [port]      then POST /mock/ask to make an ask appear

import { createReadStream, existsSync, statSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { START, answer, ask, eventOf, health, iso, policies, session, targets } from "./data.mjs";

const DIST = fileURLToPath(new URL("../dist/", import.meta.url));
const POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; font-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";
const REPLAY = POLICY.replace("script-src 'self'", "script-src 'self' 'wasm-unsafe-eval'");
const TYPES = { ".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml", ".wasm": "application/wasm" };
const PAGES = /^\/(?:|sign-in|asks|asks\/[^/]+|live|sessions|sessions\/[^/]+|sessions\/[^/]+\/replay|operations|policies|targets|audit|health)$/;

const MAY = ["asks:read", "asks:answer", "asks:revoke", "sessions:read", "sessions:end", "recordings:read", "policies:read", "policies:try", "targets:read", "audit:read", "health:read", "tickets:make"].map((name) => `control:${name}`);

export function start(port = 0) {
  const now = Date.now();
  const state = {
    signedIn: true, stale: false, broken: false, noStreams: false, next: 6, watchers: new Set(),
    asks: new Map(),
    sessions: Array.from({ length: 137 }, (_, n) => session(n)),
  };
  for (let n = 0; n < 6; n++) { const made = ask(n, now); state.asks.set(made.id, made); }
  const over = ask(7, now - 3_600_000, { state: "denied" });
  over.answers = [answer(false, "no ticket named", now - 3_500_000)];
  state.asks.set(over.id, over);
  state.asks.get("ask0001").answers = [answer(true, "checked with the customer", now - 10_000)];
  state.sessions.unshift(session(200, { id: "million", live: false, operations: 1, masked: 857143 }));
  state.sessions.unshift(session(201, { id: "long", protocol: "postgres", live: false, operations: 20_000 }));
  state.sessions.unshift(session(205, { id: "term", protocol: "ssh", target: "bastion-7", live: false, operations: 2, denied: 1 }));

  const tell = (topic, event, data) => {
    for (const watcher of state.watchers) if (watcher.topic === topic) watcher.response.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
  };
  const kindOf = (id) => id === "million" ? "million" : state.sessions.find((s) => s.id === id)?.protocol === "ssh" ? "terminal" : "plain";
  const lengthOf = (found) => found.id === "million" ? 2006 : found.id === "long" ? 100_001 : found.protocol === "ssh" ? 120 : found.live ? 61 : 301;

  const server = createServer(async (request, response) => {
    const url = new URL(request.url, "http://mock");
    const path = url.pathname;
    const json = (status, body) => { response.writeHead(status, { "Content-Type": "application/json", "Cache-Control": "no-store" }); response.end(JSON.stringify(body)); };
    const fail = (status, code, message) => json(status, { code, message });
    const body = async () => { let text = ""; for await (const chunk of request) text += chunk; return text ? JSON.parse(text) : {}; };
    const live = (topic, hello) => {
      if (state.noStreams) return fail(503, "busy", "too many streams are open");
      response.writeHead(200, { "Content-Type": "text/event-stream", "Cache-Control": "no-store" });
      response.write(": hello\n\n");
      const watcher = { topic, response };
      state.watchers.add(watcher);
      request.on("close", () => state.watchers.delete(watcher));
      hello?.();
    };

    if (path.startsWith("/mock/")) {
      const told = await body();
      if (path === "/mock/set") { Object.assign(state, told); return json(200, {}); }
      if (path === "/mock/ask") { const made = ask(state.next++, Date.now()); state.asks.set(made.id, made); tell("asks", "ask", made); return json(200, made); }
    }
    if (path === "/login") { state.signedIn = true; response.writeHead(303, { Location: url.searchParams.get("return") ?? "/" }); return response.end(); }
    if (path === "/logout") { state.signedIn = false; response.writeHead(204); return response.end(); }
    if (path === "/v1/issuers") return json(200, { issuers: [{ name: "okta" }, { name: "github" }] });
    if (!path.startsWith("/v1/")) return file(path, request, response);
    if (state.broken) return fail(503, "store-failed", "nothing can be stored now; try again");
    if (!state.signedIn) return fail(401, "no-token", "sign in first");
    if (request.method === "POST" && request.headers["x-portcullis-csrf"] !== "csrf-1") return fail(403, "csrf", "the request did not come from the page");

    if (path === "/v1/me") return json(200, { name: "sam@example.com", issuer: "okta", subject: "sam", email: "sam@example.com", kind: "user", groups: ["okta:dba"], expires_at: iso(Date.now() + 3_600_000), csrf: "csrf-1", may: MAY });
    if (path === "/v1/asks/live") return live("asks");
    if (path === "/v1/asks") {
      const want = url.searchParams.get("state");
      return json(200, { asks: [...state.asks.values()].filter((a) => !want || a.state === want).sort((a, b) => b.asked - a.asked) });
    }
    const one = path.match(/^\/v1\/asks\/([^/]+)(?:\/(approve|deny|revoke))?$/);
    if (one) {
      const found = state.asks.get(one[1]);
      if (!found) return fail(404, "no-such-ask", `there is no ask \`${one[1]}\``);
      if (!one[2]) return json(200, found);
      if (state.stale) return fail(403, "stale-login", "your login is too old to answer with; log in again");
      const { reason } = await body();
      if (one[2] === "revoke") found.state = "revoked";
      else if (found.state !== "pending") return fail(409, "ask-over", `the ask is ${found.state} and takes no answer any more`);
      else {
        found.answers = [...found.answers, answer(one[2] === "approve", reason, Date.now())];
        if (one[2] === "deny") found.state = "denied";
        else if (found.answers.length >= found.terms.quorum) found.state = "approved";
      }
      tell("asks", "ask", found);
      return json(200, found);
    }
    if (path === "/v1/sessions/live") return live("sessions");
    if (path === "/v1/sessions") {
      const q = url.searchParams;
      const found = state.sessions.filter((s) => (!q.get("state") || (q.get("state") === "live") === s.live) && (!q.get("protocol") || s.protocol === q.get("protocol"))
        && (!q.get("target") || s.target === q.get("target")) && (!q.get("identity") || s.identity.name.includes(q.get("identity"))) && (q.get("q") !== "nothing"));
      const from = Number(q.get("before") ?? 0), limit = Number(q.get("limit") ?? 50);
      return json(200, { sessions: found.slice(from, from + limit), next: from + limit < found.length ? String(from + limit) : null });
    }
    const part = path.match(/^\/v1\/sessions\/([^/]+)(\/events|\/events\/live|\/terminate|\/recording)?$/);
    if (part) {
      const found = state.sessions.find((s) => s.id === part[1]);
      if (!found) return fail(404, "no-such-session", `there is no session \`${part[1]}\``);
      if (!part[2]) return json(200, found);
      const total = lengthOf(found), kind = kindOf(found.id);
      if (part[2] === "/events") {
        const after = Number(url.searchParams.get("after") ?? 0), limit = Math.min(1000, Number(url.searchParams.get("limit") ?? 100));
        const events = [];
        for (let seq = after + 1; seq <= Math.min(total, after + limit); seq++) events.push(eventOf(kind, seq, found.live));
        return json(200, { events, next: after + limit < total ? after + limit : null, ended: !found.live });
      }
      if (part[2] === "/events/live") return live(`events ${found.id}`, () => {
        let seq = Math.max(Number(url.searchParams.get("after") ?? 0), Number(request.headers["last-event-id"] ?? 0), total);
        const timer = setInterval(() => {
          seq += 1;
          response.write(`event: recorded\nid: ${seq}\ndata: ${JSON.stringify({ ...eventOf(kind, seq, true), at: iso(Date.now()) })}\n\n`);
        }, 700);
        request.on("close", () => clearInterval(timer));
      });
      if (part[2] === "/terminate") {
        const { reason } = await body();
        Object.assign(found, { live: false, closed_at: iso(Date.now()), reason });
        tell("sessions", "session", found);
        return json(200, found);
      }
      return fail(404, "no-such-route", "the mock has no recordings to download");
    }
    if (path === "/v1/operations") {
      const from = Number(url.searchParams.get("before") ?? 0);
      const found = Array.from({ length: 50 }, (_, i) => {
        const n = from + i + 1, shown = session(n % 100), event = eventOf("plain", (n - 1) * 5 + 2).event.operation, decision = eventOf("plain", (n - 1) * 5 + 3).event.decision, { outcome } = eventOf("plain", (n - 1) * 5 + 6).event;
        return { session: shown.id, op: n, at: iso(START - n * 9_000), kind: event.kind, statement: typeof event.statement === "string" ? event.statement : "select \ufffd", decision: decision.decision, policies: decision.policies, status: outcome.status, rows: outcome.rows, micros: outcome.micros, masked: outcome.masked };
      });
      return json(200, { operations: found, next: from < 200 ? String(from + 50) : null });
    }
    if (path === "/v1/policies") return json(200, policies);
    if (path === "/v1/policies/validate") {
      const { files } = await body();
      const bad = files.find((f) => f.text.includes("premit"));
      return json(200, bad ? { ok: false, problems: [{ file: bad.name, line: 2, column: 1, message: "unexpected token `premit`; did you mean `permit`?" }] } : { ok: true, problems: [] });
    }
    if (path === "/v1/policies/explain") return json(200, { decision: "ask-first", policies: [{ id: "vendor-writes-need-a-dba", file: "orders.cedar", line: 4, effect: "permit", reason: "" }], reason: "writes of vendors need a database administrator", ask: { groups: [["okta:dba"]], quorum: 1, ttl_s: 900 } });
    if (path === "/v1/policies/replay") return json(200, { sessions: 137, operations: 20_412, truncated: true, changed: [{ session: "eu-1-0000000997", op: 3, at: iso(START), statement: "update orders set total = 0", was: "allow", now: "deny", policies: ["never"], reason: "schema changes go through migrations" }] });
    if (path === "/v1/targets") return json(200, targets);
    if (path === "/v1/tickets") return json(200, { ticket: "pt_4f9a0c77d2", target: "orders-db", expires_at: iso(Date.now() + 60_000) });
    if (path === "/v1/audit") {
      const from = Number(url.searchParams.get("before") ?? 300);
      const entries = Array.from({ length: Math.min(50, from) }, (_, i) => ({ seq: from - i, at: iso(START - i * 60_000), who: i % 6 ? "sam@example.com" : "<b>mallory</b>\u202e", action: ["control:recordings:read", "control:asks:answer", "control:sessions:end"][i % 3], what: `eu-1-${String(from - i).padStart(10, "0")}`, detail: i % 3 === 1 ? "approved: looks right" : "" }));
      return json(200, { entries, next: from > 50 ? String(from - 50) : null });
    }
    if (path === "/v1/health") return json(200, health);
    return fail(404, "no-such-route", "there is nothing here");
  });

  function file(path, request, response) {
    let name = normalize(path).replace(/^\/+/, "");
    let found = name && existsSync(join(DIST, name)) && statSync(join(DIST, name)).isFile();
    if (!found) {
      if (!PAGES.test(path)) { response.writeHead(404, { "Content-Type": "text/plain" }); return response.end("there is nothing here\n"); }
      name = "index.html";
      found = true;
    }
    const html = name.endsWith(".html");
    response.writeHead(200, {
      "Content-Type": TYPES[extname(name)] ?? "application/octet-stream", "X-Content-Type-Options": "nosniff",
      "Cache-Control": html ? "no-cache" : "public, max-age=31536000, immutable",
      "Content-Security-Policy": path.endsWith("/replay") ? REPLAY : POLICY,
    });
    createReadStream(join(DIST, name)).pipe(response);
  }

  return new Promise((resolve) => server.listen(port, "127.0.0.1", () => {
    resolve({ url: `http://127.0.0.1:${server.address().port}`, close: () => { server.closeAllConnections(); server.close(); } });
  }));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { url } = await start(Number(process.argv[2] ?? 8099));
  console.log(url);
}
