//! Paths in Vault as a person writes them, checked before they become part of a URL.
//!
//! The URL library silently drops `..` segments and encodes a `%` again, so a path with either
//! would name something else: both are refused here.

use std::fmt;

/// A path below `/v1/` without parts that a URL library would change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DataPath(String);

/// Why a path is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum PathFault {
    #[error("it is empty")]
    Empty,
    #[error("it has an empty part: `//`, or a slash at an end")]
    EmptyPart,
    #[error("it has a part `.` or `..`")]
    Dots,
    #[error("it has a control character")]
    Control,
    #[error("it has a `{0}`: a path is written plainly, neither encoded nor with a query")]
    Sign(char),
}

impl DataPath {
    pub(super) fn parse(text: &str) -> Result<Self, PathFault> {
        if text.is_empty() {
            return Err(PathFault::Empty);
        }
        for part in text.split('/') {
            match part {
                "" => return Err(PathFault::EmptyPart),
                "." | ".." => return Err(PathFault::Dots),
                _ => (),
            }
        }
        if text.chars().any(char::is_control) {
            return Err(PathFault::Control);
        }
        match text.chars().find(|c| matches!(c, '%' | '?' | '#' | '\\')) {
            Some(sign) => Err(PathFault::Sign(sign)),
            None => Ok(Self(text.to_owned())),
        }
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn first_part(&self) -> &str {
        self.0.split('/').next().unwrap_or_default()
    }

    /// Whether it is outside the secrets engines, so that no mount needs to be looked up.
    pub(super) fn is_builtin(&self) -> bool {
        matches!(self.first_part(), "sys" | "auth" | "identity" | "cubbyhole")
    }

    /// Mount and key, if this is a KV v2 path that contains `data`. Only an answer shows whether it
    /// really is.
    pub(super) fn as_versioned(&self) -> Option<KvPath> {
        let (mount, key) = self.0.split_once("/data/")?;
        (!self.is_builtin()).then(|| KvPath {
            mount: mount.to_owned(),
            key: key.to_owned(),
        })
    }

    /// The part after a mount such as `kv/`; nothing if the path is not beneath it.
    pub(super) fn beneath(&self, mount: &str) -> Option<&str> {
        self.0
            .strip_prefix(mount)
            .filter(|rest| mount.ends_with('/') && !rest.is_empty())
    }
}

impl fmt::Display for DataPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A secret in a KV mount; the mount is without its final slash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct KvPath {
    pub(super) mount: String,
    pub(super) key: String,
}

impl KvPath {
    /// The path for reading it, and for a policy.
    pub(super) fn data_path(&self) -> String {
        format!("{}/data/{}", self.mount, self.key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_what_it_says_or_is_refused() {
        let rows = [
            ("kv/data/a/b", Ok(())),
            ("kv/a b/ü+@:~", Ok(())),
            ("kv/..a/.b./...", Ok(())),
            ("", Err(PathFault::Empty)),
            ("/kv/a", Err(PathFault::EmptyPart)),
            ("kv//a", Err(PathFault::EmptyPart)),
            ("kv/a/", Err(PathFault::EmptyPart)),
            ("kv/../sys/raw", Err(PathFault::Dots)),
            ("kv/./a", Err(PathFault::Dots)),
            ("..", Err(PathFault::Dots)),
            ("kv/a\n", Err(PathFault::Control)),
            ("kv/a\u{0}", Err(PathFault::Control)),
            ("kv/\u{85}", Err(PathFault::Control)),
            ("kv/..%2f..%2fsys", Err(PathFault::Sign('%'))),
            ("kv/%2e%2e/sys", Err(PathFault::Sign('%'))),
            ("kv/a?list=true", Err(PathFault::Sign('?'))),
            ("kv/a#b", Err(PathFault::Sign('#'))),
            ("kv\\..\\sys", Err(PathFault::Sign('\\'))),
        ];
        for (text, want) in rows {
            assert_eq!(DataPath::parse(text).map(|_| ()), want, "{text:?}");
        }
    }

    #[test]
    fn a_versioned_path_is_split_at_its_first_data() {
        let rows = [
            ("kv/data/a/b", Some(("kv", "a/b"))),
            ("team/kv/data/data/a", Some(("team/kv", "data/a"))),
            ("kv/a/b", None),
            ("kv/data", None),
            ("data/a", None),
            ("sys/data/a", None),
            ("cubbyhole/data/a", None),
        ];
        for (text, want) in rows {
            let path = DataPath::parse(text).expect("a good path");
            let want = want.map(|(mount, key)| KvPath {
                mount: mount.to_owned(),
                key: key.to_owned(),
            });
            assert_eq!(path.as_versioned(), want, "{text}");
        }
    }
}
