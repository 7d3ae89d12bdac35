//! The names of an object: its kind, its place, its uid and version. The types are small because
//! there are many of them.

use std::fmt;
use std::sync::Arc;

use serde::de::{self, Deserialize, Deserializer, Visitor};

use crate::base::artifact::ObjectName;

/// The kinds that are copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CopiedKind {
    /// Secrets.
    Secret,
    /// ConfigMaps.
    ConfigMap,
}

impl CopiedKind {
    /// Both kinds.
    pub const ALL: [Self; 2] = [Self::Secret, Self::ConfigMap];

    /// Whether the control plane writes objects of this name into every namespace. A copy could be
    /// there before the control plane's object.
    pub fn is_of_control_plane(self, name: &str) -> bool {
        match self {
            Self::Secret => false,
            Self::ConfigMap => name.starts_with("kube-"),
        }
    }

    /// Reads the text that `Display` writes.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.to_string() == text)
    }

    /// The name in a path of the API.
    pub fn resource(self) -> &'static str {
        match self {
            Self::Secret => "secrets",
            Self::ConfigMap => "configmaps",
        }
    }

    /// The kind in an object.
    pub fn name(self) -> &'static str {
        match self {
            Self::Secret => "Secret",
            Self::ConfigMap => "ConfigMap",
        }
    }
}

impl fmt::Display for CopiedKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Secret => "secret",
            Self::ConfigMap => "configmap",
        })
    }
}

/// Where an object is, or would be. Cheap to copy, because both names are shared.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectPlace {
    /// Its namespace.
    pub namespace: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
}

impl ObjectPlace {
    /// A place by its names.
    pub fn new(namespace: impl Into<Arc<str>>, name: impl Into<Arc<str>>) -> Self {
        Self {
            namespace: namespace.into(),
            name: name.into(),
        }
    }

    /// The same place, with names that are not shared.
    pub fn object(&self) -> ObjectName {
        ObjectName {
            namespace: self.namespace.to_string(),
            name: self.name.to_string(),
        }
    }
}

impl fmt::Display for ObjectPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// `metadata.uid` in sixteen bytes; 0 if there is none, or if it is no UUID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct Uid(u128);

impl Uid {
    /// Reads a UUID.
    pub fn parse(text: &str) -> Self {
        let digits: String = text.split('-').collect();
        let good = text.len() == 36 && digits.len() == 32;
        let number = u128::from_str_radix(&digits, 16).ok();
        Self(number.filter(|_| good).unwrap_or_default())
    }

    /// Whether there is a uid.
    pub fn is_known(self) -> bool {
        self.0 != 0
    }
}

impl fmt::Display for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = format!("{:032x}", self.0);
        let parts = [0..8, 8..12, 12..16, 16..20, 20..32];
        for (index, part) in parts.into_iter().enumerate() {
            let dash = if index == 0 { "" } else { "-" };
            write!(f, "{dash}{}", &digits[part])?;
        }
        Ok(())
    }
}

/// `metadata.resourceVersion` as a number, because Kubernetes promises that versions can be
/// compared; 0 if it is no number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Hash)]
pub struct ResourceVersion(u64);

impl ResourceVersion {
    /// Reads a version.
    pub fn parse(text: &str) -> Self {
        Self(text.parse().unwrap_or_default())
    }

    /// Whether there is a version.
    pub fn is_known(self) -> bool {
        self.0 != 0
    }
}

impl fmt::Display for ResourceVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Parses a text during deserialization without keeping the text.
struct Read<T>(fn(&str) -> T, &'static str);

impl<T> Visitor<'_> for Read<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.1)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        Ok((self.0)(text))
    }
}

impl<'de> Deserialize<'de> for Uid {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_str(Read(Self::parse, "a uid"))
    }
}

impl<'de> Deserialize<'de> for ResourceVersion {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_str(Read(Self::parse, "a resource version"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uid_is_written_as_it_was_read() {
        for text in [
            "0f3c9a52-7a57-4d0b-8a4e-0123456789ab",
            "00000000-0000-0000-0000-000000000001",
        ] {
            assert_eq!(Uid::parse(text).to_string(), text);
            assert!(Uid::parse(text).is_known());
        }
        for text in [
            "",
            "abc",
            "0f3c9a527a574d0b8a4e0123456789ab",
            "zf3c9a52-7a57-4d0b-8a4e-0123456789ab",
        ] {
            assert!(!Uid::parse(text).is_known(), "{text}");
        }
    }

    #[test]
    fn versions_are_compared_as_numbers() {
        assert!(ResourceVersion::parse("99") < ResourceVersion::parse("100"));
        assert!(!ResourceVersion::parse("abc").is_known());
    }
}
