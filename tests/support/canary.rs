//! Finds a planted value in anything that keyferry wrote, in every form in which a value tends to
//! leak.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};

/// The form in which `canary` appears in `text`, or `None`.
///
/// A canary is at least eight bytes that appear nowhere else: not in a key, a path or a file name.
pub(crate) fn form_in(text: &[u8], canary: &str) -> Option<&'static str> {
    assert!(canary.len() >= 8, "too short to be a canary: {canary:?}");
    let holds = |form: &str| {
        text.windows(form.len())
            .any(|window| window == form.as_bytes())
    };
    forms(canary)
        .into_iter()
        .find_map(|(name, form)| holds(&form).then_some(name))
}

/// Panics when one of `canaries` appears in `text` in any form.
pub(crate) fn assert_none_in(what: &str, text: &[u8], canaries: &[&str]) {
    for canary in canaries {
        if let Some(form) = form_in(text, canary) {
            let text = String::from_utf8_lossy(text);
            panic!("{what} holds {canary:?} ({form}):\n{text}");
        }
    }
}

fn forms(canary: &str) -> Vec<(&'static str, String)> {
    let bytes = canary.as_bytes();
    let digest = Sha256::digest(bytes);
    let json = serde_json::to_string(canary).expect("a string is JSON");
    let mut forms = vec![
        ("as it is", canary.to_owned()),
        ("JSON-escaped", json.trim_matches('"').to_owned()),
        (
            "shown by Debug",
            format!("{canary:?}").trim_matches('"').to_owned(),
        ),
        (
            "shown by Debug as bytes",
            format!("{bytes:?}").trim_matches(['[', ']']).to_owned(),
        ),
        ("hex", hex(bytes, "", false)),
        ("upper-case hex", hex(bytes, "", true)),
        ("percent-coded", percent(bytes)),
        ("percent-coded whole", hex(bytes, "%", true)),
        ("SHA-256 in hex", hex(&digest, "", false)),
        ("SHA-256 in base64", STANDARD_NO_PAD.encode(digest)),
    ];
    for offset in 0..3 {
        // Only the characters that depend on the canary alone, whatever stands before and after it.
        let padded = [&[0; 2][..offset], bytes].concat();
        let (from, to) = ((offset * 8).div_ceil(6), padded.len() * 8 / 6);
        forms.push((
            "base64",
            STANDARD_NO_PAD.encode(&padded)[from..to].to_owned(),
        ));
        forms.push((
            "URL-safe base64",
            URL_SAFE_NO_PAD.encode(&padded)[from..to].to_owned(),
        ));
    }
    forms
}

fn hex(bytes: &[u8], before: &str, upper: bool) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let written = if upper {
            write!(text, "{before}{byte:02X}")
        } else {
            write!(text, "{before}{byte:02x}")
        };
        written.expect("a String takes text");
        text
    })
}

fn percent(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, &byte| {
        let plain = byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        text + &if plain {
            char::from(byte).to_string()
        } else {
            format!("%{byte:02X}")
        }
    })
}
