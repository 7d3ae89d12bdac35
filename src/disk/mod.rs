//! Files with care: small ones of other programs are read ([`read_small`]), targets are looked at and written
//! ([`Folder`], [`set`]) without following what others could have planted.

mod error;
mod file;
mod folder;
mod read;
pub mod set;

pub use error::SinkError;
pub use file::{LARGEST, Standing};
pub use folder::{Folder, trusted};
pub use read::{DiskError, read_credential, read_document, read_public, read_small};
