// The certified OIDC provider `oidc-provider` on a loopback port, with people who log in by name.
// Usage: node provider.mjs, with OIDC_PORT, OIDC_PEOPLE ({"dana": {"email": …, "groups": […]}}), OIDC_CLIENTS
// (a list of clients) and BROWSER_MODULES, the folder of its packages.

import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const modules = createRequire(`${process.env.BROWSER_MODULES}/`);
const { Provider } = await import(pathToFileURL(modules.resolve('oidc-provider')));

const port = Number(process.env.OIDC_PORT);
const people = JSON.parse(process.env.OIDC_PEOPLE);
const clients = JSON.parse(process.env.OIDC_CLIENTS);

/** Tokens for the gate are JWTs of its own audience. */
const gate = {
  audience: 'portcullis',
  accessTokenFormat: 'jwt',
  accessTokenTTL: 3600,
  scope: 'gate',
  jwt: { sign: { alg: 'RS256' } },
};

const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: clients.map((client) => ({ require_auth_time: true, ...client })),
  claims: { openid: ['sub', 'groups', 'email', 'email_verified', 'auth_time'] },
  conformIdTokenClaims: false,
  features: {
    deviceFlow: { enabled: true },
    devInteractions: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => 'urn:portcullis',
      getResourceServerInfo: () => gate,
      // Not for its own userinfo, though `openid` is asked for.
      useGrantedResource: () => true,
    },
    rpInitiatedLogout: { enabled: true },
  },
  // Whoever has no entry cannot log in.
  findAccount: (_, id) => people[id] && {
    accountId: id,
    claims: () => ({ sub: id, email_verified: true, ...people[id] }),
  },
  extraTokenClaims: (_, token) => people[token.accountId] && {
    email_verified: true,
    ...people[token.accountId],
    auth_time: Math.floor(Date.now() / 1000),
  },
  issueRefreshToken: (_, client) => client.grantTypeAllowed('refresh_token'),
  cookies: { keys: ['for tests alone'] },
});

provider.listen(port, '127.0.0.1', () => console.log(`listening on ${port}`));
