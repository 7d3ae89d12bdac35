//! One number for the content of an object. Its key belongs to this process, so the number means
//! nothing to anybody else.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, Hash, Hasher, RandomState};

use crate::base::material::SecretBytes;
use crate::copy_rules::index::Digest;
use crate::kubernetes::copy::WholeObject;

/// The key.
#[derive(Default)]
pub(super) struct Hashing(RandomState);

/// The parts of an object that the number covers.
pub(super) struct Digested<'a> {
    /// A Secret's type.
    pub(super) kind: &'a str,
    /// The object.
    pub(super) of: &'a WholeObject,
    /// Labels and annotations that are copied.
    pub(super) words: &'a [BTreeMap<String, String>; 2],
    /// If set, only keys that this object has.
    pub(super) only: Option<&'a WholeObject>,
}

impl Hashing {
    /// The number of an object. Equal objects have equal numbers; different objects have different
    /// ones, with a chance of error of 1 in 2⁶⁴.
    pub(super) fn digest(&self, held: &Digested<'_>) -> Digest {
        let mut hasher = self.0.build_hasher();
        held.kind.hash(&mut hasher);
        let sections = [
            (&held.of.data, held.only.map(|only| &only.data)),
            (&held.of.binary, held.only.map(|only| &only.binary)),
        ];
        for (values, only) in sections {
            let counts = |key: &str| only.is_none_or(|only| only.contains_key(key));
            for (key, value) in values.iter().filter(|(key, _)| counts(key)) {
                (1_u8, key, value.expose()).hash(&mut hasher);
            }
            hasher.write_u8(0);
        }
        held.words.hash(&mut hasher);
        Digest(hasher.finish())
    }
}

/// Keys of an object that another object does not have.
pub(super) fn extra(of: &WholeObject, beside: &WholeObject) -> Vec<(&'static str, String)> {
    let missing = |from: &BTreeMap<String, SecretBytes>, other: &BTreeMap<String, SecretBytes>| {
        let keys = from.keys().filter(|key| !other.contains_key(*key));
        keys.cloned().collect::<Vec<_>>()
    };
    let data = missing(&of.data, &beside.data).into_iter();
    let binary = missing(&of.binary, &beside.binary).into_iter();
    data.map(|key| ("data", key))
        .chain(binary.map(|key| ("binaryData", key)))
        .collect()
}
