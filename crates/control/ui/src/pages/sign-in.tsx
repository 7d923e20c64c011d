// Who proves who the reader is: a list of issuers. The proof itself is made elsewhere.

import { Empty, Problem, Waiting, useLoad } from "../parts/load";
import { Name } from "../parts/words";
import { place, safeReturn } from "../router";
import type { Issuers } from "../api/types";

export function SignInPage() {
  const { data, error, reload } = useLoad<Issuers>("/v1/issuers");
  const to = safeReturn(new URLSearchParams(place.value.search).get("return"));
  document.title = "Sign in · Portcullis";
  return (
    <main class="sign-in">
      <div class="card">
        <h1 class="brand"><svg viewBox="0 0 32 32" aria-hidden="true"><path d="M5 28V14a11 11 0 0 1 22 0v14M12 5v24M20 5v24M6 14h20M6 21h20" /></svg><span>Portcullis</span></h1>
        <p class="dim">Sign in to answer asks and to see what was done.</p>
        {error ? <Problem error={error} retry={() => void reload()} /> : !data ? <Waiting /> : data.issuers.length === 0
          ? <Empty title="No issuer is configured">Add an <code>[[identity.oidc]]</code> with a client id to the gate's configuration.</Empty>
          : <ul class="issuers">{data.issuers.map(({ name }) => (
            <li key={name}><a class="button wide" href={`/login?issuer=${encodeURIComponent(name)}&return=${encodeURIComponent(to)}`}>Continue with <Name text={name} /></a></li>))}</ul>}
      </div>
    </main>
  );
}
