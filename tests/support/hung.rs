//! A file system that answers nothing: one that the kernel mounted, with nobody behind it.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Mounted until it is dropped; whoever waits for it then gets an error.
pub(crate) struct Hung {
    at: PathBuf,
    device: Option<File>,
}

impl Hung {
    /// Nothing where this machine mounts none.
    pub(crate) fn mount(at: &Path) -> Option<Self> {
        let mut open = OpenOptions::new();
        let device = open.read(true).write(true).open("/dev/fuse").ok()?;
        let options = "fd=0,rootmode=40000,user_id=0,group_id=0";
        let mounted = Command::new("mount")
            .args(["-i", "-t", "fuse", "-o", options, "hung"])
            .arg(at)
            .stdin(device.try_clone().ok()?)
            .stderr(Stdio::null())
            .status();
        mounted.is_ok_and(|status| status.success()).then(|| Self {
            at: at.to_owned(),
            device: Some(device),
        })
    }
}

impl Drop for Hung {
    fn drop(&mut self) {
        // Without its device it answers again, with errors, so that the unmounting does not hang
        // too.
        drop(self.device.take());
        drop(
            Command::new("umount")
                .args(["-i", "-l"])
                .arg(&self.at)
                .status(),
        );
    }
}
