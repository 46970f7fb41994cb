//! How far a commit has come among the nodes that live.

use crate::zone::Sequence;

/// Which of the live nodes serve a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Distribution {
    wanted: Sequence,
    live: usize,
    /// The nodes that serve an earlier one.
    behind: Vec<(String, Sequence)>,
}

impl Distribution {
    /// Of the commit `wanted`; each live node with the commit that it serves.
    pub fn of<'a>(wanted: Sequence, nodes: impl IntoIterator<Item = (&'a str, Sequence)>) -> Self {
        let mut distribution = Self { wanted, live: 0, behind: Vec::new() };
        for (node, serving) in nodes {
            distribution.live = distribution.live.saturating_add(1);
            if serving < wanted {
                distribution.behind.push((node.to_owned(), serving));
            }
        }
        distribution
    }

    /// Every live node serves it, and there is one.
    pub fn is_served(&self) -> bool {
        self.live > 0 && self.behind.is_empty()
    }

    /// A node lives that does not serve it yet.
    pub fn is_under_way(&self) -> bool {
        !self.behind.is_empty()
    }

    /// The nodes that do not serve it yet.
    pub fn behind(&self) -> impl Iterator<Item = &str> {
        self.behind.iter().map(|(node, _)| node.as_str())
    }

    /// One word in CamelCase, for programs; that of a zone's condition `Ready`.
    pub fn reason(&self) -> &'static str {
        match self.behind.first() {
            Some(_) => "Distributing",
            None if self.live == 0 => "NoNode",
            None => "Served",
        }
    }

    /// For people.
    pub fn message(&self) -> String {
        match self.behind.first() {
            Some((node, serving)) => format!(
                "{} of {} nodes do not serve it yet (node {node} is at {serving}, wanted is {})",
                self.behind.len(),
                self.live,
                self.wanted,
            ),
            None if self.live == 0 => "no gateway node is running".to_owned(),
            None => "every live node serves it".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(nodes: &[(&str, u64)]) -> Distribution {
        Distribution::of(Sequence(7), nodes.iter().map(|(node, serving)| (*node, Sequence(*serving))))
    }

    #[test]
    fn a_commit_is_served_once_every_live_node_serves_it_and_those_that_do_not_are_named() {
        let served = of(&[("a", 7), ("b", 9)]);
        assert_eq!((served.is_served(), served.is_under_way(), served.reason()), (true, false, "Served"));
        let behind = of(&[("a", 7), ("b", 6), ("c", 5)]);
        assert_eq!(
            (behind.is_served(), behind.is_under_way(), behind.reason()),
            (false, true, "Distributing")
        );
        assert_eq!(behind.behind().collect::<Vec<_>>(), ["b", "c"]);
        assert_eq!(behind.message(), "2 of 3 nodes do not serve it yet (node b is at 6, wanted is 7)");
        let alone = of(&[]);
        assert_eq!((alone.is_served(), alone.is_under_way(), alone.reason()), (false, false, "NoNode"));
    }
}
