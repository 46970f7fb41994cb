//! What a command that takes long is doing, for the person who waits: on standard error, only if that is a terminal, and never
//! where `CI` is set.

use std::io::{self, IsTerminal};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::app::config::Environment;

/// Between two pictures of the spinner.
const TICK: Duration = Duration::from_millis(120);
/// What is done sooner than this shows nothing at all: the first picture comes with the first tick.
const TEMPLATE: &str = "{spinner} {msg} ({elapsed})";

/// A line that is gone when this is dropped.
#[derive(Debug)]
pub(super) struct Progress(Option<ProgressBar>);

impl Progress {
    /// Begins with what is done first.
    pub(super) fn start(environment: &Environment, step: &'static str) -> Self {
        if !is_wanted(environment, io::stderr().is_terminal()) {
            return Self(None);
        }
        let bar = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template(TEMPLATE) {
            bar.set_style(style);
        }
        bar.set_message(step);
        bar.enable_steady_tick(TICK);
        Self(Some(bar))
    }

    /// Goes on to the next step.
    pub(super) fn step(&self, step: &'static str) {
        if let Some(bar) = &self.0 {
            bar.set_message(step);
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}

fn is_wanted(environment: &Environment, is_terminal: bool) -> bool {
    is_terminal && environment.get("CI").is_none_or(|value| value.is_empty() || value == "false")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_for_a_person_at_a_terminal() {
        let environment = |name: &str, value: &str| Environment::from([(name, value)]);
        assert!(is_wanted(&Environment::default(), true));
        assert!(!is_wanted(&Environment::default(), false));
        assert!(!is_wanted(&environment("CI", "true"), true));
        assert!(is_wanted(&environment("CI", "false"), true));
        ProgressStyle::with_template(TEMPLATE).unwrap();
    }
}
