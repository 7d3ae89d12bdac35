//! Room that ends: bytes, names, and the size one file may have.

use std::fs;

use super::{config, folder};
use crate::support::run::{Output, Run};

/// One pass into `small`, which `mount` prepares; then what is there.
fn pass(dir: &std::path::Path, mount: &str, limit: &str) -> Output {
    let script = format!(
        "{mount} && echo A=old > small/a.env && ({limit} exec \"$0\" job); code=$?; ls -a small; \
         cat small/a.env; exit $code"
    );
    Run::of("unshare")
        .dir(dir)
        .args(["-rm", "sh", "-c", &script, env!("CARGO_BIN_EXE_keyferry")])
        .run()
}

#[test]
fn row_45_on_a_full_disk_without_inodes_or_room_for_the_file_the_old_one_stays() {
    let long = "x".repeat(60_000);
    // Of a shell: the limit is in blocks of 512 bytes, and the signal that comes with it is not for
    // us.
    let short_write = "trap '' XFSZ; ulimit -f 16;";
    for (mount, limit, reason) in [
        (
            "mount -t tmpfs -o size=32k none small",
            "",
            "No space left on device",
        ),
        (
            "mount -t tmpfs -o size=1m,nr_inodes=2 none small",
            "",
            "No space left on device",
        ),
        ("mount -t tmpfs none small", short_write, "File too large"),
    ] {
        for to in ["{file: {path: small/a.env}}", "{files: {dir: small}}"] {
            let dir = folder();
            fs::create_dir(dir.path().join("small")).expect("made");
            config(dir.path(), to, &long);
            let output = pass(dir.path(), mount, limit).expect(8);
            assert!(
                output.stderr.contains(reason) && output.stderr.contains("small"),
                "{to}: {}",
                output.stderr
            );
            assert!(
                reason != "No space left on device" || output.stderr.contains("make room"),
                "{to}: {}",
                output.stderr
            );
            assert!(
                output.stdout.ends_with("A=old\n"),
                "{to}: the old file is untouched: {}",
                output.stdout
            );
            assert!(
                !output.stdout.contains(".tmp") && !output.stdout.contains("..keyferry"),
                "{to}: no leftover: {}",
                output.stdout
            );
        }
    }
}
