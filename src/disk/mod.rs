//! Files with care: small ones of other programs are read ([`read_small`]), targets are looked at
//! and written ([`Folder`], [`set`]) without following what others could have planted.

mod call;
mod error;
mod exchange;
mod file;
mod folder;
mod generation;
pub mod git;
mod in_place;
mod lock;
mod names;
mod read;
pub mod set;
mod text;
mod unswept;
mod walk;

pub use call::{CallTurn, Caller, Hangs, aside, call_at, promptly};
pub use error::SinkError;
pub use exchange::QUIET;
pub use file::{LARGEST, StandingFile};
pub use folder::Folder;
pub use generation::{Generation, of_one_generation};
pub use names::{leads_into_set, place};
use read::DOCUMENT_LIMIT;
pub use read::{
    DiskError, be_strict, read_by, read_credential, read_document, read_public, read_small,
};
pub use text::read_text;
pub use unswept::Unswept;
