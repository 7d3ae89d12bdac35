//! Texts of a server that may quote the request: the refusals of an API server, of its webhooks and
//! policies.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use super::{cut, one_line};
use crate::base::coding::{hex, percent};
use crate::base::material::SecretBytes;

/// Shorter runs of a value are words that any text may hold by chance.
const RUN: usize = 4;

/// Words behind which an admission plug-in's own text begins; before them stand names that the
/// cluster's administrator chose.
const OWN_WORDS: [&str; 2] = ["denied the request", "denied request"];

/// One printable line of `text`. If it repeats any part of a value, in whatever coding, its reason
/// is left out whole: to cut out only the part that was found would show the rest.
pub(crate) fn without_values<'a>(
    text: &str,
    values: impl IntoIterator<Item = &'a SecretBytes>,
) -> String {
    let line = one_line(text);
    let values: Vec<&SecretBytes> = values.into_iter().collect();
    let repeats = |text: &str| values.iter().any(|value| repeats(text, value.expose()));
    if !repeats(&line) {
        return cut(line);
    }
    let names = OWN_WORDS
        .iter()
        .find_map(|words| line.find(words).map(|at| &line[..at + words.len()]));
    match names {
        Some(names) if !repeats(names) => format!(
            "{} (the reason is withheld: it repeats a value)",
            cut(names.to_owned())
        ),
        Some(_) | None => "the reason is withheld: it repeats a value".to_owned(),
    }
}

/// Whether a text holds a value, or a run of letters and digits of it, plain or in base64, hex or
/// percent-coding.
fn repeats(text: &str, value: &[u8]) -> bool {
    let whole = String::from_utf8_lossy(value);
    let runs = whole.split(|c: char| !c.is_alphanumeric());
    if runs
        .filter(|run| run.len() >= RUN)
        .any(|run| text.contains(run))
    {
        return true;
    }
    if value.len() < RUN {
        return !value.is_empty()
            && text
                .split(|c: char| !c.is_alphanumeric())
                .any(|word| word == whole);
    }
    text.contains(whole.as_ref())
        || String::from_utf8_lossy(&percent::decode(text)).contains(whole.as_ref())
        || text.to_ascii_lowercase().contains(&hex::encode(value))
        || in_base64(text, value)
}

/// A value inside longer bytes has three shapes in base64, by where it begins; the edges of each
/// depend on the neighbours.
fn in_base64(text: &str, value: &[u8]) -> bool {
    let standard = text.replace('-', "+").replace('_', "/");
    (0..3).any(|offset| {
        let mut padded = vec![0; offset];
        padded.extend_from_slice(value);
        let coded = STANDARD_NO_PAD.encode(&padded);
        let first = [0, 2, 3][offset];
        let last = padded.len() * 8 / 6;
        let core = coded.get(first..last).unwrap_or_default();
        core.len() >= RUN && standard.contains(core)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_shown_and_anything_that_repeats_a_value_is_not() {
        const WITHHELD: &str = "the reason is withheld: it repeats a value";
        let value = r#"{"auths":{"r.example":{"password":"pä&55=","auth":"hunter22"}}}"#;
        let coded = STANDARD_NO_PAD.encode(value);
        let inside = STANDARD_NO_PAD.encode(format!("x{value}y"));
        let rows = [
            (
                "type: Invalid value:\n field is immutable",
                "type: Invalid value: field is immutable".to_owned(),
            ),
            ("said hunter22 aloud", WITHHELD.to_owned()),
            (&coded, WITHHELD.to_owned()),
            (&inside, WITHHELD.to_owned()),
            (
                &hex::encode(value.as_bytes()).to_uppercase(),
                WITHHELD.to_owned(),
            ),
            (
                "admission webhook \"w.io\" denied the request: no hunter22 here",
                format!("admission webhook \"w.io\" denied the request ({WITHHELD})"),
            ),
            ("policy hunter22 denied request: no", WITHHELD.to_owned()),
        ];
        for (text, want) in rows {
            assert_eq!(
                without_values(text, [&SecretBytes::from(value)]),
                want,
                "{text}"
            );
        }
    }

    #[test]
    fn short_and_odd_values_are_found_too() {
        let rows = [
            ("a1", "key a1 is bad", true),
            ("a1", "port a12 is bad", false),
            ("", "anything", false),
            ("%&=?", "said %25%26%3D%3F", true),
            ("%&=?", "said %25%26", false),
            ("p-w-", "x=p-w-y", true),
        ];
        for (value, text, want) in rows {
            assert_eq!(
                repeats(text, value.as_bytes()),
                want,
                "{value:?} in {text:?}"
            );
        }
    }

    #[test]
    fn a_long_text_is_cut() {
        let none: [&SecretBytes; 0] = [];
        assert_eq!(
            without_values(&"ab ".repeat(500), none).chars().count(),
            301
        );
    }
}
