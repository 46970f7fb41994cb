//! What is looked for on every page, whatever it shows.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;
use std::sync::OnceLock;

use serde_json::{Value, json};

use super::page::Page;
use crate::support::kafka::script;

/// The script of axe-core; the first caller has it installed.
fn axe() -> &'static str {
    static AXE: OnceLock<String> = OnceLock::new();
    AXE.get_or_init(|| {
        let output = Command::new(script("browser.sh")).arg("axe").output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        fs::read_to_string(String::from_utf8(output.stdout).unwrap().trim_end()).unwrap()
    })
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
}

impl Page<'_> {
    /// What was not in order until now.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let events = self.events();
        let text = |value: &Value, pointer: &str| {
            value.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        // A page that comes with 403 or 404 is in order; an image that does is not.
        let sent = events.iter().filter(|event| event.name == "Network.requestWillBeSent");
        let pages: BTreeSet<_> =
            sent.filter(|it| it.data["type"] == "Document").map(|it| text(&it.data, "/requestId")).collect();
        events
            .iter()
            .filter_map(|event| {
                let data = &event.data;
                match event.name.as_str() {
                    "Runtime.exceptionThrown" => Some(format!("exception: {}", data["exceptionDetails"])),
                    "Runtime.consoleAPICalled"
                        if ["error", "assert"].contains(&text(data, "/type").as_str()) =>
                    {
                        Some(format!("console: {}", data["args"]))
                    }
                    "Log.entryAdded" if data["entry"]["level"] == "error" => {
                        // The browser's own question, where a page names no icon.
                        let is_icon = text(data, "/entry/url").ends_with("/favicon.ico");
                        let is_page = pages.contains(&text(data, "/entry/networkRequestId"));
                        (!is_page && !is_icon).then(|| format!("console: {}", data["entry"]))
                    }
                    "Audits.issueAdded" if data["issue"]["code"] == "ContentSecurityPolicyIssue" => {
                        Some(format!("policy: {}", data["issue"]["details"]))
                    }
                    "Network.requestWillBeSent" => {
                        let url = text(data, "/request/url");
                        let is_ours = url.starts_with(&format!("{}/", self.site))
                            || ["data:", "blob:", "about:"].iter().any(|scheme| url.starts_with(scheme));
                        (!is_ours).then(|| format!("elsewhere: {url}"))
                    }
                    _ => None,
                }
            })
            .collect()
    }

    /// Looks at a page as different people do: with a large window in light and dark, and with a narrow one. Pictures of all three are taken.
    ///
    /// # Panics
    /// When one of them would be kept out of something.
    pub(crate) fn examine(&self, name: &str) {
        let mut wrong = Vec::new();
        for (look, scheme, width) in
            [("dark", "dark", 1280), ("narrow", "light", 360), ("light", "light", 1280)]
        {
            self.prefer(scheme);
            self.resize(width);
            self.screenshot(&format!("{name}-{look}"));
            let mut findings = texts(&self.value("overflow()"));
            findings.extend(self.axe());
            wrong.extend(findings.into_iter().map(|finding| format!("{look}: {finding}")));
        }
        assert!(wrong.is_empty(), "{name}, {}:\n{}", self.address(), wrong.join("\n"));
    }

    /// What axe-core finds serious or critical.
    pub(crate) fn axe(&self) -> Vec<String> {
        if self.value("typeof axe") == "undefined" {
            self.ask("Runtime.evaluate", &json!({"expression": axe()}));
        }
        texts(&self.value("await axeFindings()"))
    }

    /// Goes through the page with the Tab key alone.
    ///
    /// # Panics
    /// When something is not reached, or is not seen to be.
    pub(crate) fn is_used_by_keyboard(&self) {
        let all = self.value("stops().length").as_u64().unwrap();
        let mut left = Value::Null;
        for _ in 0..=all * 2 + 10 {
            self.press("Tab");
            let state = self.value("visit()");
            assert_eq!(state["unmarked"], Value::Null, "in focus, and nobody sees it, at {}", self.address());
            left = state["left"].clone();
            if left == json!([]) {
                return;
            }
        }
        panic!("the Tab key never comes to these, at {}: {left:#}", self.address());
    }
}
