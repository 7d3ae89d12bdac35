//! Values that are not encrypted: whether they are accepted, and which were found.

/// Content that is accepted beyond the safe default.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SopsPolicy {
    /// Accept clear values of a file whose checksum covers encrypted values only.
    pub allow_unauthenticated: bool,
}

/// A leaf that is not encrypted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClearLeaf {
    /// Keys and indexes from the top; of several documents, the document's number first.
    pub steps: Vec<String>,
    /// Whether its name or form is that of a secret.
    pub looks_secret: bool,
}
