//! Files with care: small ones of other programs are read ([`read_small`]), targets are looked at
//! and written ([`Folder`], [`set`]) without following what others could have planted.

mod access;
mod call;
mod error;
mod file;
mod folder;
mod generation;
pub mod git;
mod in_place;
mod leftovers;
mod lock;
mod names;
mod read;
pub mod set;
mod shared_edit;
mod text;
mod walk;

pub use call::{CallTurn, NoAnswer, WaitingCaller, aside, call_at, promptly};
pub use error::SinkError;
pub use file::{LARGEST, StandingFile};
pub use folder::Folder;
pub use generation::{Generation, of_one_generation};
pub use leftovers::Unswept;
pub use names::{leads_into_set, place};
use read::DOCUMENT_LIMIT;
pub use read::{
    DiskError, be_strict, read_by, read_credential, read_document, read_public, read_small,
};
pub use shared_edit::QUIET;
pub use text::read_text;
