//! Files with care: small ones of other programs are read ([`read_small`]), targets are looked at and written
//! ([`Folder`], [`set`]) without following what others could have planted.

mod error;
mod file;
mod folder;
mod generation;
mod in_place;
mod names;
mod read;
pub mod set;
mod text;
mod unswept;
mod walk;

pub use error::SinkError;
pub use file::{LARGEST, Standing};
pub use folder::Folder;
pub use generation::{Generation, of_one_generation};
pub use names::place;
pub use read::{DiskError, be_strict, read_credential, read_document, read_public, read_small};
pub use text::read_text;
pub use unswept::Unswept;
