//! The `reconciler` binary as a child process.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use super::process::Process;

/// Starts the binary in `folder` with nothing of the machine's own configuration.
pub(crate) fn reconciler(folder: &Path, arguments: &[&str]) -> Process {
    let mut command = Command::new(env!("CARGO_BIN_EXE_reconciler"));
    command.args(arguments).current_dir(folder).env("HOME", folder);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("RECONCILER_") {
            command.env_remove(name);
        }
    }
    Process::start(&format!("reconciler {}", arguments.join(" ")), &mut command)
}

/// One HTTP/1.1 GET on loopback: status and body. `None` while nobody answers.
pub(crate) fn get(address: &str, path: &str) -> Option<(u16, String)> {
    get_as("", address, path)
}

/// As [`get`], with an API key.
pub(crate) fn get_as(key: &str, address: &str, path: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
    let authorization =
        if key.is_empty() { String::new() } else { format!("Authorization: Bearer {key}\r\n") };
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n{authorization}Connection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split_whitespace().nth(1)?.parse().ok()?;
    Some((status, body.to_owned()))
}

/// Waits until `GET path` answers 200.
///
/// # Panics
/// When `process` ends or `patience` does before that, with what it wrote.
pub(crate) fn await_ok(process: &mut Process, address: &str, path: &str, patience: Duration) {
    let deadline = Instant::now() + patience;
    loop {
        let answer = get(address, path);
        if matches!(answer, Some((200, _))) {
            return;
        }
        assert!(
            !process.ended() && Instant::now() < deadline,
            "{address}{path} answers {answer:?}:\n{}",
            process.transcript()
        );
        thread::sleep(Duration::from_millis(50));
    }
}
