// An OpenID Connect issuer for tests (oidc-provider): issuer.mjs PORT FOLDER KEYS CLIENTS SECONDS
//
// KEYS: names, separated by commas. The first one signs, all are published; a key is made when its name is first used, and kept in
// FOLDER. CLIENTS: ids, each of which is also its secret and, as an access token's subject, who it is. A token is for the audience
// `kafka` for SECONDS, unless the request's `resource` says otherwise: `urn:AUDIENCE:SECONDS`.
//
// FOLDER/people.json, if it is there, has people who sign in: {"client": ID, "redirect": URL, "people": {SUBJECT: {"name": …, …}}}. The client's
// id is its secret too. Nobody types a password: the page that asks has a link for each of them, and one to say no.
import { generateKeyPairSync } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import Provider from 'oidc-provider';

const [port, folder, keys, clients, seconds] = process.argv.slice(2);

function key(name) {
  const file = join(folder, `${name}.json`);
  if (!existsSync(file)) {
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    writeFileSync(file, JSON.stringify({ ...privateKey.export({ format: 'jwk' }), kid: name, use: 'sig', alg: 'RS256' }));
  }
  return JSON.parse(readFileSync(file, 'utf8'));
}

const file = join(folder, 'people.json');
const { client, redirect, people } = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : { people: {} };
const signIn = client && { client_id: client, client_secret: client, redirect_uris: [redirect] };

const provider = new Provider(`http://127.0.0.1:${port}`, {
  jwks: { keys: keys.split(',').map(key) },
  clients: clients.split(',').filter(Boolean).map((id) => ({
    client_id: id, client_secret: id, grant_types: ['client_credentials'], redirect_uris: [], response_types: [],
  })).concat(signIn ?? []),
  scopes: ['openid', 'kafka', 'other'],
  claims: { openid: ['sub'], profile: ['name'], email: ['email', 'email_verified'], groups: ['groups'] },
  findAccount: (_, sub) => people[sub] && { accountId: sub, claims: () => ({ sub, ...people[sub] }) },
  interactions: { url: (_, { uid }) => `/interaction/${uid}` },
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: false },
    resourceIndicators: {
      enabled: true,
      defaultResource: (_, { clientId }) => (clientId === client ? undefined : `urn:kafka:${seconds}`),
      getResourceServerInfo(_, resource) {
        const [, audience, lifetime] = resource.split(':');
        return {
          scope: 'kafka other', audience, accessTokenFormat: 'jwt', accessTokenTTL: Number(lifetime),
          jwt: { sign: { alg: 'RS256', kid: keys.split(',')[0] } },
        };
      },
    },
  },
});

// The page that asks who somebody is, and whether the client may know.
async function interact(request, response) {
  const { params } = await provider.interactionDetails(request, response);
  const accountId = new URL(request.url, provider.issuer).searchParams.get('as');
  if (accountId === null) {
    const links = ['', ...Object.keys(people)].map((who) => `<li><a href="?as=${who}">${who || 'no'}</a>`).join('');
    const page = `<!doctype html><link rel="icon" href="data:,"><title>Who are you?</title><ul>${links}</ul>`;
    return response.writeHead(200, { 'content-type': 'text/html' }).end(page);
  }
  if (!accountId) {
    return provider.interactionFinished(request, response, { error: 'access_denied', error_description: 'no thanks' });
  }
  const grant = new provider.Grant({ accountId, clientId: params.client_id });
  grant.addOIDCScope(params.scope);
  return provider.interactionFinished(request, response, { login: { accountId }, consent: { grantId: await grant.save() } });
}

const rest = provider.callback();
const server = createServer((request, response) => {
  if (!request.url.startsWith('/interaction/')) return rest(request, response);
  return interact(request, response).catch((error) => response.writeHead(500).end(String(error)));
});
server.listen(Number(port), '127.0.0.1', () => console.log('the issuer listens'));
