//! An object as a metadata-only watch shows it, reduced to what we need.
//!
//! Even metadata can contain values: `kubectl apply` writes the whole object into an annotation. So
//! only annotations of the dialects and our own are kept; all others are skipped during parsing and
//! never copied.

use std::collections::BTreeMap;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use sha2::{Digest as _, Sha256};

use super::marks;
use super::place::{ResourceVersion, Uid};
use super::selector::Labels;
use crate::base::artifact::{MARK, OWNER, is_provenance};

/// Every annotation of emberstack's reflector begins with this.
pub const EMBERSTACK: &str = "reflector.v1.k8s.emberstack.com/";

/// Every annotation of mittwald's replicator begins with this.
pub const MITTWALD: &str = "replicator.v1.mittwald.de/";

/// Facts of one Secret or ConfigMap.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Metadata {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: Uid,
    /// Its version.
    pub resource_version: ResourceVersion,
    /// When it was made; RFC 3339 in UTC, so that texts compare as times.
    pub creation_timestamp: String,
    /// Whether it is being deleted.
    #[serde(rename = "deletionTimestamp", deserialize_with = "is_there")]
    pub ending: bool,
    /// Whether it has our owner mark.
    #[serde(rename = "labels", deserialize_with = "is_marked")]
    pub marked: bool,
    /// The annotations that we know.
    #[serde(rename = "annotations")]
    pub notes: Notes,
    /// The owners of its data.
    #[serde(rename = "managedFields")]
    pub owners: DataOwners,
}

/// Facts of one namespace.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NamespaceMetadata {
    /// Its name.
    pub name: String,
    /// Its version.
    pub resource_version: ResourceVersion,
    /// Its labels.
    #[serde(deserialize_with = "or_default")]
    pub labels: Labels,
    /// The annotations that we know.
    #[serde(rename = "annotations")]
    pub notes: Notes,
    /// Whether it is being deleted.
    #[serde(rename = "deletionTimestamp", deserialize_with = "is_there")]
    pub ending: bool,
}

impl NamespaceMetadata {
    /// Whether the namespace refuses copies, by a label or by an annotation.
    pub fn declines(&self) -> bool {
        let label = self.labels.get(marks::ACCEPT).map(String::as_str);
        [label, self.notes.read(marks::ACCEPT)]
            .into_iter()
            .any(marks::declines)
    }
}

fn or_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(
    from: D,
) -> Result<T, D::Error> {
    Option::deserialize(from).map(Option::unwrap_or_default)
}

fn is_there<'de, D: Deserializer<'de>>(from: D) -> Result<bool, D::Error> {
    Option::<IgnoredAny>::deserialize(from).map(|value| value.is_some())
}

fn is_marked<'de, D: Deserializer<'de>>(from: D) -> Result<bool, D::Error> {
    let labels: BTreeMap<String, String> = or_default(from)?;
    Ok(labels.get(MARK).is_some_and(|owner| owner == OWNER))
}

/// Equal for equal annotations, and different for different ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint([u8; 32]);

/// The annotations that we know; all others were never copied.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Notes(BTreeMap<String, String>);

impl Notes {
    /// The value of one annotation.
    pub fn read(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }

    /// A short value for comparing annotations: they may have 256 KiB, and there are many sources.
    pub fn fingerprint(&self) -> Fingerprint {
        let mut hash = Sha256::new();
        for text in self.0.iter().flat_map(|(key, value)| [key, value]) {
            hash.update(text.len().to_le_bytes());
            hash.update(text);
        }
        Fingerprint(hash.finalize().into())
    }

    /// Whether there are no annotations that we know.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Keeps the pairs that we know.
    pub fn from_pairs<K: AsRef<str>, V: AsRef<str>>(
        pairs: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        let pairs = pairs.into_iter();
        let pairs = pairs.filter(|(key, _)| means_something(key.as_ref()));
        Self(
            pairs
                .map(|(key, value)| (key.as_ref().to_owned(), value.as_ref().to_owned()))
                .collect(),
        )
    }
}

