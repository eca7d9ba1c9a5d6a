//! `Range`: the part of a file that a client asks for.

use std::ops::Range;

/// What a `Range` header comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    /// No range, several, or one that cannot be read: the whole.
    Whole,
    Bytes(Range<u64>),
    /// It lies outside: 416.
    Outside,
}

/// Reads the header's value against a file of `size` bytes. Several ranges at once are answered with the whole: they are
/// hardly used but to make a server work.
pub(crate) fn parse(value: Option<&str>, size: u64) -> Part {
    let spec = match value.and_then(|value| value.split_once('=')) {
        Some((unit, spec)) if unit.trim().eq_ignore_ascii_case("bytes") => spec,
        _ => return Part::Whole,
    };
    let Some((first, last)) = spec.trim().split_once('-') else {
        return Part::Whole;
    };
    let number = |text: &str| match text.bytes().all(|byte| byte.is_ascii_digit()) {
        true if text.is_empty() => Some(None),
        // Too large a number lies outside whatever the file's size.
        true => Some(Some(text.parse().unwrap_or(u64::MAX))),
        false => None,
    };
    match (number(first), number(last)) {
        (Some(None), Some(Some(0))) => Part::Outside,
        (Some(None), Some(Some(_))) if size == 0 => Part::Outside,
        (Some(None), Some(Some(count))) => Part::Bytes(size.saturating_sub(count)..size),
        (Some(Some(first)), Some(_)) if first >= size => Part::Outside,
        (Some(Some(first)), Some(Some(last))) if last < first => Part::Outside,
        (Some(Some(first)), Some(Some(last))) => {
            Part::Bytes(first..last.saturating_add(1).min(size))
        }
        (Some(Some(first)), Some(None)) => Part::Bytes(first..size),
        _ => Part::Whole,
    }
}
