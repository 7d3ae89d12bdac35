//! Owner and sources of a Secret, as its labels and annotations tell them: names and versions,
//! never a value and never a digest of a value.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::{CONFIGURATION, DELIVERY, HISTORY, MARK, OWNER, SOURCES};

/// The name of a configuration, by which its objects are known. A label carries the name, so it has
/// the form of a label's value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConfigurationName(String);

impl ConfigurationName {
    /// Longest value of a label in Kubernetes.
    const LONGEST: usize = 63;

    /// A name of lower case letters, digits, `-` and `.`, which begins and ends with a letter or a
    /// digit.
    pub fn parse(text: &str) -> Option<Self> {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let inner = |byte: u8| plain(byte) || matches!(byte, b'-' | b'.');
        let ends = [text.bytes().next(), text.bytes().last()];
        let is_name = text.len() <= Self::LONGEST
            && text.bytes().all(inner)
            && ends.into_iter().all(|end| end.is_some_and(plain));
        is_name.then(|| Self(text.to_owned()))
    }

    /// The valid name nearest to a text; `None` where the text has no letter and no digit.
    pub fn near(text: &str) -> Option<Self> {
        let text = text.to_lowercase();
        let text = text.replace(|c: char| !c.is_ascii_alphanumeric() && c != '.', "-");
        let text: String = text.chars().take(Self::LONGEST).collect();
        Self::parse(text.trim_matches(['-', '.']))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for ConfigurationName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where the values of a Secret come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provenance {
    /// The configuration that owns it.
    pub configuration: ConfigurationName,
    /// The delivery, or the manifest.
    pub delivery: String,
    /// Sources in the order of the configuration; empty where every field is computed without a
    /// source.
    pub sources: Vec<SourceVersion>,
}

/// One source in one state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceVersion {
    /// The source as it was read: `vault kv/data/app`.
    pub source: String,
    /// Version that the source gives the state that was read; `None` where it gives none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Whether the configuration demands this version and no later one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub pinned: bool,
}

impl fmt::Display for SourceVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)?;
        match (&self.version, self.pinned) {
            (None, _) => f.write_str(", no version"),
            (Some(version), true) => write!(f, ", version {version}"),
            // A later version with equal values writes nothing, so the current version may be
            // later.
            (Some(version), false) => write!(f, ", at or after version {version}"),
        }
    }
}

impl Provenance {
    /// The label that carries it.
    pub fn label(&self) -> (String, String) {
        (CONFIGURATION.to_owned(), self.configuration.to_string())
    }

    /// The annotations that carry it.
    pub fn annotations(&self) -> [(String, String); 2] {
        let sources = serde_json::json!(self.sources).to_string();
        [
            (DELIVERY.to_owned(), self.delivery.clone()),
            (SOURCES.to_owned(), sources),
        ]
    }

    /// Whether an object with these annotations tells the same sources, in any versions: a new
    /// version with the old values is no reason to write.
    pub fn is_told_by(&self, annotations: &BTreeMap<String, String>) -> bool {
        let told = told_sources(annotations);
        let kind = |source: &SourceVersion| (source.source.clone(), source.pinned);
        annotations.get(DELIVERY) == Some(&self.delivery)
            && told.is_some_and(|told| told.iter().map(kind).eq(self.sources.iter().map(kind)))
    }
}

/// The sources in an object's annotations; `None` where the annotation is absent or not in our
/// form.
pub fn told_sources(annotations: &BTreeMap<String, String>) -> Option<Vec<SourceVersion>> {
    serde_json::from_str(annotations.get(SOURCES)?).ok()
}

/// Whether only keyferry sets this label or annotation.
pub fn is_provenance(key: &str) -> bool {
    [CONFIGURATION, DELIVERY, SOURCES, HISTORY].contains(&key)
}

/// The owner of an object, by its marks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owner {
    /// It has no mark of ours.
    Stranger,
    /// Our mark from a time when it carried no name: the configuration that describes the object
    /// takes it over.
    Unnamed,
    /// A configuration.
    Configuration(String),
    /// The reflector: it is a copy by annotation.
    Reflector,
}

