//! Clear values that should perhaps not be clear: by the name of their key, or by a form that only
//! secrets have.
//!
//! This is a hint for a person and may be wrong: nothing is refused because of it.

use crate::base::material::Node;
use crate::base::redact::form::{is_private_key, is_token};

/// Last words of names that mean a secret.
const LAST_WORDS: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "pass",
    "pwd",
    "secret",
    "secrets",
    "token",
    "key",
    "apikey",
    "credential",
    "credentials",
    "auth",
    "dsn",
];
/// Words that mean no secret when they stand before the last word.
const HARMLESS: &[&str] = &["public", "pub", "primary", "foreign", "sort", "partition"];
/// Whether a clear leaf under this key looks like a secret.
pub(super) fn looks_secret(key: &str, leaf: &Node) -> bool {
    let (text, is_text) = match leaf {
        Node::Text(text) => (text.expose_str().unwrap_or_default(), true),
        Node::Number(text) => (text.expose_str().unwrap_or_default(), false),
        Node::Null | Node::Bool(_) | Node::Time(_) | Node::List(_) | Node::Map(_) => return false,
    };
    if text.is_empty() {
        return false;
    }
    is_named_so(key) || (is_text && is_formed_so(text))
}

fn is_named_so(key: &str) -> bool {
    let words = words(key);
    let Some((last, before)) = words.split_last() else {
        return false;
    };
    let harmless = before.iter().any(|word| HARMLESS.contains(&word.as_str()));
    LAST_WORDS.contains(&last.as_str()) && !harmless
}

/// `dbPassword`, `DB_PASSWORD` and `db-password` have the same two words. The suffix `_unencrypted`
/// is not among the words.
fn words(key: &str) -> Vec<String> {
    let key = key.strip_suffix("_unencrypted").unwrap_or(key);
    let mut words: Vec<String> = Vec::new();
    let mut after_lower = false;
    let mut begins = true;
    for c in key.chars() {
        if !c.is_alphanumeric() {
            begins = true;
            continue;
        }
        if begins || (after_lower && c.is_uppercase()) {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut() {
            word.extend(c.to_lowercase());
        }
        after_lower = c.is_lowercase() || c.is_numeric();
        begins = false;
    }
    words
}

fn is_formed_so(text: &str) -> bool {
    let text = text.trim_start();
    text.split_whitespace().next().is_some_and(is_token) || is_private_key(text) || has_login(text)
}

/// `scheme://user:password@host`.
fn has_login(text: &str) -> bool {
    let Some((_, rest)) = text.split_once("://") else {
        return false;
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let login = authority.rsplit_once('@').map(|(login, _)| login);
    let password = login.and_then(|login| login.split_once(':'));
    password.is_some_and(|(_, password)| !password.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_forms_of_secrets_are_known() {
        for (key, value, secret) in [
            ("password", "x", true),
            ("DB_PASSWORD", "x", true),
            ("dbPassword", "x", true),
            ("password_unencrypted", "x", true),
            ("api-key", "x", true),
            ("accessToken2", "x", false),
            ("client_secret", "x", true),
            ("publicKey", "x", false),
            ("secretName", "x", false),
            ("token_ttl", "1h", false),
            ("monkey", "x", false),
            ("password", "", false),
            ("url", "postgres://app:hunter2@db/app", true),
            ("url", "postgres://app@db/app", false),
            ("url", "https://example.org/a:b@c", false),
            ("note", "-----BEGIN RSA PRIVATE KEY-----\nx", true),
            ("note", "-----BEGIN CERTIFICATE-----\nx", false),
            ("", "AGE-SECRET-KEY-1QQ", true),
            ("host", "db", false),
        ] {
            assert_eq!(looks_secret(key, &Node::text(value)), secret, "{key}");
        }
        assert!(looks_secret("pwd", &Node::Number("1234".into())));
        assert!(!looks_secret("token", &Node::Bool(true)));
    }
}
