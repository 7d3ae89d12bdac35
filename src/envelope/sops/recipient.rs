//! Who can open a file, as the file says.

use super::transit::TRANSIT;

/// A recipient of a file, as the file says: nothing protects that from change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SopsRecipient {
    /// `age`, or another kind of key as a person calls it.
    pub kind: &'static str,
    /// The public key, its fingerprint or its name.
    pub name: String,
}

impl SopsRecipient {
    /// Whether we support keys of this kind. Keys of age's plugins are not supported: no program is
    /// run for a key.
    pub fn is_supported(&self) -> bool {
        // The data part of Bech32 has no `1`, so a second `1` ends the name of a plugin.
        let of_plugin = self
            .name
            .strip_prefix("age1")
            .is_some_and(|rest| rest.contains('1') && !rest.starts_with("pq1"));
        (self.is_age() && !of_plugin) || self.kind == TRANSIT
    }

    pub(super) fn is_age(&self) -> bool {
        self.kind == AGE
    }
}

/// Kind of age keys.
pub(super) const AGE: &str = "age";
