//! Copies in other namespaces: who may have one, who gets one, and what each place needs. Pure.
//!
//! ```text
//! annotations ──emberstack · mittwald──► Ask { Offer | Mirror | Copy } ─┐
//! metadata of objects, namespaces with labels ──────────────────────────┼──► Index ──► Job
//! what came of earlier jobs ───────────────────────────────────────────┘      └─ Brake, Refusal
//! ```
//!
//! The index is fed by events and never asks anything; an event costs what it touches. It holds
//! names, uids and versions, labels of namespaces, and for each content one number that only this
//! process can make: never a value.
//!
//! Absent on purpose: a copy that is a source (so there are no chains and no loops), a rule that
//! could touch what does not carry our mark, a deletion that does not pass the [`brake`], and a
//! copy that changes hands without an [`order`].

pub mod brake;
pub mod emberstack;
pub mod glob;
pub mod index;
pub mod marks;
pub mod metadata;
pub mod mittwald;
pub mod offer;
pub mod order;
pub mod pattern;
pub mod place;
pub mod preview;
pub mod reason;
pub mod scope;
pub mod selector;
pub mod signature;
