//! Percent-encoding, as URLs have it.

use super::hex;

/// A byte as it stands in any part of a URL: itself if RFC 3986 calls it unreserved.
pub(crate) fn escaped(byte: u8) -> ([u8; 3], usize) {
    match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => ([byte, 0, 0], 1),
        _ => {
            let [high, low] = hex::pair(byte).map(|digit| digit.to_ascii_uppercase());
            ([b'%', high, low], 3)
        }
    }
}

/// A text as one value of a query. Not for secrets: the result is not wiped.
pub(crate) fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        let (signs, length) = escaped(byte);
        out.extend(signs[..length].iter().copied().map(char::from));
    }
    out
}

/// The bytes that a text stands for; a `%` without two digits stands for itself.
pub(crate) fn decode(text: &str) -> Vec<u8> {
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let coded = match (first, after) {
            (b'%', [high, low, ..]) => hex::byte(*high, *low),
            _ => None,
        };
        plain.push(coded.unwrap_or(*first));
        rest = coded.map_or(after, |_| &after[2..]);
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_one_value_of_a_query_and_is_read_back() {
        for (text, query) in [
            ("a.b/c=active", "a.b%2Fc%3Dactive"),
            ("a in (b, c)&limit=1", "a%20in%20%28b%2C%20c%29%26limit%3D1"),
            ("A-z_0.9~ü", "A-z_0.9~%C3%BC"),
        ] {
            assert_eq!(encode(text), query);
            assert_eq!(decode(query), text.as_bytes());
        }
        assert_eq!(decode("100%, %4, %zz, %2f"), b"100%, %4, %zz, /");
    }
}
