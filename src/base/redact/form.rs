//! Forms that only secrets have: beginnings of tokens, and words that look random.

/// Beginnings of tokens and keys, and the least length of each.
const SHAPES: &[(&str, usize)] = &[
    ("hvs.", 20),
    ("hvb.", 20),
    ("hvr.", 20),
    ("sbx.", 20),
    ("s.", 20),
    ("b.", 20),
    ("ghp_", 20),
    ("gho_", 20),
    ("ghs_", 20),
    ("github_pat_", 20),
    ("glpat-", 20),
    ("xoxb-", 20),
    ("xoxp-", 20),
    ("eyJ", 30),
    ("AKIA", 20),
    ("ASIA", 20),
    ("AGE-SECRET-KEY-", 17),
    ("AGE-PLUGIN-", 17),
];

/// Whether a word has the form of a token, of an access key or of a private key.
pub(crate) fn is_token(word: &str) -> bool {
    SHAPES.iter().any(|&(beginning, least)| {
        word.len() >= least
            && word
                .strip_prefix(beginning)
                .is_some_and(|rest| rest.chars().all(is_opaque) && is_plausible(beginning, rest))
    })
}

/// A short beginning alone proves little: `s.` may begin the name of a host, `eyJ` a word.
fn is_plausible(beginning: &str, rest: &str) -> bool {
    match beginning {
        "s." | "b." => {
            let body = rest.split('.').next().unwrap_or_default();
            body.len() >= 18 && !body.contains('-') && !body.bytes().all(|b| b.is_ascii_lowercase())
        }
        "eyJ" => is_mixed(rest),
        "AKIA" | "ASIA" => rest
            .bytes()
            .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit()),
        _ => true,
    }
}

/// Whether a text begins as a private key does.
pub(crate) fn is_private_key(text: &str) -> bool {
    let pem = text.starts_with("-----BEGIN ") && text.contains("PRIVATE KEY-----");
    pem || text.starts_with("AGE-SECRET-KEY-")
}

/// Runs of characters that tokens are made of.
pub(crate) fn runs(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut at = 0;
    text.split(|c: char| !is_opaque(c)).map(move |run| {
        let here = at;
        // One character ended the run; it may have several bytes.
        at = here + run.len();
        at += text[at..].chars().next().map_or(0, char::len_utf8);
        (here, run)
    })
}

/// Whether tokens are made of this character.
pub(crate) fn is_opaque(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '_' | '.' | '~')
}

/// Letters of both cases and digits.
fn is_mixed(run: &str) -> bool {
    let any = |is: fn(&u8) -> bool| run.as_bytes().iter().any(is);
    any(u8::is_ascii_digit) && any(u8::is_ascii_lowercase) && any(u8::is_ascii_uppercase)
}

/// Whether a long run looks random: names seldom change between letters and digits.
pub(crate) fn is_random(run: &str) -> bool {
    let bytes = run.as_bytes();
    if bytes.len() < 16 || !bytes.iter().any(u8::is_ascii_digit) {
        return false;
    }
    let changes = bytes
        .windows(2)
        .filter(|pair| pair[0].is_ascii_digit() != pair[1].is_ascii_digit())
        .count();
    let bare = bytes.iter().filter(|byte| byte.is_ascii_alphanumeric());
    let hex = bare.clone().all(u8::is_ascii_hexdigit);
    (is_mixed(run) && changes >= 3) || changes >= 6 || (hex && bare.count() >= 20)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_words_are_no_tokens() {
        for (word, token) in [
            ("s.very-long-host.example.com", false),
            ("b.d/keyferry.yaml", false),
            ("eyJust-a-long-word-without-any-sense", false),
            ("AKIA-is-a-word-of-its-own", false),
            ("s.OUFPbTvZcMt967MYBsWxJarS", true),
        ] {
            assert_eq!(is_token(word), token, "{word}");
        }
    }
}
