//! What some faults take, which a machine may not give a test.

use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

/// Debian's package `faketime` has it.
pub(super) const LIBFAKETIME: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1";
/// Names, with commas between them, of what is gone without on purpose.
const WITHOUT: &str = "CHAOS_WITHOUT";

/// What a node has for itself. Where it is not to be had the test fails, unless it is told to go without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Means {
    /// File systems that are mounted where no other process sees them.
    Disks,
    /// A time of day.
    Clocks,
    /// A network, with links that can be cut.
    Networks,
}

impl Means {
    /// Whether faults that take it are part of this run.
    ///
    /// # Panics
    /// When they should be and cannot.
    pub(super) fn are_used(self) -> bool {
        static ANSWERS: [OnceLock<bool>; 3] = [OnceLock::new(), OnceLock::new(), OnceLock::new()];
        *ANSWERS[self as usize].get_or_init(|| {
            let without = std::env::var(WITHOUT).unwrap_or_default();
            if without.split(',').any(|name| name == self.name()) {
                eprintln!("SKIPPED: faults of {}, as {WITHOUT} says", self.name());
                return false;
            }
            assert!(self.are_there(), "{}; or go without: {WITHOUT}={}", self.wanted(), self.name());
            true
        })
    }

    fn name(self) -> &'static str {
        match self {
            Self::Disks => "disks",
            Self::Clocks => "clocks",
            Self::Networks => "networks",
        }
    }

    fn wanted(self) -> String {
        match self {
            Self::Disks => {
                "no file system can be mounted here, not even in a user's own name space".to_owned()
            }
            Self::Clocks => format!("{LIBFAKETIME} is missing (Debian: apt-get install faketime)"),
            Self::Networks => {
                "no network can be made here, which takes root and `ip` (Debian: apt-get install iproute2)"
                    .to_owned()
            }
        }
    }

    fn are_there(self) -> bool {
        let works = |program: &str, arguments: &[&str]| {
            Command::new(program).args(arguments).output().is_ok_and(|output| output.status.success())
        };
        match self {
            Self::Disks => works(
                "unshare",
                &["--map-root-user", "--mount", "sh", "-c", "mount -t tmpfs -o size=1m none /mnt"],
            ),
            Self::Clocks => Path::new(LIBFAKETIME).exists(),
            Self::Networks => {
                works("unshare", &["--net", "sh", "-c", "ip link add one type veth peer name other"])
                    && works("unshare", &["--net", "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"])
            }
        }
    }
}
