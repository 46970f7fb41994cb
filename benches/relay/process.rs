//! What the kernel says of a process (proc(5)).

use std::collections::BTreeMap;
use std::fs;

/// CPU time that a process has had.
pub(crate) struct Cpu {
    /// Nanoseconds on a CPU, by thread.
    threads: BTreeMap<String, u64>,
    /// In user and in kernel mode, in the kernel's clock ticks: a hundred a second.
    ticks: [u64; 2],
}

/// CPU seconds of one run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Spent {
    /// To the nanosecond.
    pub(crate) seconds: f64,
    /// In steps of 10 ms.
    pub(crate) user: f64,
    pub(crate) system: f64,
}

impl Cpu {
    pub(crate) fn of(pid: u32) -> Self {
        let threads = fs::read_dir(format!("/proc/{pid}/task")).unwrap().filter_map(|thread| {
            let thread = thread.unwrap();
            // Gone if the thread has ended since.
            let text = fs::read_to_string(thread.path().join("schedstat")).ok()?;
            let on_cpu = text.split_whitespace().next()?.parse().ok()?;
            Some((thread.file_name().into_string().unwrap(), on_cpu))
        });
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        // Fields 14 and 15; the name, which may hold spaces, is field 2.
        let mut fields = stat.rsplit_once(')').unwrap().1.split_whitespace().skip(11);
        let ticks = [(); 2].map(|()| fields.next().unwrap().parse().unwrap());
        Self { threads: threads.collect(), ticks }
    }

    /// What was spent from `earlier` on. A thread that has ended in between does not count: those of the gateway that come and
    /// go have been idle for ten seconds by then.
    pub(crate) fn since(&self, earlier: &Self) -> Spent {
        let of_thread =
            |(thread, now): (&String, &u64)| now - earlier.threads.get(thread).copied().unwrap_or(0);
        let nanoseconds: u64 = self.threads.iter().map(of_thread).sum();
        let [user, system] = [0, 1].map(|mode| (self.ticks[mode] - earlier.ticks[mode]) as f64 / 100.0);
        Spent { seconds: nanoseconds as f64 / 1e9, user, system }
    }
}

/// Memory of its own and of files that is in use, in KiB.
pub(crate) fn resident_kib(pid: u32) -> f64 {
    status(pid, "VmRSS:")
}

/// The most that [`resident_kib`] has been since [`forget_peak`].
pub(crate) fn peak_kib(pid: u32) -> f64 {
    status(pid, "VmHWM:")
}

pub(crate) fn forget_peak(pid: u32) {
    fs::write(format!("/proc/{pid}/clear_refs"), "5").unwrap();
}

fn status(pid: u32, field: &str) -> f64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with(field)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// The machine's load over the last minute.
pub(crate) fn load_average() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap();
    text.split_whitespace().next().unwrap().to_owned()
}
