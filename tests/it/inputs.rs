//! Input files that change while they are read.

use std::fs;
use std::os::unix::fs::symlink;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use keyferry::disk::read_document;

use crate::support::process::Scratch;

/// Larger than one read, of one letter: a file that mixes two is seen at once.
const LENGTH: usize = 1 << 20;

#[test]
fn row_10_a_file_that_is_swapped_while_it_is_read_is_the_old_or_the_new() {
    let scratch = Scratch::new("swap");
    let folder = scratch.path();
    for (generation, letter) in [("one", "a"), ("two", "b")] {
        fs::create_dir(folder.join(generation)).unwrap();
        fs::write(folder.join(generation).join("key"), letter.repeat(LENGTH)).unwrap();
    }
    symlink("one", folder.join("..data")).unwrap();
    symlink("..data/key", folder.join("key")).unwrap();
    let stop = AtomicBool::new(false);
    let mut seen = [0, 0];
    thread::scope(|scope| {
        scope.spawn(|| {
            for generation in ["two", "one"].into_iter().cycle() {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                symlink(generation, folder.join("..next")).unwrap();
                fs::rename(folder.join("..next"), folder.join("..data")).unwrap();
            }
        });
        // Until both were seen often: a machine that is busy takes longer, and decides nothing.
        while seen.iter().any(|count| *count < 50) {
            let bytes = read_document(&folder.join("key"), "key").unwrap();
            let bytes = bytes.expose();
            assert_eq!(bytes.len(), LENGTH);
            assert!(
                bytes.iter().all(|byte| *byte == bytes[0]),
                "two files in one"
            );
            seen[usize::from(bytes[0] == b'b')] += 1;
        }
        stop.store(true, Ordering::Relaxed);
    });
}
