//! How a run ended, for scripts. Never changed by the environment.

/// The exit code of the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitCode {
    Fine = 0,
    /// At least one finding of severity `error`, or a step of `zone test` that failed.
    Findings = 1,
    /// Wrong usage or configuration.
    Usage = 2,
    /// Only with `--fail-on-changes`.
    ChangesPending = 3,
    RefusedByGuard = 4,
    /// Git or the live state cannot be reached.
    Unreachable = 5,
    PartlyApplied = 6,
    Internal = 70,
}

impl ExitCode {
    /// Most important first: where several hold, the first of them is the answer.
    const PRECEDENCE: [Self; 8] = [
        Self::Internal,
        Self::Usage,
        Self::Unreachable,
        Self::Findings,
        Self::RefusedByGuard,
        Self::PartlyApplied,
        Self::ChangesPending,
        Self::Fine,
    ];

    /// The one code that speaks for all that hold.
    pub fn of(holding: &[Self]) -> Self {
        Self::PRECEDENCE.into_iter().find(|code| holding.contains(code)).unwrap_or(Self::Fine)
    }
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        Self::from(code as u8)
    }
}

#[cfg(test)]
mod tests {
    use super::ExitCode::{
        self, ChangesPending, Findings, Fine, PartlyApplied, RefusedByGuard, Unreachable, Usage,
    };

    /// CONTRACTS, section 2: 2, 5, 1, 4, 6, 3, 0.
    #[test]
    fn of_any_two_codes_the_documented_one_wins() {
        let documented = [Usage, Unreachable, Findings, RefusedByGuard, PartlyApplied, ChangesPending, Fine];
        assert_eq!(documented.map(|code| code as u8), [2, 5, 1, 4, 6, 3, 0]);
        for (place, first) in documented.iter().enumerate() {
            for later in &documented[place..] {
                assert_eq!(ExitCode::of(&[*later, *first]), *first);
                assert_eq!(ExitCode::of(&[*first, *later]), *first);
            }
        }
    }

    #[test]
    fn the_most_important_of_several_codes_wins() {
        for (holding, wanted) in [
            (&[][..], Fine),
            (&[Fine, ChangesPending], ChangesPending),
            (&[ChangesPending, RefusedByGuard, Findings], Findings),
            (&[Findings, Unreachable], Unreachable),
            (&[Unreachable, Usage], Usage),
        ] {
            assert_eq!(ExitCode::of(holding), wanted, "{holding:?}");
        }
    }
}
