//! Figures as people read them.

/// About three significant digits, thousands separated: `1,234`, `12.3`, `0.0123`.
#[must_use]
pub fn figure(value: f64) -> String {
    match value.abs() {
        v if v >= 100.0 => grouped(value.round() as i64),
        v if v >= 10.0 => format!("{value:.1}"),
        v if v >= 0.1 || v == 0.0 => format!("{value:.2}"),
        _ => format!("{value:.4}"),
    }
}

/// A whole number with its thousands separated.
pub fn grouped(value: i64) -> String {
    let digits = value.unsigned_abs().to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if value < 0 { format!("-{text}") } else { text }
}

/// Bytes with a unit: `3.4 MiB`, `2.00 GiB`.
#[must_use]
pub fn bytes(bytes: u64) -> String {
    match mebibytes(bytes) {
        mib if mib >= 1024.0 => format!("{} GiB", figure(mib / 1024.0)),
        mib => format!("{} MiB", figure(mib)),
    }
}

/// Seconds with a unit that suits: `1.20 ms`, `3.40 s`, `12.0 min`, `5.00 h`.
#[must_use]
pub fn span(seconds: f64) -> String {
    match seconds {
        s if s < 1.0 => format!("{} ms", figure(s * 1e3)),
        s if s < 120.0 => format!("{} s", figure(s)),
        s if s < 7200.0 => format!("{} min", figure(s / 60.0)),
        s => format!("{} h", figure(s / 3600.0)),
    }
}

/// Bytes in mebibytes.
pub fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / (1 << 20) as f64
}

#[cfg(test)]
mod tests {
    use super::{bytes, figure, grouped, span};

    #[test]
    fn figures_have_about_three_digits() {
        assert_eq!(figure(1234.5), "1,235");
        assert_eq!(figure(12.345), "12.3");
        assert_eq!(figure(0.5), "0.50");
        assert_eq!(figure(0.01234), "0.0123");
        assert_eq!(figure(0.0), "0.00");
    }

    #[test]
    fn times_and_sizes_have_a_unit_that_suits() {
        assert_eq!(span(0.0012), "1.20 ms");
        assert_eq!(span(90.0), "90.0 s");
        assert_eq!(span(600.0), "10.0 min");
        assert_eq!(bytes(3 << 29), "1.50 GiB");
        assert_eq!(bytes(5 << 20), "5.00 MiB");
    }

    #[test]
    fn thousands_are_separated() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(-1_234_567), "-1,234,567");
    }
}
