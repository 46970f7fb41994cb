//! The DevTools protocol: messages of JSON, each ended by a zero, over a pair of pipes.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{ChildStdin, ChildStdout};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// What one order may take, on a machine that does much else.
const PATIENCE: Duration = Duration::from_mins(1);

/// What is kept of all that a browser tells.
const KEPT: [&str; 6] = [
    "Audits.issueAdded",
    "Log.entryAdded",
    "Network.requestWillBeSent",
    "Network.responseReceived",
    "Runtime.consoleAPICalled",
    "Runtime.exceptionThrown",
];

/// A connection to a browser.
#[derive(Debug)]
pub(super) struct DevTools {
    stdin: Mutex<ChildStdin>,
    last: AtomicU64,
    heard: Arc<Heard>,
}

/// What a browser tells of one of its pages.
#[derive(Debug, Clone)]
pub(super) struct Event {
    session: String,
    pub(super) name: String,
    pub(super) data: Value,
}

#[derive(Debug, Default)]
struct Heard {
    so_far: Mutex<SoFar>,
    grown: Condvar,
}

#[derive(Debug, Default)]
struct SoFar {
    answers: BTreeMap<u64, Value>,
    events: Vec<Event>,
    has_ended: bool,
}

impl DevTools {
    pub(super) fn new(stdin: ChildStdin, stdout: ChildStdout) -> Self {
        let heard = Arc::new(Heard::default());
        let listener = Arc::clone(&heard);
        thread::spawn(move || listener.listen(stdout));
        Self { stdin: Mutex::new(stdin), last: AtomicU64::new(0), heard }
    }

    /// Sends an order, to a page if one is named, and waits for the answer; the error is in the browser's words.
    pub(super) fn ask(&self, session: Option<&str>, order: &str, data: &Value) -> Result<Value, String> {
        let id = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        let mut message = json!({"id": id, "method": order, "params": data});
        if let Some(session) = session {
            message["sessionId"] = json!(session);
        }
        let mut bytes = message.to_string().into_bytes();
        bytes.push(0);
        let sent = {
            let mut stdin = self.stdin.lock().unwrap_or_else(PoisonError::into_inner);
            stdin.write_all(&bytes).and_then(|()| stdin.flush())
        };
        sent.map_err(|error| format!("{order}: {error}"))?;
        let answer = self
            .heard
            .wait(PATIENCE, |heard| heard.answers.remove(&id))
            .ok_or_else(|| format!("{order}: no answer"))?;
        match answer.pointer("/error/message") {
            Some(error) => Err(format!("{order}: {error}")),
            None => Ok(answer["result"].clone()),
        }
    }

    /// All that was told of a page so far.
    pub(super) fn events(&self, session: &str) -> Vec<Event> {
        let so_far = self.heard.so_far.lock().unwrap_or_else(PoisonError::into_inner);
        so_far.events.iter().filter(|event| event.session == session).cloned().collect()
    }
}

impl Heard {
    fn listen(&self, stdout: ChildStdout) {
        let mut reader = BufReader::with_capacity(1 << 16, stdout);
        let mut bytes = Vec::new();
        while matches!(reader.read_until(0, &mut bytes), Ok(1..)) {
            bytes.pop();
            let message: Value = serde_json::from_slice(&bytes).unwrap_or_default();
            bytes.clear();
            let mut so_far = self.so_far.lock().unwrap_or_else(PoisonError::into_inner);
            let text = |name: &str| message[name].as_str().unwrap_or_default().to_owned();
            if let Some(id) = message["id"].as_u64() {
                so_far.answers.insert(id, message);
            } else if KEPT.contains(&text("method").as_str()) {
                let data = message["params"].clone();
                so_far.events.push(Event { session: text("sessionId"), name: text("method"), data });
            }
            self.grown.notify_all();
        }
        self.so_far.lock().unwrap_or_else(PoisonError::into_inner).has_ended = true;
        self.grown.notify_all();
    }

    fn wait<T>(&self, patience: Duration, mut find: impl FnMut(&mut SoFar) -> Option<T>) -> Option<T> {
        let deadline = Instant::now() + patience;
        let mut so_far = self.so_far.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let found = find(&mut so_far);
            let left = deadline.saturating_duration_since(Instant::now());
            if found.is_some() || so_far.has_ended || left.is_zero() {
                return found;
            }
            so_far = self.grown.wait_timeout(so_far, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}
