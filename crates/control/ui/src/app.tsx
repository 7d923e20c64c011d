// The frame of every page: who is signed in, where one can go, and which page the address names.

import { type ComponentType, type VNode } from "preact";
import { useEffect, useState } from "preact/hooks";
import { Failed, get, may, me, post } from "./api/client";
import type { Me } from "./api/types";
import { KeysDialog } from "./parts/dialog";
import { Problem, Waiting } from "./parts/load";
import { Name } from "./parts/words";
import { AsksPage } from "./pages/asks";
import { AskPage } from "./pages/ask";
import { SignInPage } from "./pages/sign-in";
import { helpOpen } from "./keys";
import { follow, go, path, place } from "./router";
import { nextTheme, theme } from "./theme";
import { pending, watchAsks } from "./data/asks";

type Props = { id: string };
type Page = ComponentType<Props>;

/** A page that is loaded when it is first needed. */
function later(load: () => Promise<Page>): Page {
  let ready: Page | null = null;
  return function Later(props: Props) {
    const [, drawn] = useState(0);
    const [failed, setFailed] = useState(false);
    useEffect(() => {
      if (ready) return;
      load().then((page) => { ready = page; drawn((n) => n + 1); }, () => setFailed(true));
    }, []);
    if (failed) return <Problem error={new Failed(0, "", "this page could not be loaded; the gate may have been updated")} retry={() => location.reload()} />;
    return ready ? (() => { const Ready = ready; return <Ready {...props} />; })() : <Waiting />;
  };
}

const LivePage = later(async () => (await import("./pages/live")).LivePage);
const SessionsPage = later(async () => (await import("./pages/sessions")).SessionsPage);
const SessionPage = later(async () => (await import("./pages/session")).SessionPage);
const ReplayPage = later(async () => (await import("./pages/replay")).ReplayPage);
const OperationsPage = later(async () => (await import("./pages/operations")).OperationsPage);
const PoliciesPage = later(async () => (await import("./pages/policies")).PoliciesPage);
const TargetsPage = later(async () => (await import("./pages/targets")).TargetsPage);
const AuditPage = later(async () => (await import("./pages/audit")).AuditPage);
const HealthPage = later(async () => (await import("./pages/health")).HealthPage);

const ROUTES: [RegExp, string, Page][] = [
  [/^\/asks$/, "Approvals", () => <AsksPage />],
  [/^\/asks\/([^/]+)$/, "Approval", ({ id }) => <AskPage key={id} id={id} />],
  [/^\/live$/, "Live sessions", LivePage],
  [/^\/sessions$/, "Sessions", SessionsPage],
  [/^\/sessions\/([^/]+)$/, "Session", (props) => <SessionPage key={props.id} {...props} />],
  [/^\/sessions\/([^/]+)\/replay$/, "Replay", (props) => <ReplayPage key={props.id} {...props} />],
  [/^\/operations$/, "Operations", OperationsPage],
  [/^\/policies$/, "Policies", PoliciesPage],
  [/^\/targets$/, "Targets", TargetsPage],
  [/^\/audit$/, "Audit", AuditPage],
  [/^\/health$/, "Health", HealthPage],
];

const LINKS: [string, string, string | null][] = [
  ["/asks", "Approvals", null], ["/live", "Live", "control:sessions:read"], ["/sessions", "Sessions", "control:sessions:read"],
  ["/operations", "Operations", "control:recordings:read"], ["/policies", "Policies", "control:policies:read"],
  ["/targets", "Targets", "control:targets:read"], ["/audit", "Audit", "control:audit:read"], ["/health", "Health", "control:health:read"],
];

const decode = (text: string) => { try { return decodeURIComponent(text); } catch { return text; } };

function Current(): VNode {
  const here = path.value;
  for (const [pattern, title, Page] of ROUTES) {
    const found = pattern.exec(here);
    if (found) {
      document.title = `${here === "/asks" && pending.value > 0 ? `(${pending.value}) ` : ""}${title} · Portcullis`;
      return <Page id={decode(found[1] ?? "")} />;
    }
  }
  return <Problem error={new Failed(404, "", "there is no such page")} retry={() => go("/asks")} />;
}

async function signOut(): Promise<void> {
  await post("/logout").catch(() => { /* signed out already, or gone */ });
  me.value = null;
  go("/sign-in");
}

function Frame() {
  const who = me.value;
  const active = (to: string) => path.value === to || path.value.startsWith(`${to}/`);
  return (
    <>
      <a class="skip" href="#main" onClick={(event) => { event.preventDefault(); document.getElementById("main")?.focus(); }}>Skip to content</a>
      <header class="top">
        <a class="brand" href="/asks"><svg viewBox="0 0 32 32" aria-hidden="true"><path d="M5 28V14a11 11 0 0 1 22 0v14M12 5v24M20 5v24M6 14h20M6 21h20" /></svg><span>Portcullis</span></a>
        <nav aria-label="Pages">
          {LINKS.filter(([, , action]) => !action || may(action)).map(([to, name]) => (
            <a key={to} href={to} {...(active(to) ? { "aria-current": "page" as const } : {})}>{name}{to === "/asks" && pending.value > 0 && <span class="pill" aria-label={`${pending.value} waiting`}>{pending.value}</span>}</a>
          ))}
        </nav>
        <div class="top-end">
          <button type="button" class="quiet" onClick={() => { helpOpen.value = true; }} aria-label="Keys"><kbd>?</kbd></button>
          <button type="button" class="quiet" onClick={nextTheme} aria-label={`Theme: ${theme.value}. Change it`} title={`Theme: ${theme.value}`}>{theme.value === "dark" ? "☾" : theme.value === "light" ? "☀" : "◐"}</button>
          {who && <details class="me"><summary><span class="sr">Account of </span><Name text={who.name} /></summary>
            <div class="menu"><p><Name text={who.name} /><br /><span class="dim"><Name text={who.issuer} /></span></p><p class="dim">{who.groups.length ? who.groups.join(", ") : "in no groups"}</p>
              <button type="button" class="button" onClick={() => void signOut()}>Sign out</button></div></details>}
        </div>
      </header>
      <main id="main" tabIndex={-1}><Current /></main>
      <KeysDialog />
    </>
  );
}

export function App() {
  const [error, setError] = useState<Failed | null>(null);
  const [turn, setTurn] = useState(0);
  const here = path.value;
  const signingIn = here === "/sign-in";
  const who = me.value;
  useEffect(() => {
    if (here === "/") go("/asks", true);
    else if (!signingIn && !who) {
      get<Me>("/v1/me").then((told) => { setError(null); me.value = told; }, (why: unknown) => {
        if (!(why instanceof Failed)) throw why;
        if (why.status === 401) go(`/sign-in?return=${encodeURIComponent(here + place.value.search + place.value.hash)}`, true);
        else setError(why);
      });
    }
  }, [here, signingIn, who, turn]);
  useEffect(() => (who && !signingIn ? watchAsks() : undefined), [who?.subject, signingIn]);
  return (
    <div class="app" onClick={follow}>
      {signingIn ? <SignInPage /> : who ? <Frame /> : error ? <main><Problem error={error} retry={() => setTurn((n) => n + 1)} /></main> : <Waiting what="Looking who you are" />}
    </div>
  );
}
