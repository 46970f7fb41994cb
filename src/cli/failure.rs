//! Why a command could not do its work, for the person who typed it.

use std::fmt;

use super::ExitCode;

/// An error with its exit code and, where there is one, the next step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    pub exit_code: ExitCode,
    pub cause: String,
    pub next_step: Option<String>,
    /// Whether it would be the same for whatever is asked next: nothing that was asked for is the reason.
    pub holds_for_all: bool,
}

impl Failure {
    pub fn new(exit_code: ExitCode, cause: impl fmt::Display) -> Self {
        let holds_for_all = exit_code == ExitCode::Unreachable;
        Self { exit_code, cause: cause.to_string(), next_step: None, holds_for_all }
    }

    /// Wrong usage or configuration.
    pub fn usage(cause: impl fmt::Display) -> Self {
        Self::new(ExitCode::Usage, cause)
    }

    /// Git, the store or a server cannot be reached.
    pub fn unreachable(cause: impl fmt::Display) -> Self {
        Self::new(ExitCode::Unreachable, cause)
    }

    /// A fault of this program or of the machine it runs on.
    pub fn internal(cause: impl fmt::Display) -> Self {
        Self::new(ExitCode::Internal, cause)
    }

    /// Of one thing among several.
    #[must_use]
    pub fn of(mut self, what: &str) -> Self {
        self.cause = format!("{what}: {}", self.cause);
        self
    }

    #[must_use]
    pub fn next(mut self, step: impl fmt::Display) -> Self {
        self.next_step = Some(step.to_string());
        self
    }

    /// A further step. It stands in front of the one that is there, which may end in a text that is to be copied.
    #[must_use]
    pub fn also(mut self, step: impl fmt::Display) -> Self {
        self.next_step = Some(match self.next_step.take() {
            Some(next) => format!("{step}\n  next: {next}"),
            None => step.to_string(),
        });
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.cause)?;
        match &self.next_step {
            Some(step) => write!(f, "\n  next: {step}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_further_step_leaves_the_one_that_was_there_and_the_text_at_its_end() {
        let refused = Failure::usage("not written").next("commit this as acme.yaml:\nkind: PartnerZone\n");
        assert_eq!(
            refused.also("it is kept").to_string(),
            "error: not written\n  next: it is kept\n  next: commit this as acme.yaml:\nkind: PartnerZone\n"
        );
        assert_eq!(Failure::usage("no").also("it is kept").to_string(), "error: no\n  next: it is kept");
    }
}
