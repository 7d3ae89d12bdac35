//! The paths of Vault that a read needs in a policy. The rule is beside `kv`, which makes the
//! requests.

use super::failure_reasons::Setup;
use super::path::DataPath;
use crate::base::failure::{Class, Failure};
use crate::config::VaultRead;

/// What a policy allows at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Capability {
    /// To read.
    Read,
    /// To write, if the answer of the path depends on the data that is sent.
    Update,
}

impl Capability {
    /// The word in a policy.
    pub fn word(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Update => "update",
        }
    }
}

/// How necessary a right is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// The read fails without it.
    Necessary,
    /// One of two paths is needed: the engine of the mount decides which.
    EitherOf,
    /// For a SOPS file that an age key may open instead.
    BesideAge,
    /// Without it a sidecar reads the whole secret at each refresh.
    Helpful,
}

/// One path of a policy.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PathRight {
    /// The path in the form of a policy.
    pub path: String,
    /// The capability that is needed there.
    pub capability: Capability,
    /// How necessary it is.
    pub need: Need,
}

/// The rights of one read; `follows` says whether a sidecar checks its version again and again.
pub fn of_read(read: &VaultRead, follows: bool) -> Result<Vec<PathRight>, Failure> {
    let path = DataPath::parse(&read.path).map_err(|fault| {
        let setup = Setup::Path(fault);
        Failure::new(
            setup.class(),
            format!("vault path `{}`: {setup}", read.path.escape_debug()),
        )
        .hint(setup.hint())
    })?;
    if is_pattern(path.as_str()) {
        return Err(Failure::new(
            Class::Refused,
            format!("no policy can name `{path}` alone: `*` at its end and `+` mean more there"),
        )
        .hint("rename the secret, or write the policy by hand"));
    }
    let right = |path: String, capability, need| PathRight {
        path,
        capability,
        need,
    };
    if read.write.is_some() {
        return Ok(vec![right(
            path.to_string(),
            Capability::Update,
            Need::Necessary,
        )]);
    }
    let follows = follows && read.version.is_none();
    if let Some(at) = path.as_versioned() {
        let metadata = format!("{}/metadata/{}", at.mount, at.key);
        let mut all = vec![right(at.data_path(), Capability::Read, Need::Necessary)];
        all.extend(follows.then(|| right(metadata, Capability::Read, Need::Helpful)));
        return Ok(all);
    }
    let whole = path.to_string();
    match versioned(&whole).filter(|_| !read.exact && !path.is_builtin()) {
        None => Ok(vec![right(whole, Capability::Read, Need::Necessary)]),
        Some((data, metadata)) => {
            let mut all = vec![right(data, Capability::Read, Need::EitherOf)];
            all.extend(follows.then(|| right(metadata, Capability::Read, Need::Helpful)));
            all.push(right(whole, Capability::Read, Need::EitherOf));
            Ok(all)
        }
    }
}

/// For a path without `data`: the paths of the secret and of its metadata, if its first part is a
/// mount of KV version 2. Only the server knows whether it is.
pub fn versioned(path: &str) -> Option<(String, String)> {
    let (mount, key) = path.split_once('/')?;
    Some((
        format!("{mount}/data/{key}"),
        format!("{mount}/metadata/{key}"),
    ))
}

/// Whether a policy would match more than one path with it.
fn is_pattern(path: &str) -> bool {
    path.ends_with('*') || path.split('/').any(|part| part == "+")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(path: &str) -> VaultRead {
        VaultRead {
            server: "default".to_owned(),
            path: path.to_owned(),
            exact: false,
            version: None,
            write: None,
        }
    }

    fn check(read: &VaultRead, follows: bool, want: &[(&str, Capability, Need)]) {
        let rights = of_read(read, follows).expect("rights");
        let seen: Vec<_> = rights
            .iter()
            .map(|right| (right.path.as_str(), right.capability, right.need))
            .collect();
        assert_eq!(seen, want, "{read:?}");
    }

    #[test]
    fn a_read_needs_exactly_these_paths() {
        use Capability::{Read, Update};
        use Need::{EitherOf, Helpful, Necessary};
        let data = ("kv/data/a/b", Read, Necessary);
        let metadata = ("kv/metadata/a/b", Read, Helpful);
        check(&read("kv/data/a/b"), false, &[data]);
        check(&read("kv/data/a/b"), true, &[data, metadata]);
        let pinned = VaultRead {
            version: Some(3),
            ..read("kv/data/a/b")
        };
        check(&pinned, true, &[data]);
        let exact = VaultRead {
            exact: true,
            ..read("database/creds/ro")
        };
        check(&exact, true, &[("database/creds/ro", Read, Necessary)]);
        check(
            &read("kv/a/b"),
            true,
            &[
                ("kv/data/a/b", Read, EitherOf),
                metadata,
                ("kv/a/b", Read, EitherOf),
            ],
        );
        check(
            &read("sys/health"),
            true,
            &[("sys/health", Read, Necessary)],
        );
        let issue = VaultRead {
            write: Some("{}".to_owned()),
            ..read("pki/issue/web")
        };
        check(&issue, true, &[("pki/issue/web", Update, Necessary)]);
    }

    #[test]
    fn a_path_that_a_policy_takes_for_a_pattern_is_refused() {
        for path in ["kv/data/a*", "kv/data/+/b"] {
            let failure = of_read(&read(path), false).expect_err(path);
            assert_eq!(failure.class, Class::Refused, "{path}");
        }
        let failure = of_read(&read("kv/../sys"), false).expect_err("dots");
        assert_eq!(failure.class, Class::Configuration);
    }
}
