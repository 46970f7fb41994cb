//! Every key that the configuration may hold, and what becomes of it. What is not in this table is unknown.

/// What a key is good for in this version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    Text,
    /// One value or a list of them; in an environment variable, separated by commas.
    List,
    /// Text that may be taken from `${NAME}` or `file:PATH`.
    Secret,
    /// Known, but its behaviour is not built yet. Covers every key below it as well.
    Later,
}

#[derive(Debug)]
pub(super) struct Key {
    /// Segments; `*` stands for a name that the user chooses.
    pub path: &'static [&'static str],
    pub used_as: Use,
}

const fn text(path: &'static [&'static str]) -> Key {
    Key { path, used_as: Use::Text }
}

const fn list(path: &'static [&'static str]) -> Key {
    Key { path, used_as: Use::List }
}

const fn secret(path: &'static [&'static str]) -> Key {
    Key { path, used_as: Use::Secret }
}

const fn later(path: &'static [&'static str]) -> Key {
    Key { path, used_as: Use::Later }
}

pub(super) const KEYS: &[Key] = &[
    text(&["source", "url"]),
    text(&["source", "ref"]),
    list(&["source", "path"]),
    list(&["source", "exclude"]),
    text(&["source", "environment"]),
    list(&["source", "environments", "*", "path"]),
    list(&["source", "environments", "*", "exclude"]),
    text(&["source", "pollInterval"]),
    text(&["source", "onHistoryRewrite"]),
    text(&["source", "verify", "mode"]),
    text(&["source", "verify", "keys"]),
    text(&["source", "writeBack", "mode"]),
    text(&["source", "auth", "tokenFile"]),
    text(&["source", "auth", "caFile"]),
    text(&["source", "auth", "sshKeyFile"]),
    text(&["source", "auth", "knownHostsFile"]),
    text(&["source", "webhook", "secretFile"]),
    text(&["source", "limits", "files"]),
    text(&["source", "limits", "fileSize"]),
    text(&["source", "limits", "totalSize"]),
    text(&["source", "limits", "fetchSize"]),
    text(&["source", "limits", "fetchTime"]),
    text(&["gateway", "name"]),
    text(&["gateway", "listen"]),
    text(&["gateway", "advertisedHost"]),
    text(&["gateway", "bootstrapPort"]),
    text(&["gateway", "brokerPortBase"]),
    text(&["gateway", "tls", "certificateFile"]),
    text(&["gateway", "tls", "keyFile"]),
    text(&["gateway", "tls", "clientCaFile"]),
    text(&["gateway", "tls", "clientAuth"]),
    text(&["gateway", "tls", "revokedFile"]),
    text(&["gateway", "tls", "principalMappingRules"]),
    text(&["gateway", "sni", "domain"]),
    list(&["gateway", "proxyProtocol", "from"]),
    text(&["gateway", "drainDelay"]),
    text(&["clusters", "*", "bootstrapServers"]),
    text(&["clusters", "*", "properties", "security.protocol"]),
    text(&["clusters", "*", "properties", "sasl.mechanism"]),
    text(&["clusters", "*", "properties", "sasl.mechanisms"]),
    text(&["clusters", "*", "properties", "sasl.username"]),
    secret(&["clusters", "*", "properties", "sasl.password"]),
    text(&["clusters", "*", "properties", "ssl.ca.location"]),
    text(&["clusters", "*", "properties", "ssl.certificate.location"]),
    text(&["clusters", "*", "properties", "ssl.key.location"]),
    text(&["clusters", "*", "properties", "ssl.endpoint.identification.algorithm"]),
    text(&["clusters", "*", "dataPlane", "properties", "sasl.mechanism"]),
    text(&["clusters", "*", "dataPlane", "properties", "sasl.mechanisms"]),
    text(&["clusters", "*", "dataPlane", "properties", "sasl.username"]),
    secret(&["clusters", "*", "dataPlane", "properties", "sasl.password"]),
    text(&["clusters", "*", "dataPlane", "properties", "ssl.ca.location"]),
    text(&["clusters", "*", "dataPlane", "properties", "ssl.certificate.location"]),
    text(&["clusters", "*", "dataPlane", "properties", "ssl.key.location"]),
    text(&["clusters", "*", "dataPlane", "properties", "ssl.endpoint.identification.algorithm"]),
    text(&["clusters", "*", "isolation"]),
    text(&["clusters", "*", "stateReplicationFactor"]),
    text(&["clusters", "*", "brokerPortBase"]),
    text(&["clusters", "*", "principals", "source"]),
    text(&["clusters", "*", "principals", "directory"]),
    text(&["oauth", "issuers", "*", "issuer"]),
    text(&["oauth", "issuers", "*", "jwksUrl"]),
    list(&["oauth", "issuers", "*", "audience"]),
    list(&["oauth", "issuers", "*", "algorithms"]),
    text(&["oauth", "issuers", "*", "clockSkew"]),
    text(&["oauth", "issuers", "*", "subjectClaim"]),
    list(&["oauth", "issuers", "*", "scopes"]),
    text(&["oauth", "issuers", "*", "caFile"]),
    text(&["oauth", "issuers", "*", "refreshInterval"]),
    text(&["oauth", "issuers", "*", "unknownKeyInterval"]),
    text(&["oauth", "issuers", "*", "keepKeys"]),
    text(&["forge", "kind"]),
    text(&["forge", "url"]),
    text(&["forge", "repository"]),
    text(&["forge", "tokenFile"]),
    text(&["notify", "webhook", "url"]),
    text(&["notify", "webhook", "secretFile"]),
    text(&["guards", "maxDeletePercent"]),
    text(&["guards", "maxUpdatePercent"]),
    text(&["guards", "floor"]),
    text(&["selfHeal"]),
    text(&["http", "admin"]),
    text(&["http", "advertisedUrl"]),
    text(&["http", "bootstrapKeyFile"]),
    text(&["http", "publicUrl"]),
    text(&["http", "signIn", "issuer"]),
    text(&["http", "signIn", "name"]),
    text(&["http", "signIn", "clientId"]),
    text(&["http", "signIn", "clientSecretFile"]),
    secret(&["http", "signIn", "clientSecret"]),
    list(&["http", "signIn", "scopes"]),
    text(&["http", "signIn", "caFile"]),
    text(&["http", "signIn", "claim"]),
    text(&["http", "signIn", "roles", "*", "role"]),
    list(&["http", "signIn", "roles", "*", "topics"]),
    text(&["http", "signIn", "roles", "*", "zone"]),
    later(&["http", "portal"]),
    text(&["node", "id"]),
    text(&["dataDir"]),
    text(&["store"]),
    text(&["masterKeyFile"]),
    text(&["previousMasterKeyFile"]),
    secret(&["masterKey"]),
];

