//! A folder of files that changes as one, laid out as kubelet lays out a volume.
//!
//! ```text
//! dir/name  ──►  ..data/name         visible, made once
//! dir/..data ──► ..keyferry-<hex>    switched by one rename
//! dir/..keyferry-<hex>/name          the files
//! ```
//!
//! A run that was killed at any point leaves either the old or the new set visible. Its other
//! leftovers are reported as damage by [`look()`] and removed by [`write()`]. Names that are
//! neither wanted nor ours are ignored.

mod inventory;
mod look;
mod retired;
mod write;

pub use inventory::check_names;
pub use look::look;
pub use retired::Retired;
pub use write::{remove_all, write};

use crate::base::artifact::FileAccess;

/// The link that is switched.
const DATA: &str = "..data";

/// The target of a visible name.
fn link_target(name: &str) -> String {
    format!("{DATA}/{name}")
}

/// The mode of the folder behind `..data`: users who may read the files may enter it. The outer
/// folder decides who gets there, and an existing one (a pod's volume, say) keeps its mode.
fn inner_mode(access: &FileAccess) -> u32 {
    let readers = access.mode & 0o444;
    access.dir_mode | readers | readers >> 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn row_48_whoever_may_read_the_files_may_enter_their_folder() {
        for (mode, dir_mode, inner) in [
            (0o400, 0o700, 0o700),
            (0o440, 0o700, 0o750),
            (0o444, 0o700, 0o755),
            (0o640, 0o711, 0o751),
            (0o400, 0o755, 0o755),
        ] {
            let access = FileAccess {
                mode,
                dir_mode,
                ..FileAccess::PRIVATE
            };
            assert_eq!(inner_mode(&access), inner, "{mode:o} in {dir_mode:o}");
        }
    }
}
