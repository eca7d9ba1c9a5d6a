//! Content codings: which of them a client takes.

use ::http::{HeaderMap, header};

/// Those of `ours` that the client takes, the one that it likes best first; among equals, in the order of `ours`. None
/// that it likes less than what is not coded.
pub(crate) fn accepted(headers: &HeaderMap, ours: &[&'static str]) -> Vec<&'static str> {
    let lines = headers.get_all(header::ACCEPT_ENCODING).iter();
    let items: Vec<(&str, u32)> = lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
        .map(weighted)
        .collect();
    let named = |name: &str| {
        let found = items
            .iter()
            .find(|(item, _)| item.eq_ignore_ascii_case(name));
        found.map(|(_, weight)| *weight)
    };
    let plain = named("identity").unwrap_or(0);
    let weight = |coding: &str| named(coding).or_else(|| named("*")).unwrap_or(0);
    let mut taken: Vec<&'static str> = ours.to_vec();
    taken.retain(|coding| weight(coding) > 0 && weight(coding) >= plain);
    taken.sort_by_key(|coding| std::cmp::Reverse(weight(coding)));
    taken
}

/// `gzip;q=0.5`: the name, and its weight in thousandths. A weight that cannot be read is none.
fn weighted(item: &str) -> (&str, u32) {
    let mut parts = item.split(';').map(str::trim);
    let name = parts.next().unwrap_or("");
    let quality = parts.find_map(|part| match part.split_once('=') {
        Some((name, value)) if name.trim().eq_ignore_ascii_case("q") => Some(value.trim()),
        _ => None,
    });
    let Some(quality) = quality else {
        return (name, 1000);
    };
    let quality: f32 = quality.parse().unwrap_or(0.0);
    (name, (quality.clamp(0.0, 1.0) * 1000.0) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_client_likes_best_comes_first() {
        let ours = ["br", "zstd", "gzip"];
        for (header, expected) in [
            ("", ""),
            ("gzip", "gzip"),
            ("GZIP, Br", "br gzip"),
            ("gzip, br;q=0.5", "gzip br"),
            ("br;q=0, *;q=0.3", "zstd gzip"),
            ("*", "br zstd gzip"),
            ("gzip;Q=0", ""),
            ("gzip; q = 0.001", "gzip"),
            ("gzip;q=x, br;q=nan", ""),
            ("identity, gzip;q=0.5", ""),
            ("identity;q=0.5, gzip;q=0.5, br;q=0.4", "gzip"),
            ("x-unknown, deflate", ""),
        ] {
            let mut headers = HeaderMap::new();
            for line in header.split(", ") {
                headers.append(header::ACCEPT_ENCODING, line.parse().expect("a value"));
            }
            assert_eq!(accepted(&headers, &ours).join(" "), expected, "{header}");
        }
    }
}
