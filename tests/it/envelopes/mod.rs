//! Encrypted files through the binary: opened, reported on, and refused when they were damaged.
//! Nothing needs a server.

mod age;
mod check;
mod clear;
mod pick;
mod sealed;
mod sops;
mod writers;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::support::run::{Output, Run, keyferry};

/// The key that opens most of the vectors, as configuration.
const KEY: &str = "age: [{file: x25519.key}]";
/// What `x25519.key` is called.
const RECIPIENT: &str = "age16hcqgc78lj6sj2gge9ynvu3ssud6nd9jwg34ht6df05dzjuw43tqhd20tv";
/// A recipient whose private half nobody has.
const OTHER: &str = "age1tcfdysygmkedgdh8mwn5httx502f22ssyjvnt6nvvgds90rqgsfq968kh6";
/// A bad file must be refused at once: in a second alone, in a few on a machine that tests
/// everything at a time.
const AT_ONCE: Duration = Duration::from_secs(20);

/// A folder with a configuration, keys and files.
struct Desk {
    folder: tempfile::TempDir,
    keys: String,
    deliveries: String,
}

fn vector(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors");
    fs::read(folder.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn text(name: &str) -> String {
    String::from_utf8(vector(name)).expect("the vector is text")
}

impl Desk {
    fn new() -> Self {
        let desk = Self {
            folder: tempfile::tempdir().expect("a temporary folder"),
            keys: KEY.to_owned(),
            deliveries: String::new(),
        };
        desk.put("x25519.key", vector("age/made/x25519.key"));
        desk
    }

    /// Other keys than the usual one, as they stand in the configuration.
    fn keys(mut self, keys: &str) -> Self {
        keys.clone_into(&mut self.keys);
        self
    }

    /// A file that only its owner reads.
    fn put(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, bytes).expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("its mode is set");
        path
    }

    /// One more delivery: a source, and the file target it goes to.
    fn carry(mut self, from: &str, to: &str) -> Self {
        let number = self.deliveries.matches("name:").count();
        let delivery =
            format!("  - {{name: d{number}, from: [{{{from}}}], to: [{{file: {{{to}}}}}]}}\n");
        self.deliveries.push_str(&delivery);
        self
    }

    fn run(&self, args: &[&str]) -> Output {
        self.run_by(keyferry(), args)
    }

    /// The same with 64 MiB of address space, the program itself included: what asks for more is
    /// killed.
    fn run_in_bounds(&self, args: &[&str]) -> Output {
        let limited = Run::of("/bin/sh").args([
            "-c",
            "ulimit -d 65536 && exec \"$0\" \"$@\"",
            env!("CARGO_BIN_EXE_keyferry"),
        ]);
        self.run_by(limited, args)
    }

    fn run_by(&self, program: Run, args: &[&str]) -> Output {
        let config = format!("keys: {{{}}}\ndeliveries:\n{}", self.keys, self.deliveries);
        self.put("keyferry.yaml", config);
        program.dir(self.folder.path()).args(args).run()
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.folder.path().join(name)).expect("it was written")
    }

    /// Neither in what was printed nor in any file that was written.
    #[track_caller]
    fn assert_nothing_left(&self, output: &Output) {
        for canary in ["canary-", "AGE-SECRET-KEY-"] {
            let printed = format!("{}{}", output.stdout, output.stderr);
            assert!(!printed.contains(canary), "{printed}");
        }
        // A checksum that we computed would let short values be guessed.
        let printed = format!("{}{}", output.stdout, output.stderr);
        let longest = printed
            .split(|c: char| !c.is_ascii_hexdigit())
            .map(str::len)
            .max();
        assert!(longest.is_none_or(|longest| longest < 64), "{printed}");
        let written = fs::read_dir(self.folder.path()).expect("the folder is there");
        let written = written.map(|entry| entry.expect("it is listed").file_name());
        let written: Vec<_> = written
            .filter(|name| name == "out" || name == "out.json")
            .collect();
        assert!(written.is_empty(), "{written:?}");
    }
}

/// Runs one delivery that must fail in this way, at once, in 64 MiB, and leave nothing.
#[track_caller]
fn refused(desk: &Desk, code: i32, what: &str) {
    let output = desk.run_in_bounds(&["job"]);
    let last = output.last_line();
    assert_eq!(output.code, code, "{what}\n{}", output.stderr);
    assert!(last.contains(what), "`{what}` is not in\n{last}");
    assert!(output.elapsed < AT_ONCE, "{what}: {:?}", output.elapsed);
    desk.assert_nothing_left(&output);
}

/// The same of one file under a name that says its format.
#[track_caller]
fn refused_file(source: &str, name: &str, bytes: impl AsRef<[u8]>, code: i32, what: &str) {
    let desk = Desk::new().carry(&format!("{source}: {name}"), "path: out, format: json");
    desk.put(name, bytes);
    refused(&desk, code, what);
}
