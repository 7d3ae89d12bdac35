//! Copies in other namespaces: who may have a copy, who gets one, and what each place needs. Pure.
//!
//! ```text
//! annotations ──emberstack · mittwald──► Ask { Offer | Mirror | Copy } ─┐
//! metadata of objects, namespaces with labels ──────────────────────────┼──► Index ──► Job
//! what came of earlier jobs ───────────────────────────────────────────┘      └─ Brake, Refusal
//! ```
//!
//! The index gets events and never asks anything; the cost of an event depends only on the objects
//! that it concerns. The index holds names, uids and versions, labels of namespaces, and for each
//! content one number that only this process can compute: never a value.
//!
//! Absent on purpose: a copy that is a source (so there are no chains and no loops), a rule that
//! could change an object without our mark, a deletion that does not pass the [`deletion_brake`],
//! and a copy that gets another source without an order ([`lease_orders`]).

pub mod annotations;
pub mod deletion_brake;
pub mod emberstack;
pub mod glob;
pub mod index;
pub mod lease_orders;
pub mod marks;
pub mod metadata;
pub mod mittwald;
pub mod pattern;
pub mod place;
pub mod planned_copies;
pub mod reason;
pub mod scope;
pub mod selector;
pub mod signature;