fn means_something(key: &str) -> bool {
    [EMBERSTACK, MITTWALD, "keyferry.io/"]
        .iter()
        .any(|prefix| key.starts_with(prefix))
        && !is_provenance(key)
}

impl<'de> Deserialize<'de> for Notes {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Keep;
        impl<'de> Visitor<'de> for Keep {
            type Value = Notes;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("annotations")
            }

            fn visit_unit<E>(self) -> Result<Notes, E> {
                Ok(Notes::default())
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Notes, A::Error> {
                let mut notes = BTreeMap::new();
                while let Some(key) = map.next_key::<String>()? {
                    if means_something(&key) {
                        notes.insert(key, map.next_value()?);
                    } else {
                        map.next_value::<IgnoredAny>()?;
                    }
                }
                Ok(Notes(notes))
            }
        }
        from.deserialize_any(Keep)
    }
}

/// Which manager owns which key of an object's data, in one number: a sum over managers and keys,
/// so the order does not matter. Two equal numbers mean that nobody else has written to `data`.
/// Names are part of the number, values never.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DataOwners(u64);

/// The fields that hold data.
const SECTIONS: [&str; 2] = ["data", "binaryData"];

impl DataOwners {
    /// The number when we alone have applied exactly these keys. Each pair is `data` or
    /// `binaryData`, and the key.
    pub fn ours<'k>(keys: impl IntoIterator<Item = (&'k str, &'k str)>) -> Self {
        let keys = keys.into_iter();
        Self(keys.fold(0, |sum: u64, (section, key)| {
            sum.wrapping_add(share(OWNER, "Apply", "", section, key))
        }))
    }
}

fn share(manager: &str, operation: &str, subresource: &str, section: &str, key: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    (manager, operation, subresource, section, key).hash(&mut hasher);
    hasher.finish()
}

impl<'de> Deserialize<'de> for DataOwners {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = DataOwners;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("managed fields")
            }

            fn visit_unit<E>(self) -> Result<DataOwners, E> {
                Ok(DataOwners::default())
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<DataOwners, A::Error> {
                let mut sum = 0_u64;
                while let Some(entry) = entries.next_element::<Entry>()? {
                    let Entry {
                        manager,
                        operation,
                        subresource,
                        fields: Fields(keys),
                    } = entry;
                    for (section, key) in &keys {
                        let share = share(&manager, &operation, &subresource, section, key);
                        sum = sum.wrapping_add(share);
                    }
                }
                Ok(DataOwners(sum))
            }
        }
        from.deserialize_any(Entries)
    }
}

/// The entry of one manager, reduced to data.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Entry {
    manager: String,
    operation: String,
    subresource: String,
    #[serde(rename = "fieldsV1")]
    fields: Fields,
}

