//! Notices that a file changed, by looking twice a second and without an open handle. So it sees a
//! folder that is switched as a whole, a file that is replaced and a new file in the same way.

use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::time::Duration;

use tokio::time::Instant;

use crate::disk::call_at;

/// Time between two looks. A look costs one system call per file.
pub const GLANCE: Duration = Duration::from_millis(400);

/// How long a look may take.
const PATIENCE: Duration = Duration::from_secs(1);

/// The metadata that changes together with the content, of the file that a path leads to now,
/// through all links.
type Mark = Option<(u64, u64, u64, (i64, i64), (i64, i64))>;

/// Some files and their marks at the last look.
#[derive(Debug)]
pub struct WatchedFiles {
    files: Vec<PathBuf>,
    marks: Vec<Mark>,
}

impl WatchedFiles {
    /// Looks for the first time.
    pub async fn new(files: Vec<PathBuf>) -> Self {
        let marks = marks(&files).await.unwrap_or_default();
        Self { files, marks }
    }

    /// Whether any file has changed since the last look. A file that does not answer counts as
    /// unchanged.
    pub async fn changed(&mut self) -> bool {
        let Some(marks) = marks(&self.files).await else {
            return false;
        };
        let changed = marks != self.marks;
        self.marks = marks;
        changed
    }

    /// Waits until a file changes.
    pub async fn change(&mut self) {
        if self.files.is_empty() {
            return std::future::pending().await;
        }
        loop {
            tokio::time::sleep(GLANCE).await;
            if self.changed().await {
                return;
            }
        }
    }
}

/// The marks of all files now; nothing if the answer does not come in time.
async fn marks(files: &[PathBuf]) -> Option<Vec<Mark>> {
    let Some(first) = files.first() else {
        return Some(Vec::new());
    };
    let all = files.to_vec();
    let end = Instant::now() + PATIENCE;
    let looked = call_at(first, end, move |_| all.iter().map(mark).collect());
    looked.await.ok()
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

    #[tokio::test]
    async fn every_way_to_change_a_file_is_seen_and_nothing_else() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("..1")).expect("a folder");
        fs::write(at("..1/key"), "one").expect("a file");
        symlink("..1", at("..data")).expect("a link");
        symlink("..data/key", at("key")).expect("a link");
        let mut watched = WatchedFiles::new(vec![at("key"), at("later")]).await;
        assert!(!watched.changed().await);

        fs::create_dir(at("..2")).expect("a folder");
        fs::write(at("..2/key"), "two").expect("a file");
        symlink("..2", at("..tmp")).expect("a link");
        assert!(!watched.changed().await, "nobody reads it yet");
        fs::rename(at("..tmp"), at("..data")).expect("a swap");
        assert!(watched.changed().await, "the folder was swapped");
        assert!(!watched.changed().await);

        fs::write(at("later"), "").expect("a file");
        assert!(watched.changed().await, "it appeared");
        fs::write(at("later.new"), "").expect("a file");
        fs::rename(at("later.new"), at("later")).expect("a rename");
        assert!(watched.changed().await, "it was replaced");
        fs::remove_file(at("later")).expect("it is there");
        assert!(watched.changed().await, "it is gone");
        assert!(!watched.changed().await);
    }
}
