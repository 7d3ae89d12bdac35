//! Which values are encrypted: at most one of six options decides, and every key on the path to a
//! value counts.

use regex::Regex;

use crate::base::material::Node;

use super::error::SopsError;
use super::fields::word;
use super::pattern;

/// The suffix of clear keys where no option is set.
const DEFAULT_SUFFIX: &str = "_unencrypted";

#[derive(Debug)]
pub(super) enum EncryptionRule {
    /// Values below a matching key are clear.
    Clear(Match),
    /// Values below a matching key are encrypted.
    Encrypted(Match),
    /// Comments decide. Only SOPS knows which comment belongs to which value, so a value that opens
    /// counts as encrypted. A value that does not open counts as clear: the checksum tells it from
    /// an encrypted value that was damaged.
    Comments,
}

#[derive(Debug)]
pub(super) enum Match {
    Suffix(String),
    Regex(Box<Regex>),
}

impl EncryptionRule {
    pub(super) fn read(metadata: &Node) -> Result<Self, SopsError> {
        let mut found = None;
        for name in [
            "unencrypted_suffix",
            "encrypted_suffix",
            "unencrypted_regex",
            "encrypted_regex",
            "unencrypted_comment_regex",
            "encrypted_comment_regex",
        ] {
            if let Some(text) = word(metadata, name)?
                && found.replace((name, text)).is_some()
            {
                return Err(SopsError::Rules);
            }
        }
        let (name, text) = found.unwrap_or(("unencrypted_suffix", DEFAULT_SUFFIX));
        let regex = || {
            let regex = pattern::compile(text).ok_or(SopsError::Pattern(name))?;
            Ok::<_, SopsError>(Match::Regex(Box::new(regex)))
        };
        Ok(match name {
            "unencrypted_suffix" => Self::Clear(Match::Suffix(text.to_owned())),
            "encrypted_suffix" => Self::Encrypted(Match::Suffix(text.to_owned())),
            "unencrypted_regex" => Self::Clear(regex()?),
            "encrypted_regex" => Self::Encrypted(regex()?),
            _ => Self::Comments,
        })
    }

    /// Whether a key decides for all values below it.
    pub(super) fn matches(&self, key: &str) -> bool {
        match self {
            Self::Clear(rule) | Self::Encrypted(rule) => match rule {
                Match::Suffix(suffix) => key.ends_with(suffix),
                Match::Regex(regex) => regex.is_match(key),
            },
            Self::Comments => false,
        }
    }

    /// Whether a value is encrypted; `matched` says whether some key on its path matched. `None`
    /// where only opening the value tells.
    pub(super) fn encrypts(&self, matched: bool) -> Option<bool> {
        match self {
            Self::Clear(_) => Some(!matched),
            Self::Encrypted(_) => Some(matched),
            Self::Comments => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(options: &[(&str, &str)]) -> Result<EncryptionRule, SopsError> {
        let entries = options
            .iter()
            .map(|(name, text)| ((*name).to_owned(), Node::text(*text)));
        EncryptionRule::read(&Node::Map(entries.collect()))
    }

    #[test]
    fn one_option_says_what_is_encrypted() {
        for (name, text, key, encrypted) in [
            ("x", "x", "a", true),
            ("x", "x", "a_unencrypted", false),
            ("unencrypted_suffix", "", "a_unencrypted", false),
            ("unencrypted_suffix", "_p", "a_unencrypted", true),
            ("unencrypted_suffix", "_p", "a_p", false),
            ("encrypted_suffix", "_s", "a_s", true),
            ("encrypted_suffix", "_s", "a", false),
            ("unencrypted_regex", "^a", "ab", false),
            ("encrypted_regex", "^a", "ab", true),
            ("encrypted_regex", "^a", "ba", false),
        ] {
            let rule = rule(&[(name, text)]).unwrap();
            let matched = rule.matches(key);
            assert_eq!(
                rule.encrypts(matched),
                Some(encrypted),
                "{name} {text} {key}"
            );
        }
    }

    #[test]
    fn comment_rules_leave_it_to_the_value() {
        let rule = rule(&[("encrypted_comment_regex", "(")]).unwrap();
        assert_eq!(rule.encrypts(rule.matches("x")), None);
    }

    #[test]
    fn two_options_or_a_bad_pattern_are_refused() {
        let both = rule(&[("encrypted_regex", "a"), ("encrypted_suffix", "b")]);
        assert_eq!(both.err(), Some(SopsError::Rules));
        let bad = rule(&[("encrypted_regex", "(")]);
        assert_eq!(bad.err(), Some(SopsError::Pattern("encrypted_regex")));
    }
}
