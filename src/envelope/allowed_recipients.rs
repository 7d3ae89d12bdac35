//! Checks that files are encrypted only to the recipients that the configuration lists.
//!
//! Nothing protects the recipients that a file names, and age does not name most of them. So this
//! check finds mistakes, not attackers: a colleague who left and is still a recipient, a file that
//! is older than the list.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::recipient::shortened;
use super::{age, sops};
use crate::base::failure::{Class, Fault};

/// The listed recipients. An empty list allows everybody.
#[derive(Debug, Clone, Copy)]
pub struct RecipientPolicy<'a>(pub &'a [String]);

/// A recipient that is not listed can read the file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("it is encrypted to {}, not among keys.recipients", .others.join(", "))]
pub struct OutsidePolicy {
    /// The first of them by name, kind or number.
    others: Vec<String>,
}

impl Fault for OutsidePolicy {
    fn class(&self) -> Class {
        Class::Refused
    }

    fn hint(&self) -> Option<String> {
        Some(
            "add them to keys.recipients; or encrypt it again without them and replace its \
            values, which they may have read"
                .to_owned(),
        )
    }
}

impl RecipientPolicy<'_> {
    /// Whether the list allows this recipient, fingerprint or key.
    pub fn names(&self, name: &str) -> bool {
        self.0.is_empty() || self.0.iter().any(|listed| is_same(listed, name))
    }

    /// All recipients that a SOPS file names must be listed.
    pub fn of_sops(&self, recipients: &[sops::SopsRecipient]) -> Result<(), OutsidePolicy> {
        let others = recipients.iter().filter(|one| !self.names(&one.name));
        refuse(others.map(|one| match one.kind {
            "age" => shortened(&one.name).into_owned(),
            kind => format!("{kind} {}", shortened(&one.name)),
        }))
    }

    /// An SSH key is known by its short hash. Other recipients can only be counted, so a file must
    /// not have more of them than the list.
    pub fn of_age(&self, recipients: &[age::AgeRecipient]) -> Result<(), OutsidePolicy> {
        if self.0.is_empty() {
            return Ok(());
        }
        let mut others = Vec::new();
        let mut counted: Vec<(&str, usize)> = Vec::new();
        for one in recipients {
            match &one.tag {
                Some(tag) if self.0.iter().any(|listed| has_tag(listed, &one.kind, tag)) => {}
                Some(tag) => others.push(format!("{} {tag}", one.kind)),
                None => match counted.iter_mut().find(|(kind, _)| *kind == one.kind) {
                    Some((_, count)) => *count += 1,
                    None => counted.push((&one.kind, 1)),
                },
            }
        }
        for (kind, count) in counted {
            let listed = self.0.iter().filter(|listed| is_kind(listed, kind)).count();
            if count > listed {
                others.push(format!("{count} × {kind} where {listed} are listed"));
            }
        }
        refuse(others.into_iter())
    }

    /// Sealing keys are restricted only where the list holds fingerprints. A value names no key, so
    /// its key is known only after the value was opened.
    pub fn of_sealing_keys(&self, fingerprints: &[String]) -> Result<(), OutsidePolicy> {
        if !self.0.iter().any(|listed| listed.starts_with("SHA256:")) {
            return Ok(());
        }
        let others = fingerprints.iter().filter(|one| !self.names(one));
        refuse(others.cloned())
    }
}

fn refuse(others: impl Iterator<Item = String>) -> Result<(), OutsidePolicy> {
    const SHOWN: usize = 8;
    let mut distinct: Vec<String> = Vec::new();
    for other in others {
        if !distinct.contains(&other) {
            distinct.push(other);
        }
    }
    let mut others = distinct;
    if others.is_empty() {
        return Ok(());
    }
    let more = others.len().saturating_sub(SHOWN);
    others.truncate(SHOWN);
    if more > 0 {
        others.push(format!("{more} more"));
    }
    Err(OutsidePolicy { others })
}

/// Ignores the comment after an SSH key, and case and blanks in a PGP fingerprint.
fn is_same(listed: &str, name: &str) -> bool {
    if listed.starts_with("ssh-") {
        return listed
            .split_whitespace()
            .take(2)
            .eq(name.split_whitespace().take(2));
    }
    let bare = |text: &str| -> String { text.split_whitespace().collect() };
    let (listed, name) = (bare(listed), bare(name));
    let is_fingerprint = name.len() >= 16 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    listed == name || (is_fingerprint && listed.eq_ignore_ascii_case(&name))
}

/// Whether a listed recipient has stanzas of this kind.
fn is_kind(listed: &str, kind: &str) -> bool {
    match kind {
        "X25519" => listed.starts_with("age1") && !listed.starts_with("age1pq1"),
        "mlkem768x25519" => listed.starts_with("age1pq1"),
        _ => false,
    }
}

fn has_tag(listed: &str, kind: &str, tag: &str) -> bool {
    let mut words = listed.split_whitespace();
    let of_kind = words.next() == Some(kind);
    let wire = words.next().and_then(|key| STANDARD.decode(key).ok());
    of_kind && wire.is_some_and(|wire| age::short_hash(&wire) == tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SSH: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDtyKtHzbVZP me@host";

    fn age_recipient(kind: &str, tag: Option<&str>) -> age::AgeRecipient {
        age::AgeRecipient {
            kind: kind.to_owned(),
            tag: tag.map(str::to_owned),
        }
    }

    fn listed(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn sops_files_name_everyone() {
        let list = listed(&["age1a", SSH, "85D7 7543 b3d6 24b6 3cea"]);
        for (kind, name, fine) in [
            ("age", "age1a", true),
            ("age", "age1b", false),
            (
                "age",
                "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDtyKtHzbVZP",
                true,
            ),
            ("PGP", "85D77543B3D624B63CEA", true),
            ("AWS KMS", "arn:x", false),
        ] {
            let one = sops::SopsRecipient {
                kind,
                name: name.to_owned(),
            };
            let of_list = RecipientPolicy(&list).of_sops(std::slice::from_ref(&one));
            assert_eq!(of_list.is_ok(), fine, "{name}");
            assert_eq!(RecipientPolicy(&[]).of_sops(&[one]), Ok(()));
        }
    }

    #[test]
    fn age_files_name_ssh_keys_and_numbers() {
        let wire = STANDARD
            .decode("AAAAC3NzaC1lZDI1NTE5AAAAIDtyKtHzbVZP")
            .unwrap();
        let tag = age::short_hash(&wire);
        let list = listed(&["age1a", "age1pq1a", SSH]);
        let x = || age_recipient("X25519", None);
        for (recipients, fine) in [
            (vec![x()], true),
            (vec![x(), x()], false),
            (vec![age_recipient("mlkem768x25519", None)], true),
            (vec![age_recipient("ssh-ed25519", Some(&tag))], true),
            (vec![age_recipient("ssh-ed25519", Some("AAAAAA"))], false),
            (vec![age_recipient("scrypt", None)], false),
        ] {
            let outside = RecipientPolicy(&list).of_age(&recipients);
            assert_eq!(outside.is_ok(), fine, "{recipients:?} {outside:?}");
        }
    }

    #[test]
    fn sealing_keys_count_where_one_is_listed() {
        let used = listed(&["SHA256:a"]);
        for (list, fine) in [
            (listed(&["age1a"]), true),
            (listed(&["SHA256:a"]), true),
            (listed(&["SHA256:b"]), false),
        ] {
            assert_eq!(
                RecipientPolicy(&list).of_sealing_keys(&used).is_ok(),
                fine,
                "{list:?}"
            );
        }
    }
}
