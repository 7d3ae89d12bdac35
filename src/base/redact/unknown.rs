//! Texts of a server that does not quote the request, but may name its own tokens.

use super::form::{is_opaque, is_token};
use super::{cut, one_line};

/// Shorter runs are words, names and numbers.
const RUN: usize = 16;

/// One line, cut, without `secrets` and without anything that looks like a token, a key or an id. A
/// message may name paths and roles, never a token or a value.
pub(crate) fn without_secrets(text: &str, secrets: &[&str]) -> String {
    let mut text = text.to_owned();
    for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
        text = text.replace(secret, "<redacted>");
    }
    let line = one_line(&text);
    let words: Vec<String> = line.split(' ').map(word).collect();
    cut(words.join(" "))
}

/// A word with its opaque runs replaced. `/`, `:` and `=` end a run, so that paths and account
/// names stay readable.
fn word(word: &str) -> String {
    let mut shown = String::with_capacity(word.len());
    for piece in word.split_inclusive(|c: char| !is_opaque(c)) {
        let run = piece.trim_end_matches(|c: char| !is_opaque(c));
        if looks_secret(run) {
            shown.push_str("<redacted>");
            shown.push_str(&piece[run.len()..]);
        } else {
            shown.push_str(piece);
        }
    }
    shown
}

fn looks_secret(run: &str) -> bool {
    let mixed = run.contains(|c: char| c.is_ascii_digit())
        && run.contains(|c: char| c.is_ascii_alphabetic());
    (run.len() >= RUN && mixed) || is_token(run)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_and_secrets_go() {
        let rows = [
            (
                "service account name not authorized",
                "service account name not authorized",
            ),
            (
                "1 error occurred:\n\t* permission denied\n\n",
                "1 error occurred: * permission denied",
            ),
            (
                "no handler for route \"kv/data/archpad/demo/postgres\"",
                "no handler for route \"kv/data/archpad/demo/postgres\"",
            ),
            (
                "token s.OUFPbTvZcMt967MYBsWxJarS refused",
                "token <redacted> refused",
            ),
            (
                "id=\"6152030a-3f7c-e7de-48b4-c9e7fc1fb37a\", gone",
                "id=\"<redacted>\", gone",
            ),
            (
                "jwt eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOjF9.c2lnbmF0dXJl: bad",
                "jwt <redacted>: bad",
            ),
            ("said hunter2 aloud", "said <redacted> aloud"),
            ("\u{1b}[31mred", "[31mred"),
        ];
        for (text, want) in rows {
            assert_eq!(without_secrets(text, &["hunter2", ""]), want);
        }
        let long = without_secrets(&"ab ".repeat(500), &[]);
        assert_eq!(long.chars().count(), 301);
    }
}
