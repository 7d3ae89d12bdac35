//! Exit codes: the classes of failures, each with its code, its word, and what it means for data
//! that is delivered already.

use std::fmt;

/// Why something failed. Only the class decides retry, exit code and metric label; the lowest code
/// of a pass wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// The command line is wrong.
    Usage,
    /// The configuration is wrong. This is found before any I/O to a provider, except what only a
    /// source can show (a field that comes twice, a version of KV v1).
    Configuration,
    /// Login refused, or policy or RBAC refuses.
    Denied,
    /// A source or field is absent, deleted, destroyed or empty.
    Missing,
    /// None of the keys at hand opens an input.
    Undecryptable,
    /// An input whose integrity check failed, or that is malformed.
    Corrupt,
    /// A foreign object, a safety rule, a size; or the API server rejects it.
    Refused,
    /// Provider or API server unreachable, sealed, overloaded; or the deadline is spent.
    Unavailable,
    /// A file could not be written.
    Sink,
    /// A defect of ours.
    Bug,
}

/// The key of a delivery that says what becomes of its delivered data after a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureRule {
    /// `onMissing`.
    OnMissing,
    /// `onDenied`.
    OnDenied,
    /// `onUnavailable`.
    OnUnavailable,
    /// No key: the mistake is on our side, and no server decided it. The delivered data is as good
    /// as before.
    Keep,
}

impl Class {
    /// All classes.
    pub const ALL: [Self; 10] = [
        Self::Usage,
        Self::Configuration,
        Self::Denied,
        Self::Missing,
        Self::Undecryptable,
        Self::Corrupt,
        Self::Refused,
        Self::Unavailable,
        Self::Sink,
        Self::Bug,
    ];

    /// The process exit code of this class.
    pub fn exit_code(self) -> u8 {
        self.facts().0
    }

    /// The word for this class in logs, reports and the termination log.
    pub fn word(self) -> &'static str {
        self.facts().1
    }

    /// What becomes of delivered data.
    pub fn rule(self) -> FailureRule {
        self.facts().2
    }

    fn facts(self) -> (u8, &'static str, FailureRule) {
        match self {
            Self::Usage => (2, "usage", FailureRule::Keep),
            Self::Configuration => (2, "configuration", FailureRule::Keep),
            Self::Denied => (3, "denied", FailureRule::OnDenied),
            Self::Missing => (4, "missing", FailureRule::OnMissing),
            Self::Undecryptable => (5, "undecryptable", FailureRule::Keep),
            Self::Corrupt => (5, "corrupt", FailureRule::Keep),
            Self::Refused => (6, "refused", FailureRule::Keep),
            Self::Unavailable => (7, "unavailable", FailureRule::OnUnavailable),
            Self::Sink => (8, "sink", FailureRule::Keep),
            Self::Bug => (70, "bug", FailureRule::Keep),
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}
