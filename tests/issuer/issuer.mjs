// An OpenID Connect issuer for tests (oidc-provider): issuer.mjs PORT FOLDER KEYS CLIENTS SECONDS
//
// KEYS: names, separated by commas. The first one signs, all are published; a key is made when its name is first used, and kept in
// FOLDER. CLIENTS: ids, each of which is also its secret and, as an access token's subject, who it is. A token is for the audience
// `kafka` for SECONDS, unless the request's `resource` says otherwise: `urn:AUDIENCE:SECONDS`.
import { generateKeyPairSync } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
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

const provider = new Provider(`http://127.0.0.1:${port}`, {
  jwks: { keys: keys.split(',').map(key) },
  clients: clients.split(',').map((id) => ({
    client_id: id, client_secret: id, grant_types: ['client_credentials'], redirect_uris: [], response_types: [],
  })),
  scopes: ['kafka', 'other'],
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: false },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => `urn:kafka:${seconds}`,
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
provider.listen(Number(port), '127.0.0.1', () => console.log('the issuer listens'));
