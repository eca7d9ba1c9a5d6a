//! Times as people write them: `2ms`, `500us`, `1.5s`.

use std::time::Duration;

use crate::Failed;

/// No task takes longer, and nobody waits for it.
const MOST: f64 = 3600.0;

/// Reads a time: a number, and `us`, `ms`, `s` or `m`; `0` needs no unit.
///
/// # Errors
/// When it is not such a text, is negative, or more than an hour.
///
/// ```
/// use std::time::Duration;
///
/// assert_eq!(benches::duration::parse("2.5ms").unwrap(), Duration::from_micros(2500));
/// assert!(benches::duration::parse("2 weeks").is_err());
/// ```
pub fn parse(text: &str) -> Result<Duration, Failed> {
    let wrong = || {
        Failed::new(
            "reading a time",
            format!("{text:?} is none; write 500us, 2.5ms, 1s or 2m, and no more than 60m"),
        )
    };
    let unit_at = text
        .find(|c: char| c.is_ascii_alphabetic())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(unit_at);
    let number: f64 = number.trim().parse().map_err(|_| wrong())?;
    let seconds = match unit {
        "us" => number / 1e6,
        "ms" => number / 1e3,
        "s" => number,
        "m" => number * 60.0,
        "" if number == 0.0 => 0.0,
        _ => return Err(wrong()),
    };
    if (0.0..=MOST).contains(&seconds) {
        Ok(Duration::from_secs_f64(seconds))
    } else {
        Err(wrong())
    }
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn what_is_no_time_is_refused() {
        for text in ["", "ms", "5", "-1ms", "1h", "1e9s", "nan s", "5 parsecs"] {
            assert!(parse(text).is_err(), "{text}");
        }
        assert!(parse("0").unwrap().is_zero());
    }
}
