//! What a run begins with: inputs that are accepted, without which no random bytes get past a checksum.

use std::fs;
use std::path::Path;

/// Puts these inputs into the folder from which `cargo fuzz run NAME` takes its first ones.
pub(crate) fn sow(name: &str, seeds: Vec<Vec<u8>>) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("corpus")
        .join(name);
    fs::create_dir_all(&folder).expect("the corpus has a folder");
    for (number, seed) in seeds.iter().enumerate() {
        fs::write(folder.join(format!("seed-{number}")), seed).expect("a seed is written");
    }
}
