//! The scenarios.

use super::requests::By;

/// What a connection repeats.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Work {
    /// A batch of so many records for each of so many partitions of one topic.
    Produce { partitions: i32, records: usize },
    /// A batch of so many records for each of the small topics.
    ProduceMany { records: usize },
    /// All partitions of one topic, a MiB of each.
    Fetch,
    /// All partitions of all wide topics in one fetch session, each moved on by every request.
    Session,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) by: By,
    pub(crate) work: Work,
    pub(crate) connections: usize,
    /// Whether HAProxy and the gateway talk TLS with their clients. The broker never does.
    pub(crate) tls: bool,
}

pub(crate) const SCENARIOS: [Scenario; 17] = {
    const fn row(name: &'static str, by: By, work: Work, connections: usize) -> Scenario {
        Scenario { name, by, work, connections, tls: false }
    }
    const fn tls(name: &'static str, by: By, work: Work) -> Scenario {
        Scenario { name, by, work, connections: 4, tls: true }
    }
    const LARGE: Work = Work::Produce { partitions: 6, records: 64 };
    const USUAL: Work = Work::Produce { partitions: 6, records: 8 };
    const SMALL: Work = Work::Produce { partitions: 1, records: 16 };
    const MANY: Work = Work::ProduceMany { records: 4 };
    [
        row("produce 6 × 64 KiB, by id", By::Id, LARGE, 4),
        row("produce 6 × 64 KiB, by name", By::Name, LARGE, 4),
        row("produce 6 × 8 KiB, by id", By::Id, USUAL, 4),
        row("produce 6 × 8 KiB, by name", By::Name, USUAL, 4),
        row("produce 20 topics × 4 KiB, by id", By::Id, MANY, 4),
        row("produce 20 topics × 4 KiB, by name", By::Name, MANY, 4),
        row("produce 16 KiB, 1000 connections", By::Id, SMALL, 1000),
        row("fetch 6 × 1 MiB, by id", By::Id, Work::Fetch, 4),
        row("fetch 6 × 1 MiB, by name", By::Name, Work::Fetch, 4),
        row("fetch 6 × 1 MiB, 40 connections", By::Id, Work::Fetch, 40),
        row("session of 1000 × 7 KiB, by id", By::Id, Work::Session, 2),
        row("session of 1000 × 7 KiB, by name", By::Name, Work::Session, 2),
        tls("produce 6 × 64 KiB, by id, TLS", By::Id, LARGE),
        tls("produce 6 × 64 KiB, by name, TLS", By::Name, LARGE),
        tls("produce 6 × 8 KiB, by id, TLS", By::Id, USUAL),
        tls("fetch 6 × 1 MiB, by id, TLS", By::Id, Work::Fetch),
        tls("fetch 6 × 1 MiB, by name, TLS", By::Name, Work::Fetch),
    ]
};
