//! Durations as people write them: `500ms`, `30s`, `5m`, `12h`, `7d`.

use std::time::Duration;

use thiserror::Error;

/// Why a text is not a duration. The message completes "`x` …".
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DurationError {
    #[error("is not a duration such as `30s` or `7d`")]
    Form,
    #[error("is longer than 100 years")]
    TooLong,
}

/// Milliseconds per unit, largest first.
const UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];
const LIMIT: u64 = 36_525 * 86_400_000;

pub fn parse_duration(text: &str) -> Result<Duration, DurationError> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits).ok_or(DurationError::Form)?;
    let (_, millis) = UNITS.into_iter().find(|(name, _)| *name == unit).ok_or(DurationError::Form)?;
    if number.is_empty() {
        return Err(DurationError::Form);
    }
    let total = number.parse::<u64>().ok().and_then(|number| number.checked_mul(millis));
    total.filter(|total| *total <= LIMIT).map(Duration::from_millis).ok_or(DurationError::TooLong)
}

/// The shortest exact form, in the largest unit that divides it; below a millisecond is cut off.
pub fn format_duration(duration: Duration) -> String {
    let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let exact = UNITS.into_iter().find(|(_, unit)| millis >= *unit && millis.is_multiple_of(*unit));
    exact.map_or_else(|| "0s".to_owned(), |(name, unit)| format!("{}{name}", millis / unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_parse_and_come_back_in_their_largest_unit() {
        for (text, seconds, canonical) in [
            ("7d", 604_800, "7d"),
            ("60s", 60, "1m"),
            ("90m", 5_400, "90m"),
            ("24h", 86_400, "1d"),
            ("0s", 0, "0s"),
        ] {
            let duration = parse_duration(text).unwrap();
            assert_eq!(
                (duration.as_secs(), format_duration(duration)),
                (seconds, canonical.to_owned()),
                "{text}"
            );
        }
        assert_eq!(format_duration(parse_duration("1500ms").unwrap()), "1500ms");
    }

    #[test]
    fn anything_else_is_refused() {
        for text in ["", "7", "d", "7 d", "-1s", "1.5h", "1w", "1d2h", "٣d"] {
            assert_eq!(parse_duration(text), Err(DurationError::Form), "{text}");
        }
        for text in ["36526d", "99999999999999999999s"] {
            assert_eq!(parse_duration(text), Err(DurationError::TooLong), "{text}");
        }
    }
}