impl Owner {
    /// Reads the labels of an object. `is_copy`: it has the annotations of a copy that the
    /// reflector made.
    pub fn from_labels(labels: &BTreeMap<String, String>, is_copy: bool) -> Self {
        if labels.get(MARK).map(String::as_str) != Some(OWNER) {
            return Self::Stranger;
        }
        match labels.get(CONFIGURATION) {
            Some(name) => Self::Configuration(name.clone()),
            None if is_copy => Self::Reflector,
            None => Self::Unnamed,
        }
    }

    /// Whether a configuration may treat the object as its own.
    pub fn is(&self, name: &ConfigurationName) -> bool {
        match self {
            Self::Configuration(owner) => owner == name.as_str(),
            Self::Unnamed => true,
            Self::Stranger | Self::Reflector => false,
        }
    }
}

/// Ends the sentence that begins with the object.
impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stranger => write!(f, "has no owner mark (`{MARK}: {OWNER}`)"),
            Self::Unnamed => f.write_str("has an owner mark without a name"),
            Self::Configuration(name) => write!(f, "belongs to configuration `{name}`"),
            Self::Reflector => f.write_str("is a copy that the reflector made"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        let pairs = pairs.iter();
        pairs
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn row_106_marks_tell_the_owner() {
        let name = ConfigurationName::parse("shop").expect("a name");
        let ours = (MARK, OWNER);
        let named = |name: &str| Owner::Configuration(name.to_owned());
        for (labels, is_copy, owner, is) in [
            (map(&[]), false, Owner::Stranger, false),
            (map(&[(MARK, "helm")]), true, Owner::Stranger, false),
            (map(&[ours]), false, Owner::Unnamed, true),
            (map(&[ours]), true, Owner::Reflector, false),
            (
                map(&[ours, (CONFIGURATION, "shop")]),
                false,
                named("shop"),
                true,
            ),
            (
                map(&[ours, (CONFIGURATION, "web")]),
                true,
                named("web"),
                false,
            ),
        ] {
            let found = Owner::from_labels(&labels, is_copy);
            assert_eq!(found.is(&name), is, "{found:?}");
            assert_eq!(found, owner);
        }
    }

    #[test]
    fn row_109_another_version_of_the_same_sources_is_the_same_provenance() {
        let source = |source: &str, version: Option<&str>, pinned| SourceVersion {
            source: source.to_owned(),
            version: version.map(str::to_owned),
            pinned,
        };
        let of = |delivery: &str, sources: &[SourceVersion]| Provenance {
            configuration: ConfigurationName::parse("shop").expect("a name"),
            delivery: delivery.to_owned(),
            sources: sources.to_vec(),
        };
        let told = of("app", &[source("vault kv/a", Some("7"), false)]);
        let told: BTreeMap<String, String> = told.annotations().into();
        for (now, same) in [
            (of("app", &[source("vault kv/a", Some("8"), false)]), true),
            (of("app", &[source("vault kv/a", None, false)]), true),
            (of("app", &[source("vault kv/a", Some("7"), true)]), false),
            (of("app", &[source("vault kv/b", Some("7"), false)]), false),
            (of("web", &[source("vault kv/a", Some("7"), false)]), false),
            (of("app", &[]), false),
        ] {
            assert_eq!(now.is_told_by(&told), same, "{now:?}");
        }
        let none = of("app", &[]);
        assert!(!none.is_told_by(&map(&[(DELIVERY, "app"), (SOURCES, "no JSON")])));
        assert!(none.is_told_by(&none.annotations().into()));
    }

    #[test]
    fn row_110_a_version_is_the_least_that_can_be_said() {
        let mut source = SourceVersion {
            source: "vault kv/a".to_owned(),
            version: None,
            pinned: false,
        };
        assert_eq!(source.to_string(), "vault kv/a, no version");
        source.version = Some("7".to_owned());
        assert_eq!(source.to_string(), "vault kv/a, at or after version 7");
        source.pinned = true;
        assert_eq!(source.to_string(), "vault kv/a, version 7");
    }
}
