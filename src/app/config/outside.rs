//! Whom outside this system the leader tells: `notify` and `forge`.

use super::parse;
use super::resolve::{Reader, path};
use crate::reconcile::forge::{ForgeConfig, ForgeKind};
use crate::reconcile::outbox::WebhookConfig;

/// Both are left out unless they are configured, and whole where they are.
#[derive(Debug, Clone, Default)]
pub struct Outside {
    pub webhook: Option<WebhookConfig>,
    pub forge: Option<ForgeConfig>,
}

pub(super) fn outside(reader: &mut Reader<'_>) -> Outside {
    Outside { webhook: webhook(reader), forge: forge(reader) }
}

fn webhook(reader: &mut Reader<'_>) -> Option<WebhookConfig> {
    whole(reader, &["notify", "webhook"], &["url", "secretFile"]);
    let url = reader.optional(&["notify", "webhook", "url"], parse::not_empty);
    let secret_file = reader.optional(&["notify", "webhook", "secretFile"], path);
    Some(WebhookConfig { url: url?, secret_file: secret_file? })
}

fn forge(reader: &mut Reader<'_>) -> Option<ForgeConfig> {
    const KINDS: [(&str, ForgeKind); 2] = [("github", ForgeKind::GitHub), ("gitlab", ForgeKind::GitLab)];
    whole(reader, &["forge"], &["kind", "repository", "tokenFile"]);
    let kind = reader.optional(&["forge", "kind"], |text| parse::choice(text, &KINDS, &[]));
    let url = reader.optional(&["forge", "url"], parse::not_empty);
    let repository = reader.optional(&["forge", "repository"], parse::not_empty);
    let token_file = reader.optional(&["forge", "tokenFile"], path);
    let kind = kind?;
    Some(ForgeConfig {
        kind,
        url: url.unwrap_or_else(|| kind.default_url().to_owned()),
        repository: repository?,
        token_file: token_file?,
    })
}

/// A section of which something is set needs all of `needed`.
fn whole(reader: &mut Reader<'_>, section: &[&str], needed: &[&str]) {
    let Some(first) = reader.settings.names_below(section).into_iter().next() else { return };
    for last in needed {
        let missing = [section, &[*last]].concat();
        if reader.settings.get(&missing).is_none() {
            reader.report(first, &format!("is set, but `{}` is missing", missing.join(".")));
        }
    }
}
