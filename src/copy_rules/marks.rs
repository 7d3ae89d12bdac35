//! Marks: what we write on a copy so that it can be recognised, and what people write to stop us.
//!
//! The marks say nothing about a value: they hold only names, uids and versions.

/// On a copy: `metadata.uid` of its source. Without the right uid nothing is ever deleted.
pub const SOURCE_UID: &str = "keyferry.io/source-uid";

/// On a copy whose dialect has no annotation for this: `namespace/name` of its source.
pub const SOURCE: &str = "keyferry.io/source";

/// On a copy that the configuration declares: `namespace/name` of its home, or its delivery.
pub const DECLARED: &str = "keyferry.io/reflected-from";

/// On a namespace (label or annotation) or an object (annotation): `"false"` keeps copies away.
pub const ACCEPT: &str = "keyferry.io/accept";

/// On the Lease: this many held copies of a source may be deleted.
pub const RELEASE: &str = "keyferry.io/release-deletes";

/// On the Lease: a source gets the places that others had first.
pub const GIVE: &str = "keyferry.io/give-places";

/// On the Lease: reserved places, by the namespace that had them first.
pub const RESERVED: &str = "keyferry.io/reserved-places";

/// Whether an object with these annotations is a copy that the reflector made.
pub fn is_copy<'k>(mut annotations: impl Iterator<Item = &'k str>) -> bool {
    annotations.any(|key| key == SOURCE_UID)
}

/// Whether an object or a namespace refuses copies.
pub fn declines(value: Option<&str>) -> bool {
    value.is_some_and(|value| value.trim().eq_ignore_ascii_case("false"))
}