#[derive(Default)]
struct Fields(Vec<(&'static str, String)>);

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Sections;
        impl<'de> Visitor<'de> for Sections {
            type Value = Fields;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("fields")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut keys = Vec::new();
                while let Some(field) = map.next_key::<String>()? {
                    let name = field.strip_prefix("f:").unwrap_or_default();
                    let Some(section) = SECTIONS.into_iter().find(|section| *section == name)
                    else {
                        map.next_value::<IgnoredAny>()?;
                        continue;
                    };
                    let inner: BTreeMap<String, IgnoredAny> = map.next_value()?;
                    let inner = inner.into_keys();
                    keys.extend(
                        inner.filter_map(|key| Some((section, key.strip_prefix("f:")?.to_owned()))),
                    );
                }
                Ok(Fields(keys))
            }
        }
        from.deserialize_map(Sections)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_needed_is_kept() {
        let text = r#"{"namespace":"a","name":"x","uid":"0f3c9a52-7a57-4d0b-8a4e-0123456789ab","resourceVersion":"7",
            "creationTimestamp":"2026-01-01T00:00:00Z","labels":{"app.kubernetes.io/managed-by":"keyferry","x":"y"},
            "annotations":{"kubectl.kubernetes.io/last-applied-configuration":"c4naryvalue",
                "reflector.v1.k8s.emberstack.com/reflects":"b/x","keyferry.io/accept":"false"},
            "managedFields":[{"manager":"keyferry","operation":"Apply","apiVersion":"v1","time":"t",
                "fieldsV1":{"f:metadata":{"f:labels":{}},"f:data":{"f:b":{},"f:a":{}},"f:type":{}}}]}"#;
        let metadata: Metadata = serde_json::from_str(text).expect("metadata");
        assert!(metadata.marked && !metadata.ending);
        assert_eq!(metadata.notes.read(marks::ACCEPT), Some("false"));
        assert_eq!(
            metadata.owners,
            DataOwners::ours([("data", "a"), ("data", "b")])
        );
        assert!(!format!("{metadata:?}").contains("c4nary"));
    }

    #[test]
    fn nulls_and_absent_parts_are_nothing() {
        let text = r#"{"name":"x","annotations":null,"labels":null,"managedFields":null,"deletionTimestamp":null}"#;
        let metadata: Metadata = serde_json::from_str(text).expect("metadata");
        assert!(metadata.notes.is_empty() && !metadata.marked && !metadata.ending);
        let namespace: NamespaceMetadata =
            serde_json::from_str(r#"{"name":"a","labels":null,"deletionTimestamp":"t"}"#)
                .expect("a namespace");
        assert!(namespace.ending && namespace.labels.is_empty());
    }

    #[test]
    fn row_100_a_namespace_declines_by_label_or_annotation() {
        for (text, declines) in [
            (r#"{"labels":{"keyferry.io/accept":"false"}}"#, true),
            (r#"{"annotations":{"keyferry.io/accept":"False"}}"#, true),
            (r#"{"labels":{"keyferry.io/accept":"true"}}"#, false),
            (r"{}", false),
        ] {
            let namespace: NamespaceMetadata = serde_json::from_str(text).expect("a namespace");
            assert_eq!(namespace.declines(), declines, "{text}");
        }
    }

    /// Every way in which somebody else can touch a copy's data changes the number.
    #[test]
    fn a_stranger_at_the_data_shows() {
        let guard = |entries: &str| -> DataOwners {
            serde_json::from_str(entries).unwrap_or_else(|error| panic!("{entries}: {error}"))
        };
        let ours = r#"{"manager":"keyferry","operation":"Apply","fieldsV1":{"f:data":{"f:a":{},"f:b":{}}}}"#;
        let expected = DataOwners::ours([("data", "b"), ("data", "a")]);
        for (entries, same) in [
            (format!("[{ours}]"), true),
            (format!(r#"[{{"manager":"kubectl","operation":"Update","fieldsV1":{{"f:metadata":{{}}}}}},{ours}]"#), true),
            (format!(r#"[{ours},{{"manager":"kubectl","operation":"Update","fieldsV1":{{"f:data":{{"f:a":{{}}}}}}}}]"#), false),
            (format!(r#"[{ours},{{"manager":"kubectl","operation":"Update","fieldsV1":{{"f:data":{{".":{{}},"f:c":{{}}}}}}}}]"#), false),
            (r#"[{"manager":"keyferry","operation":"Apply","fieldsV1":{"f:data":{"f:a":{}}}}]"#.to_owned(), false),
            (r#"[{"manager":"keyferry","operation":"Update","fieldsV1":{"f:data":{"f:a":{},"f:b":{}}}}]"#.to_owned(), false),
            ("[]".to_owned(), false),
        ] {
            assert_eq!(guard(&entries) == expected, same, "{entries}");
        }
    }
}
