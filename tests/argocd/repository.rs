//! An example as the Git repository that its Applications name.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::process::Scratch;
use crate::support::run::Run;

/// What every program of the examples is here: it tells the names of its environment.
const PROGRAM: &str = "arch-repo-service:0.1.0";

/// A work tree; a commit in it is what a push is elsewhere.
pub(crate) struct Repository(Scratch);

impl Repository {
    /// Of an example as it stands, but for the repository's address, the images of its programs,
    /// and the place of keyferry's components, which lie in it.
    pub(crate) fn of(example: &str, address: &str, images: &[&str]) -> Self {
        let repository = Self(Scratch::new("repository"));
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let from = root.join("examples").join(example).join(".");
        copied(&from, repository.path());
        fs::create_dir_all(repository.path().join("deploy")).unwrap();
        copied(
            &root.join("deploy/kustomize"),
            &repository.path().join("deploy"),
        );
        let url = repository.url();
        for file in files(repository.path()) {
            let text = fs::read_to_string(&file).unwrap();
            let mut new = text
                .replace(address, &url)
                .replace("../../deploy/kustomize", "deploy/kustomize");
            for image in images {
                new = new.replace(image, PROGRAM);
            }
            if new != text {
                fs::write(file, new).unwrap();
            }
        }
        repository.git(&["init", "--quiet", "--initial-branch=main"]);
        repository
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// What stands in `repoURL`.
    pub(crate) fn url(&self) -> String {
        format!("file://{}", self.path().display())
    }

    /// Text of a file.
    pub(crate) fn read(&self, file: &str) -> String {
        fs::read_to_string(self.path().join(file)).unwrap()
    }

    /// Writes a file.
    pub(crate) fn write(&self, file: &str, text: &str) {
        let path = self.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Replaces text of a file that has it.
    pub(crate) fn replace(&self, file: &str, from: &str, to: &str) {
        let text = self.read(file);
        assert!(text.contains(from), "{file} has no {from}");
        self.write(file, &text.replace(from, to));
    }

    /// Commits all that there is. Gives the commit.
    pub(crate) fn commit(&self) -> String {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--message=a test"]);
        let commit = self.git(&["rev-parse", "HEAD"]);
        commit.trim().to_owned()
    }

    fn git(&self, args: &[&str]) -> String {
        Run::of("git")
            .dir(self.path())
            .env("HOME", "/nonexistent")
            .args(["-c", "user.name=test", "-c", "user.email=test@example.com"])
            .args(args)
            .run()
            .expect(0)
            .stdout
    }
}

fn copied(from: &Path, to: &Path) {
    Run::of("cp")
        .args(["-R".as_ref(), from, to])
        .run()
        .expect(0);
}

/// Every file in a folder and those below it.
fn files(root: &Path) -> Vec<PathBuf> {
    let (mut files, mut folders) = (Vec::new(), vec![root.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let list = if path.is_dir() {
                &mut folders
            } else {
                &mut files
            };
            list.push(path);
        }
    }
    files
}
