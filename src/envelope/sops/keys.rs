//! The data key: age files in the metadata, each with the key itself or with a share of it.

use zeroize::Zeroizing;

use crate::envelope::age::{self, AgeError, Identity};
use crate::envelope::policy::shortened;

use super::metadata::{Group, Metadata};
use super::shamir;
use super::{Recipient, SopsError};

/// Recipients of one file. Each costs a try with each identity.
pub(super) const MAX_RECIPIENTS: usize = 256;
/// What their encrypted keys may measure together.
pub(super) const MAX_KEY_BYTES: usize = 512 * 1024;
/// A share is a byte longer than the key.
const MAX_SHARE: usize = 64;

pub(super) struct DataKey {
    pub(super) key: Zeroizing<[u8; 32]>,
    /// The recipients of the identities that opened it.
    pub(super) by: Vec<String>,
}

/// Wins the data key with these identities.
pub(super) fn data_key(metadata: &Metadata<'_>, keys: &[Identity]) -> Result<DataKey, SopsError> {
    let mut tries = Tries::default();
    for group in &metadata.groups {
        tries.group(group, keys);
    }
    let secret = match &metadata.groups[..] {
        [_] => tries.shares.pop().ok_or(()),
        _ if tries.shares.len() < metadata.threshold => Err(()),
        _ => Ok(shamir::combine(&tries.shares).ok_or(SopsError::DataKey)?),
    };
    let Ok(secret) = secret else {
        return Err(tries.refusal(metadata, keys.len()));
    };
    let key = <[u8; 32]>::try_from(secret.as_slice()).map_err(|_| SopsError::DataKey)?;
    tries.by.dedup();
    Ok(DataKey {
        key: Zeroizing::new(key),
        by: tries.by,
    })
}

#[derive(Default)]
struct Tries {
    shares: Vec<Zeroizing<Vec<u8>>>,
    by: Vec<String>,
    /// The first entry that was neither ours nor another's.
    damaged: Option<AgeError>,
}

impl Tries {
    /// The first entry that opens is the group's.
    fn group(&mut self, group: &Group<'_>, keys: &[Identity]) {
        for entry in &group.age {
            match age::open_up_to(MAX_SHARE, entry.encrypted, keys) {
                Ok(opened) => {
                    let share = opened.plaintext.expose().to_vec();
                    self.shares.push(Zeroizing::new(share));
                    self.by.push(opened.by);
                    return;
                }
                Err(AgeError::NoMatch { .. } | AgeError::PassphraseNotOffered) => {}
                Err(error) => {
                    self.damaged.get_or_insert(error);
                }
            }
        }
    }

    fn refusal(self, metadata: &Metadata<'_>, tried: usize) -> SopsError {
        if let Some(error) = self.damaged {
            return SopsError::Key(error);
        }
        let groups = metadata.groups.len();
        let with_age = metadata.groups.iter().filter(|group| !group.age.is_empty());
        if with_age.count() == 0 {
            let mut needs: Vec<&str> = Vec::new();
            for recipient in metadata.groups.iter().flat_map(|group| &group.foreign) {
                if !needs.contains(&recipient.kind) {
                    needs.push(recipient.kind);
                }
            }
            return SopsError::ForeignKeys {
                needs: needs.join(" or "),
            };
        }
        if groups > 1 {
            return SopsError::Threshold {
                opened: self.shares.len(),
                groups,
                threshold: metadata.threshold,
            };
        }
        SopsError::NoMatch {
            recipients: named(&metadata.recipients()),
            tried,
        }
    }
}

/// The first few; a person looks for their own.
fn named(recipients: &[Recipient]) -> String {
    const SHOWN: usize = 8;
    let usable = recipients.iter().filter(|recipient| recipient.is_age());
    let names: Vec<String> = usable
        .map(|recipient| shortened(&recipient.name).into_owned())
        .collect();
    let more = names.len().saturating_sub(SHOWN);
    let shown = names[..names.len() - more].join(", ");
    match more {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
