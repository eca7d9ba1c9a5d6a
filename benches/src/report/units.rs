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
#[must_use]
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

/// The text with its lines broken between words where they are wider than this; what is a table stays as it is.
pub fn wrapped(text: &str, width: Option<usize>) -> String {
    let Some(width) = width else {
        return text.to_owned();
    };
    let wide =
        |line: &str| line.chars().count() > width && !line.contains("   ") && !line.contains('─');
    let mut wrapped = String::new();
    for line in text.lines() {
        if wide(line) {
            wrap(line, width, &mut wrapped);
        } else {
            wrapped += line;
        }
        wrapped.push('\n');
    }
    wrapped
}

/// Lines after the first one begin two characters further to the right.
fn wrap(line: &str, width: usize, wrapped: &mut String) {
    let indent = line.chars().take_while(|c| *c == ' ').count();
    wrapped.push_str(&line[..indent]);
    let mut at = indent;
    for (nth, word) in line[indent..].split(' ').enumerate() {
        let length = word.chars().count();
        if nth > 0 && at + 1 + length > width {
            wrapped.push('\n');
            wrapped.push_str(&" ".repeat(indent + 2));
            at = indent + 2;
        } else if nth > 0 {
            wrapped.push(' ');
            at += 1;
        }
        wrapped.push_str(word);
        at += length;
    }
}

/// As a sentence begins.
pub fn capitalized(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(letters).collect()
    })
}

/// Bytes in mebibytes.
pub fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / (1 << 20) as f64
}

#[cfg(test)]
mod tests {
    use super::{bytes, figure, grouped, span, wrapped};

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
    fn lines_are_broken_between_words() {
        assert_eq!(
            wrapped("  one two three\nfour\n", Some(10)),
            "  one two\n    three\nfour\n"
        );
        assert_eq!(wrapped("unbreakable", Some(4)), "unbreakable\n");
        assert_eq!(
            wrapped("a   table is left\n", Some(4)),
            "a   table is left\n"
        );
        assert_eq!(wrapped("one two", None), "one two");
    }

    #[test]
    fn thousands_are_separated() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(-1_234_567), "-1,234,567");
    }
}
