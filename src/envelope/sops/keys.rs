//! The data key: age files in the metadata, each with the key itself or with a share of it.

use zeroize::Zeroizing;

use crate::base::wiped::WipedBytes;

use crate::envelope::age::{self, AgeError, Identity};
use crate::envelope::recipient::shortened;

use super::error::SopsError;
use super::metadata::{KeyGroup, SopsMetadata};
use super::recipient::SopsRecipient;
use super::shamir;
use super::transit::{NeededTransit, Share, TRANSIT, Transit};

/// A share is a byte longer than the key.
const MAX_SHARE: usize = 64;

/// The key that decrypts the values of a file.
pub struct DataKey {
    pub(super) key: Zeroizing<[u8; 32]>,
    /// The recipients of the identities that opened it.
    pub(super) by: Vec<String>,
}

/// Decrypts the data key with these identities; Vault's shares serve groups that no identity opens.
pub(super) fn data_key(
    metadata: &SopsMetadata<'_>,
    keys: &[Identity],
    given: &[Share],
) -> Result<DataKey, SopsError> {
    let mut tries = Tries::default();
    for (at, group) in metadata.groups.iter().enumerate() {
        if tries.group(group, keys) {
            continue;
        }
        if let Some(share) = given.iter().find(|share| share.group == at) {
            let secret = share.secret.expose().to_vec();
            tries.shares.push(WipedBytes::from(secret));
            tries.by.push(share.by.clone());
        }
    }
    let secret = match &metadata.groups[..] {
        [_] => tries.shares.pop().ok_or(()),
        _ if tries.shares.len() < metadata.needed() => Err(()),
        _ => Ok(shamir::combine(&tries.shares).ok_or(SopsError::DataKey)?),
    };
    let Ok(secret) = secret else {
        return Err(tries.refusal(metadata, keys.len()));
    };
    let key = <[u8; 32]>::try_from(&*secret).map_err(|_| SopsError::DataKey)?;
    tries.by.dedup();
    Ok(DataKey {
        key: Zeroizing::new(key),
        by: tries.by,
    })
}

/// What Vault must decrypt where these identities do not open the file; `None` where Vault cannot
/// help.
pub(super) fn missing(metadata: &SopsMetadata<'_>, keys: &[Identity]) -> Option<NeededTransit> {
    let mut tries = Tries::default();
    let mut groups = Vec::new();
    for (at, group) in metadata.groups.iter().enumerate() {
        if !tries.group(group, keys) && !group.transit.is_empty() {
            groups.push((at, group.transit.clone()));
        }
    }
    let count = metadata.needed().saturating_sub(tries.shares.len());
    (groups.len() >= count).then_some(NeededTransit { count, groups })
}

/// All transit keys.
pub(super) fn transit(metadata: &SopsMetadata<'_>) -> Transit {
    let groups = &metadata.groups;
    let with_age = groups.iter().filter(|group| !group.age.is_empty());
    Transit {
        beside_age: with_age.count() >= metadata.needed(),
        keys: groups
            .iter()
            .flat_map(|group| group.transit.clone())
            .collect(),
    }
}

#[derive(Default)]
struct Tries {
    shares: Vec<WipedBytes>,
    by: Vec<String>,
    /// The error of the first entry that is damaged.
    damaged: Option<AgeError>,
}

impl Tries {
    /// Takes the first entry that opens; says whether one did.
    fn group(&mut self, group: &KeyGroup<'_>, keys: &[Identity]) -> bool {
        for entry in &group.age {
            match age::open_up_to(MAX_SHARE, entry.encrypted, keys) {
                Ok(opened) => {
                    let share = opened.plaintext.expose().to_vec();
                    self.shares.push(WipedBytes::from(share));
                    self.by.push(opened.by);
                    return true;
                }
                Err(AgeError::NoMatch { .. } | AgeError::PassphraseNotOffered) => {}
                Err(error) => {
                    self.damaged.get_or_insert(error);
                }
            }
        }
        false
    }

    fn refusal(self, metadata: &SopsMetadata<'_>, tried: usize) -> SopsError {
        if let Some(error) = self.damaged {
            return SopsError::Key(error);
        }
        let groups = metadata.groups.len();
        let with_age = metadata.groups.iter().filter(|group| !group.age.is_empty());
        if with_age.count() == 0 {
            let mut needs: Vec<&str> = Vec::new();
            for group in &metadata.groups {
                let transit = group.transit.iter().map(|_| TRANSIT);
                for kind in group.foreign.iter().map(|one| one.kind).chain(transit) {
                    if !needs.contains(&kind) {
                        needs.push(kind);
                    }
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
fn named(recipients: &[SopsRecipient]) -> String {
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
