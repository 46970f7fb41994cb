//! A child process whose output is kept line by line, waited for with a deadline, and shown when the test fails.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

/// A running child. Dropping it kills it; a failing test then also prints what it wrote.
#[derive(Debug)]
pub(crate) struct Process {
    name: String,
    child: Child,
    output: Arc<Output>,
    readers: Vec<thread::JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Output {
    lines: Mutex<Vec<Line>>,
    grown: Condvar,
}

/// One line of output.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    pub(crate) stream: Stream,
    pub(crate) text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stream {
    Stdout,
    Stderr,
}

impl Process {
    /// Starts `command` with all three streams piped; `name` is for messages.
    pub(crate) fn start(name: &str, command: &mut Command) -> Self {
        let (mut process, stdout) = Self::start_with_stdout(name, command);
        process.readers.push(read(stdout, Stream::Stdout, &process.output));
        process
    }

    /// As [`start`](Self::start), with stdout left to the caller: not all that children write is lines.
    pub(crate) fn start_with_stdout(name: &str, command: &mut Command) -> (Self, ChildStdout) {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|e| panic!("cannot start {name}: {e}"));
        tell_reaper("watch", child.id());
        let output = Arc::new(Output::default());
        let stdout = child.stdout.take().unwrap();
        let readers = vec![read(child.stderr.take().unwrap(), Stream::Stderr, &output)];
        (Self { name: name.to_owned(), child, output, readers }, stdout)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The child's stdin, to write to or, by dropping it, to close.
    pub(crate) fn take_stdin(&mut self) -> Option<ChildStdin> {
        self.child.stdin.take()
    }

    /// All lines so far, both streams in the order in which they arrived.
    pub(crate) fn lines(&self) -> Vec<Line> {
        self.output.lines.lock().unwrap().clone()
    }

    /// The lines of stdout so far.
    pub(crate) fn stdout(&self) -> Vec<String> {
        self.lines().into_iter().filter(|line| line.stream == Stream::Stdout).map(|line| line.text).collect()
    }

    /// Waits until `find` gives something for the lines so far; `None` when the child ends, or `patience` does,
    /// before that.
    pub(crate) fn look_for<T>(
        &mut self,
        patience: Duration,
        find: impl Fn(&[Line]) -> Option<T>,
    ) -> Option<T> {
        let deadline = Instant::now() + patience;
        loop {
            // Asked before the output is read: what an ended child wrote is all there then.
            let ended = self.child.try_wait().unwrap().is_some();
            if ended {
                self.join_readers();
            }
            let lines = self.output.lines.lock().unwrap();
            let found = find(&lines);
            if found.is_some() || ended || Instant::now() >= deadline {
                return found;
            }
            // A short wait, since the end of the child wakes nobody.
            drop(self.output.grown.wait_timeout(lines, Duration::from_millis(50)).unwrap());
        }
    }

    /// As [`look_for`](Self::look_for), for what must come.
    ///
    /// # Panics
    /// When it does not come; the message holds `what` and the output.
    pub(crate) fn wait_for<T>(
        &mut self,
        what: &str,
        patience: Duration,
        find: impl Fn(&[Line]) -> Option<T>,
    ) -> T {
        self.look_for(patience, find)
            .unwrap_or_else(|| panic!("{} did not show {what}:\n{}", self.name, self.transcript()))
    }

    /// Waits for a line that contains `text`, on either stream, and gives it.
    pub(crate) fn wait_for_line(&mut self, text: &str, patience: Duration) -> String {
        self.wait_for(&format!("a line with {text:?}"), patience, |lines| {
            lines.iter().find(|line| line.text.contains(text)).map(|line| line.text.clone())
        })
    }

