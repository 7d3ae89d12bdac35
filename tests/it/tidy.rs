//! The house's rules that a compiler does not know: who may use whom, and how large a room may grow.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

/// Module to ring. A module uses its own ring or lower ones; `source`, `observe` and `apply` do not know each other.
const RINGS: &[(&str, u8)] = &[
    ("main", 4),
    ("cli", 4),
    ("mode", 3),
    ("sidecar", 3),
    ("outcome", 3),
    ("cycle", 3),
    ("telemetry", 3),
    ("hygiene", 3),
    ("source", 2),
    ("observe", 2),
    ("apply", 2),
    ("world", 2),
    ("vault", 2),
    ("kubernetes", 2),
    ("reflector", 2),
    ("disk", 2),
    ("progress", 2),
    ("stderr", 2),
    ("patience", 2),
    ("halt", 2),
    ("turns", 2),
    ("room", 2),
    ("shelf", 2),
    ("plan", 1),
    ("render", 1),
    ("envelope", 1),
    ("config", 1),
    ("fetched", 1),
    ("manifest", 1),
    ("reflect", 1),
    ("material", 0),
    ("artifact", 0),
    ("observed", 0),
    ("report", 0),
    ("cadence", 0),
    ("tally", 0),
    ("metric", 0),
    ("lock", 0),
    ("overlap", 0),
    ("plain", 0),
    ("format", 0),
    ("net", 0),
    ("redact", 0),
];

/// Siblings that do not know each other.
const SIBLINGS: &[&str] = &["source", "observe", "apply"];

/// What pure code does not touch.
const IMPURE: &[&str] = &[
    "std::fs",
    "std::env",
    "std::net::Tcp",
    "std::net::Udp",
    "ToSocketAddrs",
    "std::process::",
    "tokio::",
    "kube::Client",
    "kube::Api",
    "hyper::",
    "SystemTime::now",
    "Instant::now",
    "Timestamp::now",
    "rustix::",
];

/// Lines of a file that holds one concept; more needs a reason in the list.
const LONGEST: usize = 500;

struct Source {
    path: PathBuf,
    module: String,
    lines: Vec<String>,
}

#[test]
fn modules_use_lower_rings_only() {
    let mut wrong = Vec::new();
    for source in sources() {
        let Some(ring) = ring(&source.module) else {
            wrong.push(format!(
                "{}: `{}` has no ring: add it to tests/it/tidy.rs and src/lib.rs",
                source.path.display(),
                source.module
            ));
            continue;
        };
        for (number, line) in source.lines.iter().enumerate() {
            for used in uses(line) {
                let higher = self::ring(&used).is_some_and(|used| used > ring);
                let sibling = used != source.module
                    && SIBLINGS.contains(&used.as_str())
                    && SIBLINGS.contains(&source.module.as_str());
                if higher || sibling {
                    wrong.push(format!(
                        "{}:{}: `{}` may not use `{used}`",
                        source.path.display(),
                        number + 1,
                        source.module
                    ));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn pure_code_touches_nothing() {
    let mut wrong = Vec::new();
    for source in sources()
        .into_iter()
        .filter(|source| ring(&source.module).is_some_and(|ring| ring <= 1))
    {
        for (number, line) in source.lines.iter().enumerate() {
            for what in IMPURE.iter().filter(|what| line.contains(**what)) {
                wrong.push(format!(
                    "{}:{}: pure code uses {what}",
                    source.path.display(),
                    number + 1
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn every_file_says_what_it_is_for_and_stays_small() {
    let mut wrong = Vec::new();
    for source in sources() {
        if !source
            .lines
            .first()
            .is_some_and(|line| line.starts_with("//! "))
        {
            wrong.push(format!(
                "{}:1: the first line says what the file is for (`//! …`)",
                source.path.display()
            ));
        }
        if source.lines.len() > LONGEST {
            wrong.push(format!(
                "{}: {} lines; split it by concept",
                source.path.display(),
                source.lines.len()
            ));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn no_stub_and_no_unwrap() {
    let mut wrong = Vec::new();
    for source in sources() {
        for (number, line) in source.lines.iter().enumerate() {
            for what in ["todo!(", "unimplemented!(", ".unwrap()", "#[allow("] {
                if line.contains(what) {
                    wrong.push(format!("{}:{}: {what}", source.path.display(), number + 1));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

fn ring(module: &str) -> Option<u8> {
    RINGS
        .iter()
        .find(|(name, _)| *name == module)
        .map(|(_, ring)| *ring)
}

/// The modules of ours that a line names.
fn uses(line: &str) -> Vec<String> {
    let line = line.trim_start();
    if line.starts_with("//") {
        return Vec::new();
    }
    line.match_indices("crate::")
        .map(|(at, found)| {
            let rest = &line[at + found.len()..];
            rest.chars()
                .take_while(|c| c.is_alphanumeric() || *c == '_')
                .collect()
        })
        .collect()
}

/// Every file of `src`, without its tests: they may use anything.
fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut all = Vec::new();
    for path in rust_files(&root) {
        let inner = path.strip_prefix(&root).expect("it is beneath src");
        let is_test = |part: &OsStr| part == "tests" || part == "tests.rs";
        if inner.iter().any(is_test) || inner == "lib.rs" {
            continue;
        }
        let text = fs::read_to_string(&path).expect("sources are text");
        let code = text
            .split("#[cfg(test)]\nmod tests {")
            .next()
            .unwrap_or_default();
        let first = inner.iter().next().expect("a file has a name");
        let first = first.to_string_lossy();
        all.push(Source {
            module: first.trim_end_matches(".rs").to_owned(),
            lines: code.lines().map(str::to_owned).collect(),
            path: inner.to_owned(),
        });
    }
    assert!(all.len() > 20, "the sources were found");
    all
}

/// Every Rust file in a folder and those below it.
pub(crate) fn rust_files(root: &Path) -> Vec<PathBuf> {
    let (mut files, mut folders) = (Vec::new(), vec![root.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("it is a folder") {
            let path = entry.expect("it can be listed").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension() == Some(OsStr::new("rs")) {
                files.push(path);
            }
        }
    }
    files
}
