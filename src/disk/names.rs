//! Names that are certainly ours, so that leftovers of a killed run can be told from files of
//! others.

use std::collections::BTreeSet;
use std::ops::Deref;
use std::path::Path;
use std::sync::Mutex;

use super::SinkError;
use crate::base::coding::hex;
use crate::base::lock::locked;

/// A file that is being written: `.keyferry-<hex>.tmp`.
const FILE: (&str, &str) = (".keyferry-", ".tmp");
/// A link that is being made in a set: `..keyferry-<hex>.tmp`.
const LINK: (&str, &str) = ("..keyferry-", ".tmp");
/// The files of a set, as one pass wrote them: `..keyferry-<hex>`.
const GENERATION: (&str, &str) = ("..keyferry-", "");

/// The file whose lock keeps two runs apart while one writes.
pub(super) const LOCK: &str = ".keyferry.lock";

/// The name of a file that this process is writing, until dropped. Such a file never counts as
/// litter.
pub(super) struct Temporary(String);

static WRITING: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

impl Temporary {
    pub(super) fn new() -> Self {
        let name = fresh(FILE);
        locked(&WRITING).insert(name.clone());
        Self(name)
    }

    /// Whether a file of this name is being written by this process.
    pub(super) fn is_in_use(name: &str) -> bool {
        locked(&WRITING).contains(name)
    }
}

impl Deref for Temporary {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        locked(&WRITING).remove(&self.0);
    }
}

pub(super) fn temporary_link() -> String {
    fresh(LINK)
}

pub(super) fn generation() -> String {
    fresh(GENERATION)
}

pub(super) fn is_temporary_file(name: &str) -> bool {
    is(FILE, name)
}

pub(super) fn is_temporary_link(name: &str) -> bool {
    is(LINK, name)
}

pub(super) fn is_generation(name: &str) -> bool {
    is(GENERATION, name)
}

/// Whether a target's name is one plain name that cannot be mistaken for ours.
pub(super) fn is_file_name(name: &str) -> bool {
    let plain = Path::new(name).file_name().is_some_and(|only| only == name);
    plain
        && name.len() <= 255
        && !name.starts_with("..")
        && !name.contains(['/', '\0'])
        && !is_temporary_file(name)
        && name != LOCK
}

/// Whether a path is a visible name of a set: a link that leads through `..data`.
pub fn leads_into_set(path: &Path) -> bool {
    std::fs::read_link(path).is_ok_and(|target| target.starts_with("..data"))
}

/// Folder and name of a file target.
pub fn place(path: &Path) -> Result<(&Path, &str), SinkError> {
    let name = path.file_name().and_then(|name| name.to_str());
    match (path.parent(), name) {
        (Some(parent), Some(name)) if is_file_name(name) => Ok((parent, name)),
        (_, _) => Err(SinkError::UnsafePath {
            path: path.to_owned(),
            why: "it does not end in a plain file name",
        }),
    }
}

fn fresh((before, after): (&str, &str)) -> String {
    format!("{before}{}{after}", random_digits())
}

fn is((before, after): (&str, &str), name: &str) -> bool {
    name.strip_prefix(before)
        .and_then(|rest| rest.strip_suffix(after))
        .is_some_and(|rest| {
            let digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
            rest.len() == 16 && rest.bytes().all(digit)
        })
}

/// Sixteen hex digits that nobody can foresee. From the kernel: the crypto library takes 30 ms to
/// seed itself.
fn random_digits() -> String {
    let mut bytes = [0; 8];
    let filled = rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty());
    assert!(
        filled == Ok(bytes.len()),
        "the kernel gives a few bytes whole"
    );
    hex::encode(&bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn row_02_names_from_data_stay_in_their_folder() {
        let long = "a".repeat(256);
        let temporary = Temporary::new();
        for name in [
            "", ".", "..", "..data", "..x", "a/b", "../x", "/x", "a\0b", "a/", &long, &temporary,
            LOCK,
        ] {
            assert!(!is_file_name(name), "{name:?}");
        }
        for name in ["a", ".env", "tls.crt", "a b", "ключ", &long[..255]] {
            assert!(is_file_name(name), "{name:?}");
        }
    }

    #[test]
    fn only_the_exact_pattern_is_ours() {
        let (file, link, generation) = (Temporary::new(), temporary_link(), generation());
        assert!(is_temporary_file(&file) && is_temporary_link(&link) && is_generation(&generation));
        assert!(!is_generation(&link) && !is_temporary_link(&file) && !is_temporary_file(&link));
        for name in [
            ".keyferry-.tmp",
            ".keyferry-0123456789abcde.tmp",
            ".keyferry-0123456789abcdeF.tmp",
            ".keyferry-0123456789abcdef.tmp~",
            "..keyferry-0123456789abcdef0",
            "..2024_01_01_00_00_00.123456789",
            "..data_tmp",
        ] {
            assert!(
                !is_temporary_file(name) && !is_temporary_link(name) && !is_generation(name),
                "{name}"
            );
        }
    }
}
