//! The pages, as people use them: in a real browser, over the running product on real Kafka. Pictures of what they see lie in
//! `target/screenshots/` afterwards.

mod changes;
mod corpus;
mod credentials;
mod list;
mod pages;
mod roles;
mod sees;
mod signing_in;
mod wizard;

use serde_json::{Value, json};

use crate::support::browser::{Browser, Page, named};
use crate::support::kafka::{Cluster, unique};
use crate::support::product::Product;
use crate::writes::writing;

/// A product whose zones are written by whoever may, and a browser.
struct Stage {
    product: Product,
    browser: Browser,
}

impl Stage {
    /// With these zones, by name and manifest.
    fn with(zones: &[(&str, String)]) -> Self {
        Self::writing("commit", zones)
    }

    /// The same, where a write is this (`source.writeBack`).
    fn writing(mode: &str, zones: &[(&str, String)]) -> Self {
        let files: Vec<_> = zones.iter().map(|(name, _)| format!("{name}.yaml")).collect();
        let files: Vec<_> =
            files.iter().zip(zones).map(|(file, (_, text))| (file.as_str(), text.as_str())).collect();
        let product = writing(mode, "", &files);
        Self { product, browser: Browser::start() }
    }

    /// Somebody who has not said who they are.
    fn anybody(&self) -> Page<'_> {
        self.browser.visitor(&self.product.url())
    }

    /// Somebody who has signed in with this key.
    fn visitor(&self, key: &str) -> Page<'_> {
        let page = self.anybody();
        sign_in(&page, key);
        page
    }

    fn administrator(&self) -> Page<'_> {
        self.visitor(&self.product.admin_key())
    }

    /// A new API key.
    fn key(&self, arguments: &[&str]) -> String {
        let output = self.product.cli(&[&["api-key", "create"], arguments].concat());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).unwrap();
        text.split_whitespace().find(|word| word.starts_with("pzk_")).unwrap().to_owned()
    }
}

fn sign_in(page: &Page<'_>, key: &str) {
    page.go("/ui/sign-in");
    page.fill("#key", key);
    page.follow(named("button", "Sign in"));
}

/// A new backing topic.
fn topic(name: &str) -> String {
    let topic = unique(name);
    Cluster::shared().create_topic(&topic, 3);
    topic
}

/// A manifest with these topics (alias, backing topic, permission), and what else is to be in it.
fn zone(name: &str, topics: &[(&str, &str, &str)], more: Value) -> String {
    let topics = topics
        .iter()
        .map(|(alias, backing, may)| json!({"name": alias, "backingTopic": backing, "permission": may}));
    let mut zone = json!({
        "apiVersion": "v2", "kind": "PartnerZone", "metadata": {"name": name},
        "spec": {
            "cluster": "gateway", "displayName": name,
            "authenticationMode": {"type": "PLAIN", "serviceAccount": format!("{name}-account")},
            "topics": topics.collect::<Vec<_>>(),
        },
    });
    merge(&mut zone, more);
    serde_yaml::to_string(&zone).unwrap()
}

fn merge(into: &mut Value, more: Value) {
    match (into, more) {
        (Value::Object(into), Value::Object(more)) => {
            for (name, value) in more {
                merge(into.entry(name).or_insert(Value::Null), value);
            }
        }
        (into, more) => *into = more,
    }
}
