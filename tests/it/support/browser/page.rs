//! One page of a browser, and what somebody does with it. Each step waits until it can be done, and fails with a reason.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::devtools::Event;
use super::{Browser, SCREENSHOTS};

/// How long something may take to be seen: on a busy machine a page is slow, and no test waits longer than it has to.
pub(super) const PATIENCE: Duration = Duration::from_secs(45);

const HELPERS: &str = include_str!("page.js");

/// Something on a page: by a CSS selector, and by words that it holds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spot<'s> {
    css: &'s str,
    words: &'s str,
}

impl<'s> From<&'s str> for Spot<'s> {
    fn from(css: &'s str) -> Self {
        Self { css, words: "" }
    }
}

/// The first one that holds these words.
pub(crate) fn named<'s>(css: &'s str, words: &'s str) -> Spot<'s> {
    Spot { css, words }
}

/// A page that is open. When it is dropped, everything must have been in order: no error on the console, nothing that the page's own
/// policy forbids, no request to elsewhere.
#[derive(Debug)]
pub(crate) struct Page<'b> {
    pub(super) browser: &'b Browser,
    pub(super) site: String,
    session: String,
    context: String,
}

impl<'b> Page<'b> {
    pub(super) fn open(browser: &'b Browser, site: &str) -> Self {
        let ask = |session: Option<&str>, order: &str, data: Value| {
            browser.devtools.ask(session, order, &data).unwrap_or_else(|reason| panic!("{reason}"))
        };
        let text = |answer: &Value, name: &str| answer[name].as_str().unwrap().to_owned();
        let context = text(&ask(None, "Target.createBrowserContext", json!({})), "browserContextId");
        let target =
            ask(None, "Target.createTarget", json!({"url": "about:blank", "browserContextId": context}));
        let target = json!({"targetId": target["targetId"], "flatten": true});
        let session = text(&ask(None, "Target.attachToTarget", target), "sessionId");
        for part in ["Page", "Runtime", "Log", "Network", "Audits"] {
            ask(Some(&session), &format!("{part}.enable"), json!({}));
        }
        ask(Some(&session), "Emulation.setFocusEmulationEnabled", json!({"enabled": true}));
        let allowed = json!({"permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"], "browserContextId": context});
        ask(None, "Browser.grantPermissions", allowed);
        let folder = browser.downloads();
        let kept = json!({"behavior": "allow", "downloadPath": folder.display().to_string(), "browserContextId": context});
        ask(None, "Browser.setDownloadBehavior", kept);
        let page = Self { browser, site: site.to_owned(), session, context };
        page.resize(1280);
        page.prefer("light");
        page
    }

    /// # Panics
    /// When the browser refuses, or does not answer.
    pub(super) fn ask(&self, order: &str, data: &Value) -> Value {
        let answer = self.browser.devtools.ask(Some(&self.session), order, data);
        answer.unwrap_or_else(|reason| panic!("{reason}"))
    }

    pub(super) fn events(&self) -> Vec<Event> {
        self.browser.devtools.events(&self.session)
    }

    /// How wide the window is, in CSS pixels.
    pub(crate) fn resize(&self, width: u32) {
        let size = json!({"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": false});
        self.ask("Emulation.setDeviceMetricsOverride", &size);
    }

    /// `light` or `dark`, as the visitor's system would have it. Nothing moves: what is on its way has colours that nobody has chosen.
    pub(crate) fn prefer(&self, scheme: &str) {
        let media = json!({"features": [
            {"name": "prefers-color-scheme", "value": scheme}, {"name": "prefers-reduced-motion", "value": "reduce"},
        ]});
        self.ask("Emulation.setEmulatedMedia", &media);
    }

    /// From the next page on, scripts of pages do not run.
    pub(crate) fn without_script(self) -> Self {
        self.ask("Emulation.setScriptExecutionDisabled", &json!({"value": true}));
        self
    }

    /// The value of an expression of JavaScript, which may use what `page.js` has; the error is in the browser's words.
    pub(super) fn try_value(&self, expression: &str) -> Result<Value, String> {
        // A page without scripts goes on with no promise either.
        let kind = if expression.starts_with("await ") { "async " } else { "" };
        let expression = format!("({kind}() => {{ {HELPERS}\n return {expression}; }})()");
        let data = json!({"expression": expression, "awaitPromise": true, "returnByValue": true, "userGesture": true});
        let answer = self.browser.devtools.ask(Some(&self.session), "Runtime.evaluate", &data)?;
        match answer.pointer("/exceptionDetails/exception/description") {
            Some(exception) => Err(exception.to_string()),
            None => Ok(answer["result"]["value"].clone()),
        }
    }

    /// As people with their developer tools open.
    pub(crate) fn value(&self, expression: &str) -> Value {
        self.until(expression, |page| page.try_value(expression))
    }

    /// Tries until it works. A page that is just being left, or is new, has an excuse.
    fn until<T>(&self, what: &str, attempt: impl Fn(&Self) -> Result<T, String>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match attempt(self) {
                Ok(done) => return done,
                Err(reason) => {
                    assert!(Instant::now() < deadline, "{what} {reason}, at {}", self.address());
                }
            }
            thread::sleep(Duration::from_millis(25));
        }
    }

    /// Does something that leads to another page, and waits until that one is there.
    pub(crate) fn led<T>(&self, act: impl FnOnce(&Self) -> T) -> T {
        // A new document does not have what is noted on the old one.
        self.value("(document.isOld = true)");
        let done = act(self);
        self.until("the next page", |page| {
            match page.try_value("[document.isOld ?? false, document.readyState]")? {
                state if state == json!([false, "complete"]) => Ok(()),
                state => Err(format!("is not there: {state}")),
            }
        });
        done
    }

    pub(crate) fn go(&self, path: &str) {
        let url = format!("{}{path}", self.site);
        let answer = self.led(|page| page.ask("Page.navigate", &json!({"url": url})));
        assert_eq!(answer["errorText"], Value::Null, "{url}");
    }

    /// Clicks on what leads to another page.
    pub(crate) fn follow<'s>(&self, spot: impl Into<Spot<'s>>) {
        self.led(|page| page.click(spot));
    }

    pub(crate) fn click<'s>(&self, spot: impl Into<Spot<'s>>) {
        let spot = spot.into();
        let place = self.until(&format!("{spot:?}"), |page| match page.try_value(&spot.call("aim"))? {
            Value::String(reason) => Err(reason),
            place => Ok(place),
        });
        for kind in ["mousePressed", "mouseReleased"] {
            let data =
                json!({"type": kind, "x": place["x"], "y": place["y"], "button": "left", "clickCount": 1});
            self.ask("Input.dispatchMouseEvent", &data);
        }
    }

    /// Types in a field, in place of what it holds.
    pub(crate) fn fill(&self, css: &str, text: &str) {
        self.done(css, &Spot::from(css).call_with("focus", None));
        if text.is_empty() {
            self.press("Delete");
        } else {
            self.ask("Input.insertText", &json!({"text": text}));
        }
    }

    /// Sets a field that has a picker: a list, a date.
    pub(crate) fn choose(&self, css: &str, value: &str) {
        self.done(css, &Spot::from(css).call_with("choose", Some(value)));
    }

    fn done(&self, what: &str, expression: &str) {
        self.until(what, |page| match page.try_value(expression)? {
            Value::String(reason) => Err(reason),
            _ => Ok(()),
        });
    }

    /// Presses a key, wherever the focus is. `Shift+Tab` is one as well.
    pub(crate) fn press(&self, key: &str) {
        let (shift, key) = key.strip_prefix("Shift+").map_or((0, key), |key| (8, key));
        let (code, text) = match key {
            "Tab" => (9, ""),
            "Enter" => (13, "\r"),
            "Escape" => (27, ""),
            "Space" => (32, " "),
            "Delete" => (46, ""),
            key => panic!("{key} is no key that these tests press"),
        };
        let key = if key == "Space" { " " } else { key };
        for kind in [if text.is_empty() { "rawKeyDown" } else { "keyDown" }, "keyUp"] {
            let mut data =
                json!({"type": kind, "key": key, "windowsVirtualKeyCode": code, "modifiers": shift});
            if kind == "keyDown" {
                data["text"] = json!(text);
            }
            self.ask("Input.dispatchKeyEvent", &data);
        }
    }

    /// Waits until this is to be seen.
    pub(crate) fn wait_for<'s>(&self, spot: impl Into<Spot<'s>>) {
        let spot = spot.into();
        self.until(&format!("{spot:?}"), |page| {
            page.is_seen(spot)?
                .then_some(())
                .ok_or_else(|| format!("is not to be seen among\n{}", page.all_text()))
        });
    }

    /// Loads the page again until this is to be seen.
    pub(crate) fn reload_until<'s>(&self, spot: impl Into<Spot<'s>>) {
        let (spot, path) = (spot.into(), self.address());
        self.until(&format!("{spot:?}"), |page| {
            // A key has so many requests a second, and a page is made of several.
            thread::sleep(Duration::from_millis(250));
            page.go(&path);
            page.is_seen(spot)?
                .then_some(())
                .ok_or_else(|| format!("is not to be seen among\n{}", page.all_text()))
        });
    }

    /// Waits until this is not to be seen any more.
    pub(crate) fn wait_until_gone<'s>(&self, spot: impl Into<Spot<'s>>) {
        let spot = spot.into();
        self.until(&format!("{spot:?}"), |page| {
            (!page.is_seen(spot)?).then_some(()).ok_or_else(|| "is still to be seen".to_owned())
        });
    }

    fn is_seen(&self, spot: Spot<'_>) -> Result<bool, String> {
        Ok(self.try_value(&format!("{} != null", spot.call("one")))? == true)
    }

    /// Whether this is to be seen now.
    pub(crate) fn has<'s>(&self, spot: impl Into<Spot<'s>>) -> bool {
        let spot = spot.into();
        self.until(&format!("{spot:?}"), |page| page.is_seen(spot))
    }

    /// The words of something that is to be seen.
    pub(crate) fn text<'s>(&self, spot: impl Into<Spot<'s>>) -> String {
        let spot = spot.into();
        self.wait_for(spot);
        let text = self.value(&format!("said({})", spot.call("one")));
        text.as_str().unwrap_or_else(|| panic!("{spot:?} has no text")).to_owned()
    }

    /// The words of all of these that are to be seen.
    pub(crate) fn texts(&self, css: &str) -> Vec<String> {
        let texts = self.value(&format!("{}.map(said)", Spot::from(css).call("all")));
        texts.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
    }

    /// The text of something to the letter, with its blanks and line ends.
    pub(crate) fn text_of_whole(&self, css: &str) -> String {
        let text = self.value(&format!("document.querySelector({}).textContent", json!(css)));
        text.as_str().unwrap_or_else(|| panic!("no {css}")).to_owned()
    }

    /// What a field of the page holds, a hidden one too.
    pub(crate) fn text_of(&self, css: &str) -> String {
        let value = self.value(&format!("document.querySelector({}).value", json!(css)));
        value.as_str().unwrap_or_else(|| panic!("no {css}")).to_owned()
    }

    /// Sends a form that the page does not offer.
    pub(crate) fn post(&self, path: &str, fields: &[(&str, &str)]) {
        self.led(|page| page.value(&format!("post({}, {})", json!(path), json!(fields))));
    }

    /// All that is to be seen, for a message.
    fn all_text(&self) -> String {
        let text = self.try_value("document.body.innerText").unwrap_or_default();
        text.as_str().unwrap_or_default().chars().take(4_000).collect()
    }

    /// Where it is: path and query.
    pub(crate) fn address(&self) -> String {
        let address = self.try_value("location.href").unwrap_or_default();
        let address = address.as_str().unwrap_or_default();
        address.strip_prefix(&self.site).unwrap_or(address).to_owned()
    }

    /// The status that the page came with.
    pub(crate) fn status(&self) -> u64 {
        let events = self.events();
        let page =
            events.iter().rfind(|it| it.name == "Network.responseReceived" && it.data["type"] == "Document");
        page.and_then(|page| page.data.pointer("/response/status")).and_then(Value::as_u64).expect("a page")
    }

    /// Ends without a look at whether everything was in order.
    pub(crate) fn forgive(self) {
        let context = json!({"browserContextId": self.context});
        drop(self.browser.devtools.ask(None, "Target.disposeBrowserContext", &context));
        std::mem::forget(self);
    }

    /// A picture of the whole page, as `target/screenshots/<name>.png`.
    pub(crate) fn screenshot(&self, name: &str) {
        self.try_screenshot(name).unwrap_or_else(|reason| panic!("{name}: {reason}"));
    }

    fn try_screenshot(&self, name: &str) -> Result<(), String> {
        let ask = |order: &str, data: Value| self.browser.devtools.ask(Some(&self.session), order, &data);
        let size = ask("Page.getLayoutMetrics", json!({}))?["cssContentSize"].clone();
        let clip = json!({"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1});
        let picture = ask("Page.captureScreenshot", json!({"captureBeyondViewport": true, "clip": clip}))?;
        let picture = STANDARD.decode(picture["data"].as_str().unwrap_or_default()).unwrap_or_default();
        fs::create_dir_all(SCREENSHOTS).unwrap();
        fs::write(format!("{SCREENSHOTS}/{name}.png"), picture).unwrap();
        Ok(())
    }
}

impl Spot<'_> {
    /// A call of a function of `page.js`.
    fn call(self, function: &str) -> String {
        self.call_with(function, Some(self.words))
    }

    fn call_with(self, function: &str, argument: Option<&str>) -> String {
        let argument = argument.map(|argument| format!(", {}", json!(argument))).unwrap_or_default();
        format!("{function}({}{argument})", json!(self.css))
    }
}

impl Drop for Page<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            let name = thread::current().name().unwrap_or_default().replace("::", "-");
            let shown = self.try_screenshot(&format!("failed-{name}"));
            eprintln!("--- the page at {} ({shown:?}):\n{}\n---", self.address(), self.all_text());
        }
        let complaints = self.complaints();
        let context = json!({"browserContextId": self.context});
        drop(self.browser.devtools.ask(None, "Target.disposeBrowserContext", &context));
        if thread::panicking() {
            eprintln!("{complaints:#?}");
        } else {
            assert_eq!(complaints, Vec::<String>::new());
        }
    }
}
