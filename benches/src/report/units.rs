//! Figures as people read them.

/// About three significant digits, thousands separated: `1,234`, `12.3`, `0.0123`.
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

/// Bytes in mebibytes.
pub fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / (1 << 20) as f64
}

#[cfg(test)]
mod tests {
    use super::{figure, grouped};

    #[test]
    fn figures_have_about_three_digits() {
        assert_eq!(figure(1234.5), "1,235");
        assert_eq!(figure(12.345), "12.3");
        assert_eq!(figure(0.5), "0.50");
        assert_eq!(figure(0.01234), "0.0123");
        assert_eq!(figure(0.0), "0.00");
    }

    #[test]
    fn thousands_are_separated() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(-1_234_567), "-1,234,567");
    }
}