    /// Waits for the child to end by itself, and for the rest of its output.
    ///
    /// # Panics
    /// When it has not ended within `patience`.
    pub(crate) fn wait(&mut self, patience: Duration) -> ExitStatus {
        let deadline = Instant::now() + patience;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                self.join_readers();
                return status;
            }
            assert!(
                Instant::now() < deadline,
                "{} did not end within {patience:?}:\n{}",
                self.name,
                self.transcript()
            );
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Whether the child has ended.
    pub(crate) fn ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Asks the child to end (SIGTERM); see [`wait`](Self::wait).
    pub(crate) fn terminate(&self) {
        self.signal("-TERM");
    }

    /// Asks as Ctrl-C does (SIGINT).
    pub(crate) fn interrupt(&self) {
        self.signal("-INT");
    }

    fn signal(&self, signal: &str) {
        let status = Command::new("kill").args([signal, &self.pid().to_string()]).status().unwrap();
        assert!(status.success(), "{} is not running any more:\n{}", self.name, self.transcript());
    }

    /// Ends the child at once (SIGKILL).
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.wait(Duration::from_secs(10));
    }

    /// What the child wrote, for a message.
    pub(crate) fn transcript(&self) -> String {
        let mut text = String::new();
        for line in self.lines() {
            text.push_str(if line.stream == Stream::Stdout { "  out| " } else { "  err| " });
            text.push_str(&line.text);
            text.push('\n');
        }
        text
    }

    /// Waits for the rest of an ended child's output. Not for long: a grandchild can hold the pipe open.
    fn join_readers(&mut self) {
        let deadline = Instant::now() + Duration::from_secs(5);
        while self.readers.iter().any(|reader| !reader.is_finished()) && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(2));
        }
        self.readers.clear();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Before the wait: afterwards the number may belong to somebody else.
        tell_reaper("forget", self.child.id());
        drop(self.child.kill());
        drop(self.child.wait());
        if thread::panicking() {
            eprintln!("--- {} wrote:\n{}---", self.name, self.transcript());
        }
    }
}

/// One small process that outlives this one for a moment: when its stdin closes, because the tests ended in whatever way
/// (killed too), it ends all children that were not taken back.
fn tell_reaper(verb: &str, pid: u32) {
    const REAPER: &str = r#"
        declare -A pids
        while read -r verb pid; do
            if [ "$verb" = watch ]; then pids[$pid]=1; else unset "pids[$pid]"; fi
        done
        [ ${#pids[@]} -gt 0 ] || exit
        kill -TERM "${!pids[@]}"
        # Time to clean up, on a busy machine too. A number that is free again is not ours any more.
        for ((tries = 0; tries < 100 && ${#pids[@]} > 0; tries++)); do
            sleep 0.2
            for pid in "${!pids[@]}"; do kill -0 "$pid" || unset "pids[$pid]"; done
        done
        [ ${#pids[@]} -eq 0 ] || kill -KILL "${!pids[@]}"
    "#;
    static STDIN: OnceLock<Mutex<ChildStdin>> = OnceLock::new();
    let stdin = STDIN.get_or_init(|| {
        let mut command = Command::new("bash");
        // In a group of its own: what interrupts the tests must not interrupt this.
        command.args(["-c", REAPER]).process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        Mutex::new(command.spawn().unwrap_or_else(|e| panic!("cannot start bash: {e}")).stdin.take().unwrap())
    });
    // Panics in a `drop` would hide why a test fails.
    drop(writeln!(stdin.lock().unwrap_or_else(std::sync::PoisonError::into_inner), "{verb} {pid}"));
}

fn read(stream: impl Read + Send + 'static, name: Stream, output: &Arc<Output>) -> thread::JoinHandle<()> {
    let output = Arc::clone(output);
    thread::spawn(move || {
        let mut reader = BufReader::new(stream);
        let mut bytes = Vec::new();
        while matches!(reader.read_until(b'\n', &mut bytes), Ok(1..)) {
            let text = String::from_utf8_lossy(&bytes).trim_end_matches(['\r', '\n']).to_owned();
            output.lines.lock().unwrap().push(Line { stream: name, text });
            output.grown.notify_all();
            bytes.clear();
        }
    })
}
