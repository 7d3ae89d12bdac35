//! Why something is done, or not done: the same words in Events, logs, metrics, plans and tests.

use std::fmt;

use super::deletion_brake::{Mass, Source};
use super::lease_orders::Order;
use super::place::{CopiedKind, ObjectPlace};
use super::signature::SIGNATURE;

/// Why a copy is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CopyReason {
    /// There is none yet.
    New,
    /// The copy existed, and somebody deleted it.
    Deleted,
    /// The source's content changed.
    Source,
    /// Somebody changed the copy's content.
    Edited,
    /// The copy's marks are not as they should be.
    Marks,
    /// The copy has our marks, but no signature of this object.
    Unsigned,
    /// Another controller made it, and now it becomes ours.
    Adopted,
    /// The source was deleted and made again, or a person gave the place to another source.
    OtherSource,
}

impl fmt::Display for CopyReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::New => "new",
            Self::Deleted => "it was deleted",
            Self::Source => "its source changed",
            Self::Edited => "it was edited",
            Self::Marks => "its marks differ",
            Self::Unsigned => "it is not signed yet",
            Self::Adopted => "adopted: another controller made it",
            Self::OtherSource => "it has another source now",
        })
    }
}

/// Why a copy is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Farewell {
    /// Its source is gone.
    SourceGone,
    /// Its source no longer gives to this namespace.
    NotGiven,
    /// The namespace refuses copies.
    Declined,
}

impl fmt::Display for Farewell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SourceGone => "its source is gone",
            Self::NotGiven => "its source no longer gives to this namespace",
            Self::Declined => "the namespace accepts no copies",
        })
    }
}

/// Why nothing is done although somebody asks for it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum CopyRefusal {
    /// A foreign object stands there.
    Foreign,
    /// Its marks say that we made it, but no key that we know signed it.
    Unverified(CopiedKind, ObjectPlace),
    /// Its marks say that we made it, but it has no signature, and no source gives to it.
    Unsigned,
    /// A source of the same name stands there.
    Occupied,
    /// A copy of another source stands there.
    Taken(ObjectPlace),
    /// Another source had this place first.
    Reserved(ObjectPlace),
    /// The object or its namespace says `keyferry.io/accept: "false"`.
    Declined,
    /// The source does not let this namespace pull.
    Denied,
    /// The source does not exist, or allows nothing.
    NoSource(ObjectPlace),
    /// Pulling is switched off in the configuration.
    PullOff,
    /// The source has a type that is never copied.
    Type(String),
    /// The control plane uses this name.
    ControlPlane,
    /// The source's annotations cannot be read.
    Unclear,
    /// Too many copies would go at once.
    Brake(Box<Braked>),
    /// The API server, a webhook or RBAC refuses the write.
    Failed(String),
}

/// Copies of a source that wait for a person.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Braked {
    /// The source of the copies.
    pub source: Source,
    /// How many wait.
    pub held: usize,
    /// How many may be deleted without an order.
    pub most: usize,
    /// Set when they are held because too many sources vanished.
    pub mass: Option<Mass>,
}

impl fmt::Display for Braked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { held, most, .. } = self;
        match self.mass {
            None => write!(
                f,
                "{held} copies would be deleted at once, and at most {most} are without asking"
            ),
            Some(Mass { vanished, most }) => write!(
                f,
                "{vanished} sources vanished within a minute, and at most {most} may without \
                 asking; {held} copies of this \
                 one are held"
            ),
        }
    }
}

impl CopyRefusal {
    /// Whether the refusal is about the object that stands there, and not about a source.
    pub fn is_of_the_object(&self) -> bool {
        matches!(self, Self::Unverified(..) | Self::Unsigned)
    }

    /// The order that a person can give about this refusal, for a message at the source that asks.
    pub fn order(&self, kind: CopiedKind, source: &ObjectPlace) -> Option<Order> {
        match self {
            Self::Brake(braked) => Some(Order::Release(braked.source.clone(), braked.held)),
            Self::Taken(_) | Self::Reserved(_) => Some(Order::Give((kind, source.clone()))),
            Self::Unverified(..)
            | Self::Unsigned
            | Self::Foreign
            | Self::Occupied
            | Self::Declined
            | Self::Denied
            | Self::NoSource(_)
            | Self::PullOff
            | Self::Type(_)
            | Self::ControlPlane
            | Self::Unclear
            | Self::Failed(_) => None,
        }
    }

    /// One word, for a metric's label and an Event's reason.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Foreign => "Foreign",
            Self::Unverified(..) => "Unverified",
            Self::Unsigned => "Unsigned",
            Self::Occupied => "Occupied",
            Self::Taken(_) => "Taken",
            Self::Reserved(_) => "Reserved",
            Self::Declined => "Declined",
            Self::Denied => "Denied",
            Self::NoSource(_) => "NoSource",
            Self::PullOff => "PullOff",
            Self::Type(_) => "ForbiddenType",
            Self::ControlPlane => "ControlPlane",
            Self::Unclear => "Unclear",
            Self::Brake(_) => "Brake",
            Self::Failed(_) => "Failed",
        }
    }
}

impl fmt::Display for CopyRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Foreign => f.write_str("an object that keyferry did not make stands there"),
            Self::Unverified(kind, at) => write!(
                f,
                "it says that keyferry made it, and no known key signed that; to let a source \
                 that gives to it adopt \
                 it: kubectl annotate {kind} -n {} {} {SIGNATURE}-",
                at.namespace, at.name
            ),
            Self::Unsigned => f.write_str(
                "it says that keyferry made it, nothing signed that, and the source that it \
                 names does not give to it; \
                 if it did, it would adopt it",
            ),
            Self::Occupied => f.write_str("another source stands there"),
            Self::Taken(by) => write!(f, "a copy of {by} stands there"),
            Self::Reserved(owner) => write!(f, "{owner} had this place first"),
            Self::Declined => write!(f, "it says {}: \"false\"", super::marks::ACCEPT),
            Self::Denied => f.write_str("the source does not allow this namespace"),
            Self::NoSource(source) => write!(f, "{source} does not exist or allows nothing"),
            Self::PullOff => f.write_str("pulling is turned off in the configuration"),
            Self::Type(kind) => write!(f, "a Secret of type {kind} is never copied"),
            Self::ControlPlane => f.write_str(
                "ConfigMaps named kube-* belong to the control plane and are never copied",
            ),
            Self::Unclear => f.write_str("the source's annotations cannot be read"),
            Self::Brake(braked) => braked.fmt(f),
            Self::Failed(why) => f.write_str(why),
        }
    }
}
