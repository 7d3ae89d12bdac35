//! Noticing that a file changed, by looking: twice a second and without a handle, so that a folder that is swapped as a whole,
//! a file that is replaced and one that appears later are all seen alike.

use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::time::Duration;

/// How often is looked. A look costs one call of the kernel per file.
pub const GLANCE: Duration = Duration::from_millis(400);

/// What of a file changes when its content does: of the file that a path leads to now, through all links.
type Mark = Option<(u64, u64, u64, (i64, i64), (i64, i64))>;

/// Some files and what they looked like.
#[derive(Debug)]
pub struct Watched {
    files: Vec<PathBuf>,
    marks: Vec<Mark>,
}

impl Watched {
    /// Looks for the first time.
    pub fn new(files: Vec<PathBuf>) -> Self {
        let marks = files.iter().map(mark).collect();
        Self { files, marks }
    }

    /// Whether any looks different from the last time.
    pub fn changed(&mut self) -> bool {
        let marks: Vec<Mark> = self.files.iter().map(mark).collect();
        let changed = marks != self.marks;
        self.marks = marks;
        changed
    }

    /// Waits until one changes.
    pub async fn change(&mut self) {
        if self.files.is_empty() {
            return std::future::pending().await;
        }
        loop {
            tokio::time::sleep(GLANCE).await;
            if self.changed() {
                return;
            }
        }
    }
}

fn mark(file: &PathBuf) -> Mark {
    let seen = std::fs::metadata(file).ok()?;
    Some((
        seen.dev(),
        seen.ino(),
        seen.size(),
        (seen.mtime(), seen.mtime_nsec()),
        (seen.ctime(), seen.ctime_nsec()),
    ))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn every_way_to_change_a_file_is_seen_and_nothing_else() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("..1")).expect("a folder");
        fs::write(at("..1/key"), "one").expect("a file");
        symlink("..1", at("..data")).expect("a link");
        symlink("..data/key", at("key")).expect("a link");
        let mut watched = Watched::new(vec![at("key"), at("later")]);
        assert!(!watched.changed());

        fs::create_dir(at("..2")).expect("a folder");
        fs::write(at("..2/key"), "two").expect("a file");
        symlink("..2", at("..tmp")).expect("a link");
        assert!(!watched.changed(), "nobody reads it yet");
        fs::rename(at("..tmp"), at("..data")).expect("a swap");
        assert!(watched.changed(), "the folder was swapped");
        assert!(!watched.changed());

        fs::write(at("later"), "").expect("a file");
        assert!(watched.changed(), "it appeared");
        fs::write(at("later.new"), "").expect("a file");
        fs::rename(at("later.new"), at("later")).expect("a rename");
        assert!(watched.changed(), "it was replaced");
        fs::remove_file(at("later")).expect("it is there");
        assert!(watched.changed(), "it is gone");
        assert!(!watched.changed());
    }
}