/// The key that a path names, if there is one.
pub(super) fn find(path: &[String]) -> Option<&'static Key> {
    KEYS.iter().find(|key| {
        let covers =
            key.path.len() == path.len() || (key.used_as == Use::Later && key.path.len() < path.len());
        covers && key.path.iter().zip(path).all(|(wanted, given)| *wanted == "*" || wanted == given)
    })
}

/// Whether keys lie below this path, so that it takes no value itself.
pub(super) fn is_section(path: &[String]) -> bool {
    KEYS.iter().any(|key| {
        key.path.len() > path.len()
            && key.path.iter().zip(path).all(|(wanted, given)| *wanted == "*" || wanted == given)
    })
}

/// The known key that was probably meant: one that differs in its last segment only, by at most a third of its letters.
pub(super) fn nearest(path: &[String]) -> Option<&'static str> {
    let (last, above) = path.split_last()?;
    KEYS.iter()
        .filter_map(|key| {
            let candidate = *key.path.get(above.len())?;
            let same_section =
                key.path.iter().zip(above).all(|(wanted, given)| *wanted == "*" || wanted == given);
            (same_section && candidate != "*").then(|| (distance(candidate, last), candidate))
        })
        .min()
        .filter(|(distance, candidate)| distance * 3 <= candidate.len())
        .map(|(_, candidate)| candidate)
}

/// Levenshtein's distance, upper and lower case being equal.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.to_lowercase().chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, letter) in a.to_lowercase().chars().enumerate() {
        let mut next = vec![i + 1];
        for ((above, pair), other) in row.iter().skip(1).zip(row.iter()).zip(&b) {
            let left = next.last().copied().unwrap_or_default();
            next.push((above + 1).min(left + 1).min(pair + usize::from(letter != *other)));
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}
